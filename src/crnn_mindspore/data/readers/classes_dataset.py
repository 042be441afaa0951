"""A folder a class: its name says which character its images show."""

import os
import re
from collections.abc import Sequence

from crnn_mindspore.data.image_formats import IMAGE_SUFFIXES, REFUSED_FORMAT, REFUSED_SUFFIXES
from crnn_mindspore.data.sources.charset_file import load_charset_file
from crnn_mindspore.data.sources.lexicons import attach_lexicons
from crnn_mindspore.data.sources.samples import FilterReport, ListSource, SampleSource, WordSample
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import folders_below, inside, require_inside
from crnn_mindspore.text_file import require_folder

LIST = "classes.txt"
UNKNOWN_CLASS = "folder whose name is no id of classes.txt"

_SPLITS = ("train", "test", "val")
_CODE_POINT = re.compile(r"[Uu]\+([0-9A-Fa-f]{4,6})")


def load_classes(root: str, split: str = "train", lexicon: str | None = None) -> SampleSource:
    """The images of all folders of classes, in the order of their paths.

    The name of a folder is the class: `中`, or `U+4E2D`, which every file system can hold; where the root has
    `classes.txt`, one class a line, it is an id in it, counted from 0, as `00012`. Images may lie deeper.

    Args:
        root: The folder of the folders; where it has `train`, `test` or `val`, those of the split.
        split: Which of these.
        lexicon: Name of the lexicon to evaluate with, None for none.

    Raises:
        UserError: If a folder is missing or there is no image; `classes.txt` cannot be read.
    """
    require_folder(root)
    listed = inside(root, LIST)
    classes = load_charset_file(listed) if os.path.isfile(listed) else None
    place = root
    if any(os.path.isdir(os.path.join(root, name)) for name in _SPLITS):
        place = require_folder(inside(root, split))
    report = FilterReport()
    samples = []
    for name in sorted(os.listdir(place)):
        folder = os.path.join(place, name)
        if not os.path.isdir(folder) or (name.startswith(".") and len(name) > 1):
            continue
        label = _class_of(name, classes)
        for path in _images(require_inside(root, folder), report):
            if label is None:
                report.drop(UNKNOWN_CLASS, path)
            else:
                samples.append(WordSample(path, label, root=root))
    if not samples and not report.dropped:
        raise UserError(f"no images in the folders of {place!r} (looked for {', '.join(IMAGE_SUFFIXES)})")
    return attach_lexicons(ListSource(samples, root, report), root, lexicon)


def _class_of(name: str, classes: Sequence[str] | None) -> str | None:
    """The class that a folder's name means, None if it is not in the list."""
    if classes is not None:
        is_id = name.isascii() and name.isdigit() and int(name) < len(classes)  # a file's name has 255 digits
        return classes[int(name)] if is_id else None
    code = _CODE_POINT.fullmatch(name)
    return chr(int(code[1], 16)) if code and int(code[1], 16) <= 0x10FFFF else name


def _images(folder: str, report: FilterReport) -> list[str]:
    found = []
    for place, files in folders_below(folder):
        for name in files:
            path = os.path.join(place, name)
            if name.lower().endswith(REFUSED_SUFFIXES):
                report.drop(REFUSED_FORMAT, path)
            elif name.lower().endswith(IMAGE_SUFFIXES):
                found.append(path)
    return found
