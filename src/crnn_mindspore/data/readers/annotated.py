"""A data set whose annotation lies apart from its images, as offline inference is called."""

import os
from collections.abc import Callable

from crnn_mindspore.data.readers.annotation import read_comma_annotation
from crnn_mindspore.data.readers.folder_dataset import read_labels
from crnn_mindspore.data.readers.ic13_dataset import read_ic13
from crnn_mindspore.data.readers.mjsynth_dataset import read_mjsynth
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.text_file import require_folder

_READERS: dict[str, Callable[[str, str], SampleSource]] = {
    "synth": read_mjsynth,
    "ic03": read_comma_annotation,
    "ic13": read_ic13,
    "ic15": read_ic13,
    "iiit5k": read_comma_annotation,
    "svt": read_labels,
    "folder": read_labels,
}


def load_annotated(name: str, image_folder: str, ann_file: str) -> SampleSource:
    """The samples of an annotation file, or of the images' folder where that holds its own annotation.

    Args:
        name: A name of `crnn_mindspore.data.readers.registry.READERS`, or `folder:PATTERN`.
        image_folder: What the image names of the annotation are relative to.
        ann_file: The annotation, or `image_folder` once more: then the data set is read as by `crnn eval`.
            Layouts without an annotation file (labels in file names, LMDB) are read in this way only.

    Raises:
        UserError: If the name is unknown, something is missing, or the layout has no annotation file.
    """
    if not os.path.exists(ann_file):
        raise UserError(f"annotation {ann_file!r} does not exist")
    if os.path.isdir(ann_file):
        if not os.path.samefile(ann_file, require_folder(image_folder)):
            raise UserError(
                f"annotation {ann_file!r} is a folder, but not that of the images, {image_folder!r}"
            )
        return load_samples(name, image_folder)
    if name in _READERS:
        return _READERS[name](ann_file, require_folder(image_folder))
    raise UserError(
        f"data set {name!r} is not read from an annotation file (known: {', '.join(_READERS)}); "
        f"give its folder {image_folder!r} in place of {ann_file!r}"
    )
