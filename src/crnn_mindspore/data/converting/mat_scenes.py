"""The MATLAB annotations of IIIT 5K-Word."""

from typing import Any

import numpy as np

from crnn_mindspore.data.converting.scenes import Region, Scene
from crnn_mindspore.data.sources.samples import MALFORMED, FilterReport
from crnn_mindspore.errors import UserError
from crnn_mindspore.text_file import require_file

_LEXICONS = {"50": "smallLexi", "1000": "mediumLexi"}


def read_iiit5k(path: str, report: FilterReport) -> list[Scene]:
    """The word images of `testdata.mat` / `traindata.mat` or `testCharBound.mat` / `trainCharBound.mat`.

    The former have lexicons, of 50 and of 1,000 words an image; the latter have cased labels.

    Args:
        path: The .mat file, a struct array with `ImgName` and `GroundTruth` or `chars`.
        report: Malformed entries are counted here.

    Raises:
        UserError: If the file is missing or of another form; the message names it.

    Source: Mishra et al. 2012, the data set's README.
    """
    import scipy.io  # large, and needed for this alone

    require_file(path, ".mat file")
    try:
        variables = scipy.io.loadmat(path, simplify_cells=True)
    except (ValueError, TypeError, OSError, NotImplementedError, scipy.io.matlab.MatReadError) as error:
        raise UserError(f"{path}: not a .mat file SciPy can read ({error})") from None
    for value in variables.values():
        entries = _entries(value)
        if entries and all("ImgName" in entry for entry in entries):
            break
    else:
        names = ", ".join(sorted(name for name in variables if not name.startswith("__")))
        raise UserError(f"{path}: no struct array with ImgName in it (variables: {names or 'none'})")
    scenes = []
    for number, entry in enumerate(entries, start=1):
        label = _text(entry.get("GroundTruth", entry.get("chars")))
        name = _text(entry["ImgName"])
        if not name or label is None:
            report.drop(MALFORMED, f"{path}: entry {number}")
            continue
        lexicons = {key: _words(entry[field]) for key, field in _LEXICONS.items() if field in entry}
        scenes.append(Scene(name, (Region(label, None, lexicons or None),)))
    return scenes


def _entries(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list | np.ndarray):
        entries = list(value)
        return entries if all(isinstance(entry, dict) for entry in entries) else []
    return []


def _text(value: Any) -> str | None:
    """A MATLAB string; an empty one arrives as an empty array, a one-digit one may arrive as a number."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, np.ndarray) and value.size == 0:
        return ""
    return str(value) if isinstance(value, int | np.integer) else None


def _words(value: Any) -> tuple[str, ...]:
    return tuple(
        " ".join(str(word).split()) for word in np.atleast_1d(np.asarray(value, dtype=object)).ravel()
    )
