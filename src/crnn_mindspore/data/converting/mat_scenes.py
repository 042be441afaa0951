"""The MATLAB annotations of IIIT 5K-Word."""

from typing import Any

import numpy as np

from crnn_mindspore.data.converting.scenes import Region, Scene
from crnn_mindspore.data.sources.samples import MALFORMED, FilterReport
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.limited_child import run_limited
from crnn_mindspore.text_file import require_file

MOST_MEMORY = 2 * 2**30  # bytes; testdata.mat, of 3 million words, takes some 0.4 GB
MOST_SECONDS = 300  # of the processor
_MOST_OUTPUT = 512 * 2**20  # bytes
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
    require_file(path, ".mat file")
    try:
        words = run_limited(
            words_of, path, memory=MOST_MEMORY, seconds=MOST_SECONDS, most_output=_MOST_OUTPUT
        )
    except UserError as error:
        raise UserError(f"{path}: not a .mat file that can be read ({error})") from None
    scenes = []
    for number, word in enumerate(words, start=1):
        if word is None:
            report.drop(MALFORMED, f"{path}: entry {number}")
        else:
            name, label, lexicons = word
            found = {key: tuple(listed) for key, listed in lexicons.items()}
            scenes.append(Scene(name, (Region(label, None, found or None),)))
    return scenes


def words_of(path: str) -> list[tuple[str, str, dict[str, tuple[str, ...]]] | None]:
    """Image name, label and lexicons of each entry, None for a malformed one.

    SciPy crashes on some damaged files, and a small one can unpack to any size: not for the process that the
    rest runs in.

    Raises:
        UserError: If the file has another form.
    """
    import scipy.io  # large, and needed for this alone

    variables = scipy.io.loadmat(path, simplify_cells=True)
    for value in variables.values():
        entries = _entries(value)
        if entries and all("ImgName" in entry for entry in entries):
            break
    else:
        names = ", ".join(sorted(name for name in variables if not name.startswith("__")))
        raise UserError(f"no struct array with ImgName in it (variables: {names or 'none'})")
    return [_word(entry) for entry in entries]


def _word(entry: dict[str, Any]) -> tuple[str, str, dict[str, tuple[str, ...]]] | None:
    label = _text(entry.get("GroundTruth", entry.get("chars")))
    name = _text(entry["ImgName"])
    if not name or label is None:
        return None
    return name, label, {key: _words(entry[field]) for key, field in _LEXICONS.items() if field in entry}


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
