"""What the processes of one training tell each other beside their gradients."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from crnn_mindspore.errors import UserError

Floats = npt.NDArray[np.float32]
Result = TypeVar("Result")

_EXACT = 1 << 24  # whole numbers below are exact in float32, the one type that every platform adds up


class Sum(nn.Cell):
    """Adds up a tensor over all processes."""

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.all_reduce = ops.AllReduce()

    def construct(self, values: Tensor) -> Tensor:
        return self.all_reduce(values)


class MeanOfParameters(nn.Cell):
    """Sets parameters to their mean over all processes, in one exchange with the mean of some numbers.

    Args:
        parameters: float32.
        world_size: Number of processes.
    """

    def __init__(self, parameters: Sequence[Parameter], world_size: int) -> None:
        super().__init__(auto_prefix=False)
        self.parameters = ParameterTuple(parameters)
        self.share = 1 / world_size
        self.all_reduce = ops.AllReduce()

    def construct(self, values: Tensor) -> Tensor:
        """(K,) numbers of this process -> their means."""
        flat: tuple[Tensor, ...] = (values,)
        for parameter in self.parameters:
            flat += (parameter.reshape(-1),)
        means = self.all_reduce(ops.concat(flat)) * self.share
        start = values.shape[0]
        for parameter in self.parameters:
            end = start + parameter.size
            ops.assign(parameter, means[start:end].reshape(parameter.shape))
            start = end
        return means[: values.shape[0]]


class Ranks:
    """All processes of a training; with one process, everything is its own.

    Every method is called by all processes at the same place, or they wait for each other for ever.

    Args:
        rank: This process, 0..world_size-1.
        world_size: Number of processes.
        statistics: What each process computes from its own images and all are to share, float32: the moving
            means and variances of batch norm, the moving averages of a loss.
    """

    def __init__(self, rank: int = 0, world_size: int = 1, statistics: Sequence[Parameter] = ()) -> None:
        self.rank = rank
        self.world_size = world_size
        self._sum = Sum() if world_size > 1 else None
        self._mean = MeanOfParameters(statistics, world_size) if world_size > 1 else None

    def after_update(self, *values: float) -> list[float]:
        """The means of the values over all processes; the statistics become their means too.

        The statistics are a moving average, so the mean of those of all processes is the moving average of
        the mean: what one process would have that saw all the images in as many parts. Done after every
        update, all processes are equal to the last bit at any time, and so is whatever is saved.
        """
        if self._mean is None:
            return list(values)
        means: Floats = self._mean(Tensor(np.array(values, np.float32))).asnumpy()
        return [float(value) for value in means]

    def sum(self, values: npt.NDArray[np.generic]) -> Floats:
        """The sum over all processes, float32."""
        own = values.astype(np.float32)
        if self._sum is None:
            return own
        total: Floats = self._sum(Tensor(own)).asnumpy()
        return total

    def any(self, is_so: bool) -> bool:
        """Whether it is so in any process."""
        return bool(self.sum(np.array([is_so]))[0] > 0)

    def wait(self) -> None:
        """Returns when all processes have come here."""
        self.any(False)

    def check_same(self, facts: Mapping[str, int]) -> None:
        """Checks that all processes agree on whole numbers.

        Raises:
            UserError: In every process, naming the first fact and the processes that differ.
        """
        if self.world_size == 1:
            return
        parts = [divmod(value, _EXACT) for value in facts.values()]
        table = np.zeros((self.world_size, len(parts), 2))
        table[self.rank] = parts
        gathered = self.sum(table).astype(np.int64)  # each process fills in its own row
        values = gathered[..., 0] * _EXACT + gathered[..., 1]  # (world_size, facts)
        for name, column in zip(facts, values.T, strict=True):
            other = int(np.argmax(column != column[0]))
            if other:
                raise UserError(
                    f"rank {other} has another {name} than rank 0: {column[other]}, not {column[0]}; all "
                    "processes must see the same data, options and checkpoints"
                )

    def share_forward(self, forward: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
        """Images (N,3,H,W) -> logits (T,N,C), each process computing a part and all getting the whole."""
        if self.world_size == 1:
            return forward

        def shared(images: Floats) -> Floats:
            count = len(images)
            per_rank = -(-count // self.world_size)
            first = min(self.rank * per_rank, count)
            own = images[first : first + per_rank]
            logits = forward(own if len(own) else images[:1])
            whole = np.zeros((logits.shape[0], count, logits.shape[2]), np.float32)  # (T,N,C)
            whole[:, first : first + len(own)] = logits[:, : len(own)]
            return self.sum(whole)

        return shared

    def run_on_main(self, work: Callable[[Callable[[], None]], Result]) -> Result | None:
        """Runs something on rank 0 alone, however long it takes; None on the others, which wait.

        Communication gives up when a process does not answer for too long (on CPUs after half a minute), so
        the others ask again and again.

        Args:
            work: Is given a function to call every few seconds, which answers them.
        """
        if self.rank > 0:
            while self.any(False):
                pass
            return None

        def answer() -> None:
            self.any(True)

        result = work(answer)
        self.any(False)
        return result
