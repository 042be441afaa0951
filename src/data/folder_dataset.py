"""The user's own data: images with `labels.tsv` or `labels.csv`."""

import csv
import io
import os

from src.data.annotation import read_annotation
from src.data.samples import MALFORMED, OUTSIDE_FOLDER, FilterReport, ListSource, SampleSource, WordSample
from src.data.text_file import is_inside, quoted, read_text, require_folder
from src.errors import UserError

_HEADERS = {("path", "text"), ("image", "text"), ("image", "label"), ("path", "label"), ("filename", "words")}


def load_folder(root: str, split: str = "train") -> SampleSource:
    """The samples of `labels.tsv` (`path<TAB>text`) or `labels.csv` (`path,text`, quoted as needed).

    Args:
        root: Folder of the label file; the image paths are relative to it.
        split: `labels_{split}.tsv` / `.csv` is preferred where there is one.

    Raises:
        UserError: If the folder or the label file is missing, or the file is not UTF-8.
    """
    require_folder(root)
    for name in (f"labels_{split}.tsv", f"labels_{split}.csv", "labels.tsv", "labels.csv"):
        path = os.path.join(root, name)
        if os.path.isfile(path):
            is_tsv = name.endswith(".tsv")
            return read_annotation(path, root, _split_at_tab) if is_tsv else _read_csv(path, root)
    raise UserError(f"{root!r} holds neither labels.tsv nor labels.csv")


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
            samples.append(
                WordSample(os.path.join(root, row[0].removeprefix("./").replace("\\", "/")), row[1])
            )
    return ListSource(samples, path, report)
