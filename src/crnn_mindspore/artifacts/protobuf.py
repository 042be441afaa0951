"""The one way protobuf is imported here."""

import os


def prepare_protobuf() -> None:
    """Call before the first import of `google.protobuf` or `onnx` in a process.

    MindSpore's generated code works with protobuf's pure Python implementation only, and the first import
    decides for the whole process.
    """
    os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
