"""The CTC loss, under the model zoo's name."""

from crnn_mindspore.networks.ctc_loss import CTCLoss

__all__ = ["CTCLoss"]
