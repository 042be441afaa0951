"""The list of images that offline inference reads, and the images that Python has to prepare for it."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.image_io import OutsideImageError, UnreadableImageError, decode_image
from crnn_mindspore.data.preprocess import Preprocessing, to_uint8
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.shown import shortened
from crnn_mindspore.whole_file import whole_file, write_new

LIST_NAME = "inputs.txt"
_FIRST_LINES = {1: "crnn_inputs 1", 2: "crnn_inputs 2"}
_CLASSES = {1: "characters", 2: "classes"}  # in form 2 a class may have several code points
_STANDARDIZE = {"True": True, "False": False}  # the line is left out where it is False
_IMAGE_FOLDER = "images"
_RESULT_ENDING = "_0.bin"  # the model zoo's: output 0
_LONGEST_NAME = 255 - len(_RESULT_ENDING)  # bytes, of most file systems

# What cpp_infer decodes and resizes to the very values that Python gives. PNG and JPEG are decoded alike by
# every build of OpenCV tried; cubic interpolation is rounded differently by builds with and without IPP.
_DECODED_THERE = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8")
_RESIZED_THERE = ("nearest", "linear", "area")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InputList:
    """What `inputs.txt` holds.

    Attributes:
        preprocessing: How an image becomes the network's input.
        time_steps: Steps T of the network's output.
        classes: The alphabet; the blank follows its last class.
        images: (name of the result file, path of the image), in the order of the data set.
    """

    preprocessing: Preprocessing
    time_steps: int
    classes: tuple[str, ...]
    images: list[tuple[str, str]]


def result_names(source: SampleSource) -> list[str]:
    """One file name for the result of each sample, all different.

    They are the model zoo's, `NAME_0.bin` for `NAME.jpg`, if no two images share their name; else the
    position in the data set takes the place of every name.
    """
    stems = [Path(source.name(i)).stem for i in range(len(source))]
    usable = all(stem.isprintable() and len(os.fsencode(stem)) <= _LONGEST_NAME for stem in stems)
    if usable and len(set(stems)) == len(stems):
        return [stem + _RESULT_ENDING for stem in stems]
    return [f"{i:07d}{_RESULT_ENDING}" for i in range(len(source))]


def write_inputs(
    folder: str, source: SampleSource, artifact: Artifact, *, resize_here: bool = False
) -> InputList:
    """Writes `inputs.txt` into a new folder, and beside it the images that cannot be read where they lie.

    PNG and JPEG files are listed where they are. Images in an LMDB are copied out. All other formats, and
    every image under cubic or Pillow's interpolation, are decoded and resized here and listed as PNG.

    Args:
        folder: Must not exist or be empty.
        source: The images.
        artifact: The model's description.
        resize_here: Whether every image is decoded and resized here, for a machine whose OpenCV differs.

    Raises:
        UserError: If the folder holds files or cannot be written, there are no images, or the model's keep
            their ratio.
    """
    if artifact.preprocessing.width_step:
        raise UserError(
            "offline inference reads images of one size, but this model was trained with keep_ratio; "
            "use `crnn eval`"
        )
    if len(source) == 0:
        raise UserError("\n".join([f"no images in {source.origin}", *source.report.lines()]))
    writer = _ImageWriter(Path(folder) / _IMAGE_FOLDER, artifact.preprocessing, resize_here)
    try:
        target = _new_folder(folder)
        images = list(zip(result_names(source), writer.paths(source), strict=True))
        inputs = InputList(
            artifact.preprocessing,
            artifact.kind.score_shape(artifact)[0],
            tuple(artifact.codec.classes),
            images,
        )
        # Its last line ends with a line feed: a list without it was cut off.
        with whole_file(target / LIST_NAME) as temporary:
            temporary.write_bytes(b"\n".join([*_lines(inputs), b""]))
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from None
    _logger.info(
        "%s: %d images, %d of them put into %s", target / LIST_NAME, len(images), writer.count, folder
    )
    return inputs


def read_inputs(folder: str) -> InputList:
    """The list in a folder that `write_inputs` wrote.

    Raises:
        UserError: If it is missing, cut off or damaged.
    """
    path = Path(folder) / LIST_NAME
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; `crnn offline preprocess` writes it") from None
    try:
        header = 1 + next((i for i, line in enumerate(lines) if line.startswith(b"images ")), 0)
        first, *rest = (line.decode() for line in lines[:header])
        values = dict(line.split(" ", 1) for line in rest)
        preprocessing = Preprocessing(
            **{name: type(d)(values[name]) for name, d in Preprocessing().as_dict().items()},
            standardize=_STANDARDIZE[values.get("standardize", "False")],
        )
        form = next((form for form, line in _FIRST_LINES.items() if line == first), 0)
        classes = tuple(map(_class_of, values[_CLASSES[form]].split()))
        images = [line.split(b"\t") for line in lines[header:-1]]
        if lines[-1] or len(images) != int(values["images"]):
            raise ValueError("cut off")
        pairs = [(_result_name(os.fsdecode(result)), os.fsdecode(image)) for result, image in images]
        return InputList(preprocessing, int(values["time_steps"]), classes, pairs)
    except UserError as error:
        raise UserError(f"{path}: {shortened(str(error))}") from None
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise UserError(f"{path}: damaged list of images ({shortened(str(error))}); make it again") from None


def _result_name(name: str) -> str:
    """The name of a result's file, if it is one and no path."""
    if "/" in name or not name.strip(".") or "\0" in name:
        raise ValueError(f"result {name!r} is not the name of a file")
    return name


