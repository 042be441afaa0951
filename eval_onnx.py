"""Evaluates an ONNX model over ONNX Runtime, with every option of default_config.yaml."""

import sys

import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.cli.eval import main_onnx as main

if __name__ == "__main__":
    sys.exit(main())
