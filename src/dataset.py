"""Data sets by name, under the model zoo's name."""

from crnn_mindspore.data.loading.datasets import create_dataset
from crnn_mindspore.data.readers.registry import load_samples

__all__ = ["create_dataset", "load_samples"]
