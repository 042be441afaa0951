"""What a model can be exported to, and where."""

from pathlib import Path

from crnn_mindspore.artifacts.artifact import PRECISIONS
from crnn_mindspore.errors import UserError

FORMATS = ("MINDIR", "AIR", "ONNX", "CKPT")


def output_path(file_name: str, file_format: str) -> Path:
    """The file that an export writes.

    Args:
        file_name: With or without the format's ending.
        file_format: One of `FORMATS`.

    Raises:
        UserError: If the name is empty or that of a folder.
    """
    if not file_name or file_name.endswith("/"):
        raise UserError(f"file_name is {file_name!r}, must name a file")
    ending = f".{file_format.lower()}"
    return Path(file_name if file_name.lower().endswith(ending) else file_name + ending)


def check_format(file_format: str, device_target: str, precision: str = "fp32") -> None:
    """Raises UserError if the format is unknown, or cannot be written on this device or in this precision.

    The device may still be open ("auto").
    """
    if file_format not in FORMATS:
        raise UserError(f"file_format is {file_format!r}, must be one of {', '.join(FORMATS)}")
    if file_format == "AIR" and device_target not in ("Ascend", "auto"):
        raise UserError(
            f"file_format AIR needs device_target Ascend, not {device_target}: MindSpore writes AIR on "
            "Ascend hardware only; MINDIR and ONNX can be exported anywhere"
        )
    if precision not in PRECISIONS:
        raise UserError(f"precision is {precision!r}, must be one of {', '.join(PRECISIONS)}")
    if precision != "fp32" and file_format != "ONNX":
        raise UserError(f"precision {precision} needs file_format ONNX, not {file_format}")
