"""What a model can be exported to, and where."""

from src.errors import UserError

FORMATS = ("MINDIR", "AIR", "ONNX", "CKPT")


def check_format(file_format: str, device_target: str) -> None:
    """Raises UserError if the format is unknown or cannot be written on this device."""
    if file_format not in FORMATS:
        raise UserError(f"file_format is {file_format!r}, must be one of {', '.join(FORMATS)}")
    if file_format == "AIR" and device_target != "Ascend":
        raise UserError(
            f"file_format AIR needs device_target Ascend, not {device_target}: MindSpore writes AIR on "
            "Ascend hardware only; MINDIR and ONNX can be exported anywhere"
        )
