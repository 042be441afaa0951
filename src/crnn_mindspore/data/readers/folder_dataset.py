"""The user's own data: images with `labels.tsv` or `labels.csv`, or with the label in the file name."""

import os
import re

from crnn_mindspore.data.image_formats import IMAGE_SUFFIXES, REFUSED_FORMAT, REFUSED_SUFFIXES
from crnn_mindspore.data.readers.annotation import read_annotation, samples_of_rows
from crnn_mindspore.data.readers.label_csv import csv_rows
from crnn_mindspore.data.sources.lexicons import attach_lexicons
from crnn_mindspore.data.sources.samples import FilterReport, ListSource, SampleSource, WordSample
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import folders_below, inside
from crnn_mindspore.text_file import read_text, require_folder

NO_MATCH = "file name does not fit the pattern"

_LABEL_PLACE = re.compile(r"\{(?:text|label)\}")


def load_folder(root: str, split: str = "train", lexicon: str | None = None) -> SampleSource:
    """The samples of `labels.tsv` (`path<TAB>text`) or `labels.csv` (`path,text`, quoted as needed).

    Args:
        root: Folder of the label file; the image paths are relative to it.
        split: `labels_{split}.tsv` / `.csv` is preferred where there is one.
        lexicon: Name of the lexicon to evaluate with, None for none.

    Raises:
        UserError: If the folder or the label file is missing, or the file is not UTF-8.
    """
    require_folder(root)
    for name in (f"labels_{split}.tsv", f"labels_{split}.csv", "labels.tsv", "labels.csv"):
        path = inside(root, name)
        if os.path.isfile(path):
            return attach_lexicons(read_labels(path, root), root, lexicon)
    raise UserError(
        f"{root!r} holds neither labels.tsv nor labels.csv; "
        "for labels in the file names give a pattern: 'folder:*_{text}.jpg'"
    )


def read_labels(path: str, image_folder: str) -> ListSource:
    """The samples of one `.tsv` or `.csv` label file.

    Raises:
        UserError: If the file has another ending, is missing or not UTF-8.
    """
    if path.endswith(".tsv"):
        return read_annotation(path, image_folder, lambda line: line.split("\t"))
    if path.endswith(".csv"):
        return samples_of_rows(csv_rows(read_text(path)), path, image_folder)
    raise UserError(f"label file {path!r} must end in .tsv or .csv")


def load_named_images(root: str, pattern: str) -> SampleSource:
    """The images below a folder, in the order of their paths, whose label stands in the file name.

    Args:
        root: The folder; images are looked for at any depth.
        pattern: The form of the file names: `{text}` (or `{label}`) is the label, `*` anything. `*_{text}.*`
            reads `12_street_Novel.jpg` as `Novel`: a `*` before the label takes as much as it can. Of
            several forms, parted by `|`, the first that fits counts.

    Raises:
        UserError: If a form has not exactly one `{text}`, or the folder no image.
    """
    forms = [_named_form(form) for form in pattern.split("|")]
    report = FilterReport()
    samples = []
    for folder, files in folders_below(require_folder(root)):
        for name in files:
            path = os.path.join(folder, name)
            if name.lower().endswith(REFUSED_SUFFIXES):
                report.drop(REFUSED_FORMAT, path)
            if not name.lower().endswith(IMAGE_SUFFIXES):
                continue
            match = next((found for form in forms if (found := form.fullmatch(name))), None)
            if match:
                samples.append(WordSample(path, match["text"], root=root))
            else:
                report.drop(NO_MATCH, path)
    if not samples and not report.dropped:
        raise UserError(f"no images in {root!r} (looked for {', '.join(IMAGE_SUFFIXES)})")
    return ListSource(samples, root, report)


def _named_form(pattern: str) -> re.Pattern[str]:
    """One alternative of a pattern as a regular expression with the group `text`."""
    halves = _LABEL_PLACE.split(pattern)
    if len(halves) != 2:
        raise UserError(
            f"pattern {pattern!r} must hold {{text}} once, e.g. '*_{{text}}.jpg'; | parts two forms, as in "
            "'{text}_*.jpg|{text}.jpg'"
        )
    parts = [".*".join(re.escape(piece) for piece in half.split("*")) for half in halves]
    return re.compile(f"{parts[0]}(?P<text>.*?){parts[1]}", re.DOTALL)
