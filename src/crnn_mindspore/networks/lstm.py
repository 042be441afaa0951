"""The bidirectional LSTM layer: MindSpore's operator, or unrolled from matrix products."""

from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

OPERATOR, CELLS = "operator", "cells"
KERNELS = (OPERATOR, CELLS)


class LSTM(nn.LSTM):
    """One bidirectional LSTM layer over (T,N,input_size), with the parameters of `nn.LSTM`.

    Args:
        input_size: Features of a time step.
        hidden_size: Units of each direction.

    Attributes:
        is_unrolled: Whether it is computed as one matrix product a time step in place of MindSpore's
            operator. Time steps must be known when the graph is compiled then.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, num_layers=1, bidirectional=True)
        self.is_unrolled = False
        self.split_gates = ops.Split(axis=2, output_num=4)

    def construct(self, x: Tensor, hx: Any = None, seq_length: Any = None) -> tuple[Tensor, Any]:
        if self.is_unrolled:
            return self._unrolled(x), None
        return super().construct(x, hx, seq_length)

    def _unrolled(self, x: Tensor) -> Tensor:
        """(T,N,in) -> (T,N,2*hidden), both directions in one batched product a time step.

        Source: Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; gates in the order
        input, forget, cell, output, as `nn.LSTM` keeps them.
        """
        steps, count, features = x.shape
        size = self.hidden_size
        flat = x.reshape(-1, features)
        given: tuple[Tensor, ...] = ()
        recurrent: tuple[Tensor, ...] = ()
        for direction in range(2):
            bias = (self.b_ih_list[direction] + self.b_hh_list[direction]).astype(x.dtype)
            product = ops.matmul(flat, self.w_ih_list[direction].astype(x.dtype).T) + bias
            given += (product.reshape(steps, count, 4 * size),)
            recurrent += (self.w_hh_list[direction].astype(x.dtype).T,)
        weights = ops.stack(recurrent)  # (2,H,4H)
        hidden = ops.zeros((2, count, size), x.dtype)
        cell = ops.zeros((2, count, size), x.dtype)
        forward: tuple[Tensor, ...] = ()
        backward: tuple[Tensor, ...] = ()
        for step in range(steps):
            # Forward in time for the first direction, backward for the second.
            inputs = ops.stack((given[0][step], given[1][steps - 1 - step]))  # (2,N,4H)
            gates = inputs + ops.bmm(hidden, weights)
            enter, forget, fresh, leave = self.split_gates(gates)
            cell = ops.sigmoid(forget) * cell + ops.sigmoid(enter) * hyperbolic_tangent(fresh)
            hidden = ops.sigmoid(leave) * hyperbolic_tangent(cell)
            forward += (hidden[0],)
            backward = (hidden[1], *backward)
        return ops.concat((ops.stack(forward), ops.stack(backward)), 2)


def hyperbolic_tangent(x: Tensor) -> Tensor:
    """tanh to float32's digits: MindSpore 2.8's own is off by up to 1e-4 on CPUs, its sigmoid by 1e-6."""
    return 2 * ops.sigmoid(2 * x) - 1 if x.dtype == ms.float32 else ops.tanh(x)


def set_lstm_kernel(network: nn.Cell, kernel: str) -> None:
    """Chooses how a network's LSTM layers are computed; before it is compiled.

    Args:
        network: Any; one without LSTM layers stays as it is.
        kernel: `operator` or `cells`.
    """
    for _, part in network.cells_and_names():
        if isinstance(part, LSTM):
            part.is_unrolled = kernel == CELLS


def computes_in_half(network: nn.Cell) -> bool:
    """Whether any part of a network was told to compute in half precision."""
    return any(bool(cell.get_flags().get("fp16", False)) for _, cell in network.cells_and_names())
