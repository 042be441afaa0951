"""The CTC loss as a cell."""

import mindspore as ms
from mindspore import Tensor, nn, ops


class CTCLoss(nn.Cell):
    """Mean over the batch of the negative log-probability of the targets, summed over all CTC paths.

    Args:
        blank: Class id of the blank.

    Inputs:
        logits (T, N, C) float, not normalised; targets (N, L) int32, rows padded with any class id;
        target_lengths (N,) int32. All T time steps are read.

    Returns:
        A scalar float32. A target that cannot be emitted in T steps adds 0 instead of infinity
        (data sets drop such words before training, with a reason).

    Source: Graves et al. 2006, "Connectionist Temporal Classification", section 4.1.
    """

    def __init__(self, blank: int) -> None:
        super().__init__()
        self.blank = blank

    def construct(self, logits: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        return ctc_losses(logits, targets, target_lengths, self.blank).mean()


class CTCLosses(nn.Cell):
    """The loss of each image, (N,) float32; see `CTCLoss`."""

    def __init__(self, blank: int) -> None:
        super().__init__()
        self.blank = blank

    def construct(self, logits: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        return ctc_losses(logits, targets, target_lengths, self.blank)


def ctc_losses(logits: Tensor, targets: Tensor, target_lengths: Tensor, blank: int) -> Tensor:
    """The loss of each image, (N,) float32; see `CTCLoss`."""
    log_probs = ops.log_softmax(logits.astype(ms.float32), axis=-1)
    input_lengths = ops.fill(ms.int32, (logits.shape[1],), logits.shape[0])
    losses, _ = ops.ctc_loss(
        log_probs,
        targets,
        input_lengths,
        target_lengths,
        blank=blank,
        reduction="none",
        zero_infinity=True,
    )
    # On CPU zero_infinity clears the gradients alone.
    return ops.where(ops.isinf(losses), ops.zeros_like(losses), losses)


class UnreadShare(nn.Cell):
    """Share of images whose best class is the blank at every time step; logits (T,N,C) -> scalar float32."""

    def __init__(self, blank: int) -> None:
        super().__init__(auto_prefix=False)
        self.blank = blank

    def construct(self, logits: Tensor) -> Tensor:
        is_blank = ops.stop_gradient(logits).argmax(axis=-1) == self.blank  # (T,N)
        return ops.amin(is_blank.astype(ms.float32), axis=0).mean()
