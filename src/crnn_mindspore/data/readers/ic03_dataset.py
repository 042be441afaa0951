"""ICDAR 2003 words as `convert_ic03.py` writes them: a folder of crops with `annotation.txt`."""

from crnn_mindspore.data.readers.annotation import read_comma_annotation
from crnn_mindspore.data.sources.lexicons import attach_lexicons
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.guards.inside import inside
from crnn_mindspore.text_file import require_file, require_folder


def load_ic03(root: str, split: str = "test", lexicon: str | None = None) -> SampleSource:
    """The samples of `annotation.txt`, one `image,label` a line; commas in labels survive.

    Args:
        root: Folder of the crops and the annotation.
        split: Not used, the folder is one split.
        lexicon: Name of the lexicon to evaluate with, None for none.

    Raises:
        UserError: If the folder or the annotation is missing; the message names the path.
    """
    del split
    path = require_file(inside(require_folder(root), "annotation.txt"), "annotation")
    return attach_lexicons(read_comma_annotation(path, root), root, lexicon)
