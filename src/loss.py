"""The CTC loss, under the model zoo's name; the package's own takes lengths instead of padding."""

import mindspore as ms
from mindspore import Tensor, nn, ops

from crnn_mindspore.tasks.ctc.learning.ctc_loss import ctc_losses

__all__ = ["CTCLoss"]


class CTCLoss(nn.LossBase):
    """The negative log-probability of each label, summed over all CTC paths; the blank is the last class.

    Args:
        max_sequence_length: Time steps that are read; further ones are left out.
        max_label_length: Not needed: a label ends where its padding begins.
        batch_size: Not needed: any number of images.

    Inputs:
        logit (T, N, C) float, not normalised; label (N, L) int32, rows padded with the blank.

    Returns:
        (N,) float32; 0 for a label that cannot be emitted in T steps. A training step adds them up.
    """

    def __init__(self, max_sequence_length: int, max_label_length: int, batch_size: int) -> None:
        del max_label_length, batch_size
        super().__init__(reduction="none")
        self.max_sequence_length = max_sequence_length

    def construct(self, logit: Tensor, label: Tensor) -> Tensor:
        logit = logit[: self.max_sequence_length]
        blank = logit.shape[2] - 1
        is_character = label < blank
        lengths = is_character.astype(ms.int32).sum(axis=1).astype(ms.int32)
        # The CPU kernel takes no label that has more characters than there are time steps.
        fits = lengths <= logit.shape[0]
        targets = ops.where(is_character, label, ops.zeros_like(label))
        losses = ctc_losses(logit, targets, ops.where(fits, lengths, ops.zeros_like(lengths)), blank)
        return ops.where(fits, losses, ops.zeros_like(losses))
