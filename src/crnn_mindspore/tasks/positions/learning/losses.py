"""Losses of positions: cross entropy, smoothed or not, focal, and harmonised gradients."""

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.positions.layout import Layout

LOSSES = ("cross_entropy", "focal", "ghm")

_ABSENT = -1e4  # added to the scores of classes that a position lacks: their probability is exactly 0
_LEAST = 1e-6  # of what is raised to a power: at 0 the gradient of a power below 1 is infinite


class PositionsLoss(nn.Cell):
    """Cross entropy: mean over the images of the sum over the positions of weight * -log p(class).

    An image's sum is the negative log-probability of what its label knows of it. A position that is open
    adds nothing, and no gradient. The mean is over all images, open or not: so the batches of several
    processes, and accumulated ones, make the gradient of one large batch.

    Args:
        layout: The positions, with the weight and the classes of each.
        smoothing: Share of the truth that is spread evenly over the classes of the position, 0 to below 1.

    Inputs:
        logits (T, N, K) float, not normalised; targets (N, T) int32, -1 where open.

    Returns:
        A scalar float32.

    Raises:
        UserError: If `smoothing` is out of range.

    Source: label smoothing of Szegedy et al. 2016, section 7.
    """

    def __init__(self, layout: Layout, smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= smoothing < 1:
            raise UserError(f"label smoothing is {smoothing}, must be from 0 to below 1")
        mask = layout.mask[:, None]  # (T,1,K)
        shares = smoothing * mask / mask.sum(axis=2, keepdims=True)
        self.smoothing = smoothing
        self.num_classes = layout.num_classes
        self.absent = Tensor(np.where(mask, 0, _ABSENT).astype(np.float32))
        self.shares = Tensor(shares.astype(np.float32))
        self.weights = Tensor(layout.weights[:, None])  # (T,1)
        self.set_train(True)

    def construct(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self.losses(logits, targets).sum(axis=0).mean()

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The weighted loss of every position of every image, (T, N) float32; 0 where open."""
        ids = targets.astype(ms.int32).swapaxes(0, 1)  # (N,T) -> (T,N)
        is_known = (ids >= 0).astype(ms.float32)
        truths = ops.one_hot(
            ops.maximum(ids, 0), self.num_classes, ops.ones((), ms.float32), ops.zeros((), ms.float32)
        )
        if self.smoothing > 0:
            truths = (1 - self.smoothing) * truths + self.shares
        log_probs = ops.log_softmax(logits.astype(ms.float32) + self.absent, -1)
        terms = self.factors(ops.exp(log_probs), truths, is_known) * truths * log_probs
        return -terms.sum(-1) * is_known * self.weights

    def factors(self, probabilities: Tensor, truths: Tensor, is_known: Tensor) -> Tensor:
        """What the cross entropy of every class is multiplied by, (T, N, K) or what is broadcast to it.

        Args:
            probabilities: (T, N, K).
            truths: (T, N, K), 1 at the true class and 0 elsewhere, or smoothed.
            is_known: (T, N), 1 or 0 where open.
        """
        return ops.ones_like(probabilities)


class FocalLoss(PositionsLoss):
    """Cross entropy times alpha * |truth - p| ** gamma, which is small where the network is right already.

    Args:
        layout: See `PositionsLoss`.
        gamma: 0 leaves the cross entropy.
        alpha: A constant factor.
        smoothing: See `PositionsLoss`.

    Raises:
        UserError: If a value is out of range.

    Source: Lin et al. 2017, section 3, for several classes.
    """

    def __init__(
        self, layout: Layout, gamma: float = 2.0, alpha: float = 1.0, smoothing: float = 0.0
    ) -> None:
        super().__init__(layout, smoothing)
        if gamma < 0 or alpha <= 0:
            raise UserError(f"focal loss: gamma is {gamma}, must be 0 or above, alpha is {alpha}, above 0")
        self.gamma, self.alpha = gamma, alpha

    def factors(self, probabilities: Tensor, truths: Tensor, is_known: Tensor) -> Tensor:
        """See `PositionsLoss.factors`."""
        return self.alpha * ops.pow(ops.maximum(ops.abs(truths - probabilities), _LEAST), self.gamma)


class HarmonizedLoss(PositionsLoss):
    """Cross entropy divided by the density of the gradient's size (GHM): what many classes share counts less.

    |truth - p| of every class of every known position falls into one of `bins` bins between 0 and 1. A moving
    average of their counts, `counts`, belongs to the state of a training; it moves with every batch while the
    cell is in training mode, in which it is made, and stays in evaluation. The densities count as constants
    when the loss is differentiated.

    Args:
        layout: See `PositionsLoss`.
        bins: Number of bins.
        momentum: Share of the old counts that stays in the moving average, 0 to below 1.
        is_joint: One histogram over all positions; otherwise each position has its own.
        is_scaled: Whether the quotient is multiplied by the number of labels a bin, as the paper has it: the
            loss then does not shrink as the batch grows. The program named below leaves that factor out.
        smoothing: See `PositionsLoss`.

    Raises:
        UserError: If a value is out of range.

    Source: Li et al. 2019, Gradient Harmonized Single-stage Detector, sections 3.2 and 3.3; over all classes
    of a position, as in zheng-yuwei/multi-label-classification.
    """

    def __init__(
        self,
        layout: Layout,
        bins: int = 30,
        momentum: float = 0.75,
        is_joint: bool = False,
        is_scaled: bool = True,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__(layout, smoothing)
        if bins < 1 or not 0 <= momentum < 1:
            raise UserError(
                f"GHM: bins is {bins}, must be 1 or above, momentum {momentum}, from 0 to below 1"
            )
        self.bins, self.momentum, self.is_scaled = bins, momentum, is_scaled
        mask = layout.mask
        self.groups = 1 if is_joint else len(layout)
        first_bins = np.zeros(len(layout)) if is_joint else np.arange(len(layout)) * bins
        classes = mask.sum(axis=1, keepdims=True)
        self.own = Tensor(mask[:, None].astype(np.float32))  # (T,1,K)
        self.first_bins = Tensor(first_bins.astype(np.int32)[:, None, None])
        # What the counts of a group add up to, times this, is the number of labels a bin.
        even = 1 / (bins * (classes.mean(keepdims=True) if is_joint else classes))
        self.even = Tensor(even.astype(np.float32))  # (groups,1)
        self.counts = Parameter(
            Tensor(np.zeros((self.groups, bins), np.float32)), "counts", requires_grad=False
        )

    def factors(self, probabilities: Tensor, truths: Tensor, is_known: Tensor) -> Tensor:
        """See `PositionsLoss.factors`."""
        sizes = ops.stop_gradient(ops.abs(truths - probabilities))
        places = ops.minimum((sizes * self.bins).astype(ms.int32), self.bins - 1) + self.first_bins
        places = places.reshape(-1)  # of the flat counts
        counts = self.counts.value()
        if self.training:
            counted = (is_known.expand_dims(-1) * self.own).reshape(-1)
            fresh = ops.unsorted_segment_sum(counted, places, self.groups * self.bins)
            counts = self.momentum * counts + (1 - self.momentum) * fresh.reshape(self.groups, self.bins)
            counts = ops.depend(counts, ops.assign(self.counts, counts))
        factors = 1 / ops.maximum(
            counts, 1 - self.momentum
        )  # no bin that is asked for counts less than one class
        if self.is_scaled:
            factors = factors * counts.sum(axis=1, keepdims=True) * self.even
        return ops.stop_gradient(ops.gather(factors.reshape(-1), places, 0).reshape(sizes.shape))


def create_loss(
    name: str,
    layout: Layout,
    smoothing: float = 0.0,
    gamma: float = 2.0,
    alpha: float = 1.0,
    bins: int = 30,
    momentum: float = 0.75,
    is_joint: bool = False,
) -> PositionsLoss:
    """A loss by its name.

    Args:
        name: One of `LOSSES`.
        layout: The positions.
        smoothing: Of all; see `PositionsLoss`.
        gamma: See `FocalLoss`.
        alpha: See `FocalLoss`.
        bins: See `HarmonizedLoss`.
        momentum: See `HarmonizedLoss`.
        is_joint: See `HarmonizedLoss`.

    Raises:
        UserError: If the name is unknown or a value out of range.
    """
    if name == "cross_entropy":
        return PositionsLoss(layout, smoothing)
    if name == "focal":
        return FocalLoss(layout, gamma, alpha, smoothing)
    if name == "ghm":
        return HarmonizedLoss(layout, bins, momentum, is_joint, smoothing=smoothing)
    raise UserError(f"loss is {name!r}, must be one of {', '.join(LOSSES)}")
