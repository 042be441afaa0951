"""ICDAR 2013 and 2015 word recognition as published: word images with `gt.txt`."""

import glob
import os
import re

from crnn_mindspore.data.readers.annotation import read_annotation, read_comma_annotation
from crnn_mindspore.data.sources.lexicons import attach_lexicons
from crnn_mindspore.data.sources.samples import ListSource, SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import inside, require_inside
from crnn_mindspore.text_file import require_folder

_ESCAPED = re.compile(r'\\(["\\])')


def parse_ic13_line(line: str) -> tuple[str, str] | None:
    r"""`word_1.png, "Tired\"ness"` -> ('word_1.png', 'Tired"ness'), None if the line has another form.

    Source: ICDAR 2013 Robust Reading, task 2.3: the label is quoted, quotes in it are escaped by a backslash.
    """
    # Not by one regular expression: with several ways to share out blanks it takes the cube of their number.
    name, comma, quoted = (part.strip() for part in line.partition(","))
    is_quoted = len(quoted) > 1 and quoted[0] == quoted[-1] == '"'
    if not comma or not name or '"' in name or not is_quoted:
        return None
    return name, _ESCAPED.sub(r"\1", quoted[1:-1])


def load_ic13(root: str, split: str = "test", lexicon: str | None = None) -> SampleSource:
    """The samples of `gt.txt` (or the official `Challenge2_Test_Task3_GT.txt` and the like) in `root`.

    A folder a converter made, with `annotation.txt`, is read too.

    Args:
        root: Folder of the word images and the annotation.
        split: Not used, the folder is one split.
        lexicon: Name of the lexicon to evaluate with, None for none.

    Raises:
        UserError: If the folder or the annotation is missing, or several annotations could be meant.
    """
    del split
    path = inside(require_folder(root), "gt.txt")
    converted = inside(root, "annotation.txt")
    if not os.path.isfile(path) and os.path.isfile(converted):
        path = converted
    elif not os.path.isfile(path):
        official = sorted(glob.glob(os.path.join(glob.escape(root), "*GT*.txt")))
        if len(official) != 1:
            found = f" and {len(official)} other *GT*.txt are there" if official else ""
            raise UserError(f"annotation {path!r} does not exist{found}")
        path = require_inside(root, official[0])
    return attach_lexicons(read_ic13(path, root), root, lexicon)


def read_ic13(path: str, image_folder: str) -> ListSource:
    """The samples of one annotation: `annotation.txt` as a converter writes it, any other as published.

    Raises:
        UserError: If the file is missing or not UTF-8.
    """
    if os.path.basename(path) == "annotation.txt":
        return read_comma_annotation(path, image_folder)
    return read_annotation(path, image_folder, parse_ic13_line)