def _lines(inputs: InputList) -> Iterator[bytes]:
    form = 1 if all(len(name) == 1 for name in inputs.classes) else 2
    yield _FIRST_LINES[form].encode()
    for name, value in inputs.preprocessing.as_dict().items():
        if name != "step_offset":  # `time_steps` says it
            yield f"{name} {value}".encode()
    yield f"time_steps {inputs.time_steps}".encode()
    yield f"{_CLASSES[form]} {' '.join(map(_codes_of, inputs.classes))}".encode()
    yield f"images {len(inputs.images)}".encode()
    for result, image in inputs.images:
        yield os.fsencode(f"{result}\t{image}")


def _codes_of(name: str) -> str:
    """The code points of a class; "-" for an empty one."""
    return ",".join(str(ord(c)) for c in name) or "-"


def _class_of(codes: str) -> str:
    return "" if codes == "-" else "".join(chr(int(code)) for code in codes.split(","))


def _new_folder(folder: str) -> Path:
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise UserError(f"{folder} is not empty; choose another folder or move it away")
    return path


class _ImageWriter:
    """Decides which images stay where they are, and writes the others into a folder of their own."""

    def __init__(self, folder: Path, preprocessing: Preprocessing, resize_here: bool) -> None:
        self.count = 0
        self._folder = folder
        self._preprocessing = preprocessing
        self._resize_here = resize_here or preprocessing.interpolation not in _RESIZED_THERE

    def paths(self, source: SampleSource) -> Sequence[str]:
        """Where each image of the data set is to be read."""
        return [self._path(source, i) for i in range(len(source))]

    def _path(self, source: SampleSource, i: int) -> str:
        name = source.name(i)
        listed = not self._resize_here and os.path.isfile(name) and not set("\t\n") & set(name)
        try:
            data = source.image_bytes(i)
            decode_there = not self._resize_here and data.startswith(_DECODED_THERE)
            if listed and decode_there:
                return os.path.abspath(name)
            if not decode_there:
                pixels = to_uint8(decode_image(data, name), self._preprocessing)
                data = cv2.imencode(".png", pixels)[1].tobytes()
        except UnreadableImageError as error:
            # No PNG or JPEG: it will be refused under its own name.
            if listed and not isinstance(error, OutsideImageError):
                return os.path.abspath(name)
            _logger.warning("unreadable image, counted as wrong: %s", error)
            data = b""
        self._folder.mkdir(exist_ok=True)
        self.count += 1
        path = self._folder / f"{i:07d}"
        write_new(path, data)
        return str(path.absolute())
