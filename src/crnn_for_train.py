"""The training step, under the model zoo's name."""

from crnn_mindspore.training.updates.step import CRNNForTrain

__all__ = ["CRNNForTrain"]
