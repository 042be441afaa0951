"""The one way ONNX Runtime is imported here."""

import importlib
import os
from typing import Any

TELEMETRY = "ORT_DISABLE_TELEMETRY"


def import_onnx_runtime(module: str = "onnxruntime") -> Any:
    """ONNX Runtime, or a module of it, with its reports to its maker switched off.

    Official builds look up the maker's host from the import on, and queue an identifier of the device, the
    interpreter's path and the machine in the user's cache. The variable is read by that import: a program
    that imports ONNX Runtime before this package sets it itself. A value that is set already stays.

    Raises:
        ImportError: If it is not installed.

    Source: "Disabling Telemetry" in Privacy.md of the package onnxruntime.
    """
    os.environ.setdefault(TELEMETRY, "1")
    return importlib.import_module(module)
