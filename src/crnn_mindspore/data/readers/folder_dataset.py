"""The user's own data: images with `labels.tsv` or `labels.csv`, or with the label in the file name."""

import csv
import io
import os
import re

from crnn_mindspore.data.image_formats import IMAGE_SUFFIXES, REFUSED_FORMAT, REFUSED_SUFFIXES
from crnn_mindspore.data.readers.annotation import read_annotation
from crnn_mindspore.data.sources.lexicons import attach_lexicons
from crnn_mindspore.data.sources.samples import (
    MALFORMED,
    OUTSIDE_FOLDER,
    FilterReport,
    ListSource,
    SampleSource,
    WordSample,
)
from crnn_mindspore.errors import UserError
from crnn_mindspore.text_file import is_inside, quoted, read_text, require_folder

NO_MATCH = "file name does not fit the pattern"

_HEADERS = {("path", "text"), ("image", "text"), ("image", "label"), ("path", "label"), ("filename", "words")}


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
        path = os.path.join(root, name)
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
        return read_annotation(path, image_folder, _split_at_tab)
    if path.endswith(".csv"):
        return _read_csv(path, image_folder)
    raise UserError(f"label file {path!r} must end in .tsv or .csv")


def load_named_images(root: str, pattern: str) -> SampleSource:
    """The images below a folder, in the order of their paths, whose label stands in the file name.

    Args:
        root: The folder; images are looked for at any depth.
        pattern: The form of the file names: `{text}` is the label, `*` anything. `*_{text}.*` reads
            `12_street_Novel.jpg` as `Novel`: a `*` before the label takes as much as it can.

    Raises:
        UserError: If the pattern has not exactly one `{text}`, or the folder no image.
    """
    if pattern.count("{text}") != 1:
        raise UserError(f"pattern {pattern!r} must hold {{text}} once, e.g. '*_{{text}}.jpg'")
    parts = [".*".join(re.escape(piece) for piece in half.split("*")) for half in pattern.split("{text}")]
    form = re.compile(f"{parts[0]}(?P<text>.*?){parts[1]}", re.DOTALL)
    report = FilterReport()
    samples = []
    for folder, folders, files in os.walk(require_folder(root)):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.lower().endswith(REFUSED_SUFFIXES):
                report.drop(REFUSED_FORMAT, path)
            if not name.lower().endswith(IMAGE_SUFFIXES):
                continue
            match = form.fullmatch(name)
            if match:
                samples.append(WordSample(path, match["text"]))
            else:
                report.drop(NO_MATCH, path)
    if not samples and not report.dropped:
        raise UserError(f"no images in {root!r} (looked for {', '.join(IMAGE_SUFFIXES)})")
    return ListSource(samples, root, report)


def _split_at_tab(line: str) -> tuple[str, str] | None:
    name, tab, label = line.partition("\t")
    return (name, label) if tab else None


def _read_csv(path: str, root: str) -> ListSource:
    report = FilterReport()
    samples = []
    rows = csv.reader(io.StringIO(read_text(path), newline=""))
    first = True
    while True:
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            report.drop(MALFORMED, f"{path}:{rows.line_num} {error}")
            continue
        is_header, first = first and tuple(cell.strip().lower() for cell in row) in _HEADERS, False
        if not row or is_header:
            continue
        where = f"{path}:{rows.line_num} {quoted(','.join(row))}"
        if len(row) != 2 or not row[0]:
            report.drop(MALFORMED, where)
        elif not is_inside(row[0]):
            report.drop(OUTSIDE_FOLDER, where)
        else:
            image = os.path.join(root, row[0].removeprefix("./").replace("\\", "/"))
            samples.append(WordSample(image, row[1]))
    return ListSource(samples, path, report)
