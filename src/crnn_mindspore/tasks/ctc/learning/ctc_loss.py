"""The CTC loss as a cell, by either of MindSpore's operators."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from crnn_mindspore.engines.mindspore.ascend import CTC_LOSS, OLDER_CTC_LOSS


class CTCLosses(nn.Cell):
    """The negative log-probability of each target, summed over all CTC paths.

    Args:
        blank: Class id of the blank, the last.
        operator: `ctc_loss`, or `CTCLoss`, the older one, with which CRNN is trained on Ascend: it takes
            labels as a sparse matrix. Here every label has all its columns, those past its end hold the
            blank, which the operator takes for the end: so shapes are fixed.

    Inputs:
        logits (T, N, C) float, not normalised; targets (N, L) int32, rows padded with any class id;
        target_lengths (N,) int32. All T time steps are read.

    Returns:
        (N,) float32. The loss of a target that cannot be emitted in T steps is 0 instead of infinity
        (data sets drop such words before training, with a reason).

    Source: Graves et al. 2006, "Connectionist Temporal Classification", section 4.1.
    """

    def __init__(self, blank: int, operator: str = CTC_LOSS) -> None:
        super().__init__()
        self.blank = blank
        self.is_older = operator == OLDER_CTC_LOSS
        self.older = ops.CTCLoss(ctc_merge_repeated=True, ignore_longer_outputs_than_inputs=True)

    def construct(self, logits: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        if self.is_older:
            return self._by_older(logits, targets, target_lengths)
        return ctc_losses(logits, targets, target_lengths, self.blank)

    def _by_older(self, logits: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """In float32, by `ops.CTCLoss`."""
        steps, count = logits.shape[0], targets.shape[0]
        columns = targets.shape[1]
        is_label = ops.arange(columns) < target_lengths[:, None]
        values = ops.where(is_label, targets, self.blank).astype(ms.int32).reshape(-1)
        lengths = ops.fill(ms.int32, (count,), steps)
        losses, _ = self.older(logits.astype(ms.float32), label_places(count, columns), values, lengths)
        return ops.where(ops.isinf(losses), ops.zeros_like(losses), losses)


class CTCLoss(CTCLosses):
    """Their mean over the batch, a scalar float32."""

    def construct(self, logits: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        return super().construct(logits, targets, target_lengths).mean()


@ms.constexpr
def label_places(count: int, columns: int) -> Tensor:
    """(count * columns, 2) int64: row and column of every place of a full matrix of labels."""
    rows, places = np.divmod(np.arange(count * columns), columns)
    return Tensor(np.stack([rows, places], axis=1).astype(np.int64))


def ctc_losses(logits: Tensor, targets: Tensor, target_lengths: Tensor, blank: int) -> Tensor:
    """The loss of each image, (N,) float32; see `CTCLosses`."""
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
