"""The options, under the model zoo's name."""

from crnn_mindspore.options.load import load_options

__all__ = ["load_options"]
