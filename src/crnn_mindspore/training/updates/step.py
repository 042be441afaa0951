"""One training step: gradients -> all-reduce -> clip by global norm -> penalty -> update."""

from collections.abc import Callable
from typing import Any, Protocol

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, amp, nn, ops


class Scaler(Protocol):
    """Keeps small gradients from vanishing in half precision: those of `mindspore.amp`."""

    scale_value: Parameter

    def scale(self, inputs: Any) -> Any:
        """Tensors times the scale."""

    def unscale(self, inputs: Any) -> Any:
        """Tensors divided by the scale."""

    def adjust(self, grads_finite: Tensor) -> Any:
        """Adapts the scale to whether the gradients were finite."""


class NetworkWithLoss(nn.Cell):
    """Network and loss as one function of a batch."""

    def __init__(self, network: nn.Cell, loss: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.loss = loss

    def construct(self, images: Tensor, targets: Tensor, target_lengths: Tensor, *masks: Tensor) -> Tensor:
        return self.loss(self.network(images, *masks), targets, target_lengths)


class GradientSum(nn.Cell):
    """Adds up the gradients of several batches; `__call__` takes one batch in and returns its loss.

    Args:
        forward_backward: A batch -> (scaled loss, loss, ...), gradients of the first.
        parameters: What the gradients are for.
    """

    def __init__(self, forward_backward: Callable[..., Any], parameters: ParameterTuple) -> None:
        super().__init__(auto_prefix=False)
        self.forward_backward = forward_backward
        self.sums = parameters.clone(prefix="gradient_sum", init="zeros")

    def construct(self, *batch: Tensor) -> Tensor:
        found, gradients = self.forward_backward(*batch)
        for i in range(len(self.sums)):
            ops.assign_add(self.sums[i], gradients[i])
        return found[1]

    def finish(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The sums with these last gradients in them; the next ones start from zero."""
        totals: tuple[Tensor, ...] = ()
        for i in range(len(self.sums)):
            totals += (self.sums[i] + gradients[i],)
            ops.assign(self.sums[i], ops.zeros_like(self.sums[i]))
        return totals


class NetworkWithReading(NetworkWithLoss):
    """The scaled loss, to be differentiated; beside it the loss, and shares of images: unread, read right."""

    def __init__(
        self,
        network: nn.Cell,
        loss: nn.Cell,
        unread: nn.Cell,
        accuracy: nn.Cell | None,
        scaler: Scaler | None,
    ) -> None:
        super().__init__(network, loss)
        self.unread = unread
        self.accuracy = accuracy
        self.scaler = scaler

    def construct(
        self, images: Tensor, targets: Tensor, target_lengths: Tensor, *masks: Tensor
    ) -> tuple[Tensor, ...]:
        logits = self.network(images, *masks)
        loss = self.loss(logits, targets, target_lengths)
        scaled = loss if self.scaler is None else self.scaler.scale(loss)
        found: tuple[Tensor, ...] = (scaled, loss, self.unread(logits))
        if self.accuracy is not None:
            found += (self.accuracy(logits, targets),)
        return found


class CRNNForTrain(nn.Cell):
    """Runs one optimiser update.

    With `accumulate_steps` above 1, the batches of an update but the last are given to `accumulate`; the
    update is made with the mean of all their gradients, and leaves nothing of them for the next.

    Args:
        network: Images -> logits.
        loss: (logits, targets, target_lengths) -> scalar.
        unread: Logits -> the share of images of which nothing is read, a scalar.
        optimizer: Its parameters are the ones trained; its learning rate is set from outside, each step.
        clip_norm: Gradients are scaled so that their global norm is at most this; 0 leaves them.
        is_distributed: Average the gradients over all processes, once an update, before clipping.
        accumulate_steps: Batches that make one update.
        scaler: Scales the loss before it is differentiated and the gradients back, and adapts itself. With
            one, an update whose gradients are not finite is not made.
        checks_status: With a scaler: overflow is looked for by `mindspore.amp.all_finite`, in every process,
            before gradients are exchanged; else in their norm. The first Ascend 910 computes on with the
            largest number and raises a flag, which that function asks for and clears; so does 910B in
            saturation mode. The flag is a process's own, so that all have to be told.
        accuracy: (logits, targets) -> the share of images that are read right, a scalar; None: not computed.
        penalty: Gradients, clipped -> gradients with those of a penalty on weights; None: there is none.

    Inputs:
        images (N,3,H,W) float32, targets (N,L) int32, target_lengths (N,) int32; then any further inputs of
        the network, such as masks of dropout.

    Returns:
        Of the network before the update, each float32: the loss, the global norm of the gradients before
        clipping (infinite where their status says that they overflowed), the share of images of which nothing
        is read, and with `accuracy` the share read right; the shares are those of the last batch of the
        update, of this process alone.
    """

    def __init__(
        self,
        network: nn.Cell,
        loss: nn.Cell,
        unread: nn.Cell,
        optimizer: nn.Optimizer,
        clip_norm: float = 10.0,
        is_distributed: bool = False,
        accumulate_steps: int = 1,
        scaler: Scaler | None = None,
        accuracy: nn.Cell | None = None,
        checks_status: bool = False,
        penalty: nn.Cell | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.scaler = scaler
        self.checks_status = checks_status
        self.sum_over_ranks = ops.AllReduce() if is_distributed and checks_status else None
        self.optimizer = optimizer
        self.penalty = penalty
        self.parameters = optimizer.parameters
        self.clip_norm = clip_norm
        self.forward_backward = ops.value_and_grad(
            NetworkWithReading(network, loss, unread, accuracy, scaler), None, self.parameters, has_aux=True
        )
        self.accumulate_steps = accumulate_steps
        self.gradient_sum = (
            GradientSum(self.forward_backward, self.parameters) if accumulate_steps > 1 else None
        )
        self.reducer = nn.DistributedGradReducer(self.parameters) if is_distributed else None

    def accumulate(self, *batch: Tensor) -> Tensor:
        """Takes the gradients of a batch before the last of an update; returns its loss."""
        if self.gradient_sum is None:
            raise RuntimeError("accumulate_steps is 1: every batch is an update")
        return self.gradient_sum(*batch)

    def construct(
        self, images: Tensor, targets: Tensor, target_lengths: Tensor, *masks: Tensor
    ) -> tuple[Tensor, ...]:
        found, gradients = self.forward_backward(images, targets, target_lengths, *masks)
        loss, shares = found[1], found[2:]
        if self.gradient_sum is not None:
            totals = self.gradient_sum.finish(gradients)
            gradients = scale_all(totals, Tensor(1 / self.accumulate_steps, ms.float32))
        overflows = Tensor(0.0, ms.float32)
        if self.scaler is not None:
            if self.checks_status:
                overflows = 1 - amp.all_finite(gradients).astype(ms.float32)
                if self.sum_over_ranks is not None:
                    overflows = self.sum_over_ranks(overflows)
            gradients = self.scaler.unscale(gradients)
        if self.reducer is not None:
            gradients = self.reducer(gradients)
        norm = global_norm(gradients)
        if self.checks_status:
            norm = ops.where(overflows > 0, Tensor(float("inf"), ms.float32), norm)
        if self.clip_norm > 0:
            scale = self.clip_norm / ops.maximum(norm, Tensor(self.clip_norm, ms.float32))
            gradients = scale_all(gradients, scale)
        if self.scaler is None:
            return ops.depend(loss, self._update(gradients)), norm, *shares
        is_finite = ops.isfinite(norm)
        if is_finite:
            loss = ops.depend(loss, self._update(gradients))
        return ops.depend(loss, self.scaler.adjust(is_finite)), norm, *shares

    def _update(self, gradients: tuple[Tensor, ...]) -> Tensor:
        if self.penalty is not None:
            gradients = self.penalty(gradients)
        return self.optimizer(gradients)


class WeightAverage(nn.Cell):
    """Exponential moving average of all parameters, batch norm statistics included.

    The averages are parameters of their own, named `ema.` + name, and start as copies.

    Args:
        parameters: What is averaged.
        decay: Share of the old average that stays at each step, 0 < decay < 1. The first steps use
            (1 + step) / (10 + step) where that is smaller, so that the random start is soon forgotten.
    """

    def __init__(self, parameters: list[Parameter], decay: float) -> None:
        super().__init__(auto_prefix=False)
        self.decay = decay
        self.sources = ParameterTuple(parameters)
        self.averages = ParameterTuple(
            [Parameter(p.value().copy(), name=f"ema.{p.name}", requires_grad=False) for p in parameters]
        )

    def restart(self) -> None:
        """Makes the averages copies of the parameters again."""
        for source, average in zip(self.sources, self.averages, strict=True):
            average.set_data(source.value().copy())

    def update(self, step: int) -> None:
        """Takes the parameters after update number `step` (from 0) into the average."""
        self(Tensor(min(self.decay, (1 + step) / (10 + step)), ms.float32))

    def construct(self, decay: Tensor) -> Tensor:
        for i in range(len(self.sources)):
            ops.assign(self.averages[i], self.averages[i] * decay + self.sources[i] * (1 - decay))
        return decay


def global_norm(tensors: tuple[Tensor, ...]) -> Tensor:
    """Square root of the sum of all squares, float32."""
    total = Tensor(0.0, ms.float32)
    for tensor in tensors:
        # Summed by rows first: on CPUs, the sum over everything at once takes five times as long.
        rows = ops.square(tensor.astype(ms.float32)).reshape(tensor.shape[0], -1)
        total = total + rows.sum(-1).sum()
    return ops.sqrt(total)


def scale_all(tensors: tuple[Tensor, ...], scale: Tensor) -> tuple[Tensor, ...]:
    """Every tensor times one number, in the tensor's own type."""
    scaled: tuple[Tensor, ...] = ()
    for tensor in tensors:
        scaled += (tensor * scale.astype(tensor.dtype),)
    return scaled
