"""Files that a runner of .om models takes and writes: `ais_bench` and `msame`, of CANN's tools.

For an input NAME.bin, `python3 -m ais_bench --outfmt BIN` writes NAME_0.bin, which is the model zoo's name of
a result too, into a folder of the date in its --output; `msame` writes NAME_output_0.bin.

Source: https://gitee.com/ascend/tools, ais-bench_workload and msame.
"""

import logging
from pathlib import Path

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.image_io import UnreadableImageError, decode_image
from crnn_mindspore.data.preprocess import preprocess
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.offline.input_list import result_names

TENSOR_FOLDER = "tensors"
_ENDING, _MSAME_ENDING = "_0.bin", "_output_0.bin"

_logger = logging.getLogger(__name__)


def write_tensors(folder: str, source: SampleSource, artifact: Artifact) -> Path:
    """Writes each image as the network's input, (C, H, W) float32 in NAME.bin; the folder of them.

    An image that cannot be read gets none, is named, and later counts as wrong.

    Raises:
        UserError: If a file cannot be written.
    """
    target = Path(folder) / TENSOR_FOLDER
    try:
        target.mkdir(parents=True, exist_ok=True)
        for i, name in enumerate(result_names(source)):
            try:
                image = decode_image(source.image_bytes(i), source.name(i))
            except UnreadableImageError as error:
                _logger.warning("unreadable image, counted as wrong: %s", error)
                continue
            tensor = preprocess(image, artifact.preprocessing)
            (target / f"{name.removesuffix(_ENDING)}.bin").write_bytes(tensor.tobytes())
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}") from None
    return target


def results_folder(folder: Path) -> Path:
    """Where the results lie: the folder itself, or the one folder in it that a runner named by the date.

    Raises:
        UserError: If several folders in it hold results.
    """
    if any(folder.glob("*.bin")):
        return folder
    inside = sorted({path.parent for path in folder.glob("*/*.bin")})
    if len(inside) > 1:
        names = ", ".join(path.name for path in inside)
        raise UserError(f"result_path {folder}: results of several runs: {names}; name the folder of one")
    return inside[0] if inside else folder


def result_path(folder: Path, name: str) -> Path:
    """The file of a result under its own name, or under msame's."""
    other = folder / f"{name.removesuffix(_ENDING)}{_MSAME_ENDING}"
    return other if other.is_file() and not (folder / name).is_file() else folder / name


def is_readable(source: SampleSource, i: int) -> bool:
    """Whether an image can be decoded."""
    try:
        decode_image(source.image_bytes(i), source.name(i))
    except UnreadableImageError:
        return False
    return True
