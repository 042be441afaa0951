"""Word accuracy, under the model zoo's name."""

from crnn_mindspore.evaluation.metric import CRNNAccuracy, create_protocol

__all__ = ["CRNNAccuracy", "create_protocol"]
