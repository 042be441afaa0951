"""What the readers of line annotations share: lines in, checked samples and a report out."""

import os
import re
from collections.abc import Callable
from dataclasses import replace

from crnn_mindspore.data.image_formats import IMAGE_SUFFIXES, REFUSED_SUFFIXES
from crnn_mindspore.data.sources.samples import (
    MALFORMED,
    OUTSIDE_FOLDER,
    FilterReport,
    ListSource,
    WordSample,
)
from crnn_mindspore.text_file import is_inside, numbered_lines, quoted

_NAME_THEN_COMMA = re.compile(
    r"^(.*?(?:" + "|".join(re.escape(s) for s in IMAGE_SUFFIXES + REFUSED_SUFFIXES) + r")),(.*)$",
    re.IGNORECASE,
)


def split_at_name(line: str) -> tuple[str, str] | None:
    """`image,label` -> (image, label), None if there is no comma.

    The split is at the first comma after the image's extension, so that labels with commas survive.
    """
    match = _NAME_THEN_COMMA.match(line)
    if match:
        return match.group(1).strip(), match.group(2).strip()
    name, comma, label = line.partition(",")
    return (name.strip(), label.strip()) if comma else None


def read_annotation(
    path: str, image_folder: str, parse: Callable[[str], tuple[str, str] | None]
) -> ListSource:
    """The samples of a line annotation.

    Args:
        path: The annotation file, UTF-8.
        image_folder: What the image names are relative to.
        parse: A line -> (image name, label), None if the line is malformed.

    Raises:
        UserError: If the file is missing or not UTF-8.
    """
    report = FilterReport()
    samples = []
    for number, line in numbered_lines(path):
        parsed = parse(line)
        where = f"{path}:{number} {quoted(line)}"
        if parsed is None or not parsed[0]:
            report.drop(MALFORMED, where)
        elif not is_inside(parsed[0]):
            report.drop(OUTSIDE_FOLDER, where)
        else:
            image = os.path.join(image_folder, parsed[0].removeprefix("./").replace("\\", "/"))
            samples.append(WordSample(image, parsed[1]))
    return ListSource(samples, path, report)


def read_comma_annotation(path: str, image_folder: str) -> ListSource:
    """The samples of an `image,label` annotation.

    The model zoo's converters end every line with one more comma; where every line does, it is left off.

    Raises:
        UserError: If the file is missing or not UTF-8.
    """
    source = read_annotation(path, image_folder, split_at_name)
    if source.samples and all(sample.text.endswith(",") for sample in source.samples):
        samples = [replace(sample, text=sample.text[:-1].rstrip()) for sample in source.samples]
        return ListSource(samples, path, source.report)
    return source
