"""The network, under the model zoo's name."""

from crnn_mindspore.networks.crnn import CRNN, VGG

__all__ = ["CRNN", "VGG"]
