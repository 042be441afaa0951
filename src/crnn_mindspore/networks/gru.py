"""GRU layers for sequences of any length.

Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
Translation" (2014), section 2.3, with the reset gate behind the matrix product, as PyTorch has it.
"""

import mindspore as ms
from mindspore import Tensor, nn, ops

from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.cpu import ReverseTime, is_cpu
from crnn_mindspore.networks.lstm import hyperbolic_tangent

_ASCEND_UNITS = 16  # Ascend's kernel takes multiples of it


def create_gru(input_size: int, hidden_size: int) -> nn.GRU:
    """One bidirectional GRU layer over (T,N,input_size); gates are stored as reset, update, new.

    Raises:
        UserError: If the device cannot compute so many units.
    """
    if ms.get_context("device_target") == "Ascend" and hidden_size % _ASCEND_UNITS:
        raise UserError(f"hidden_size is {hidden_size}; GRU on Ascend needs a multiple of {_ASCEND_UNITS}")
    gru = nn.GRU(input_size, hidden_size, num_layers=1, bidirectional=True)
    if is_cpu():
        gru.rnn = GRUSteps()
        gru.reverse = ReverseTime()
    return gru


class GRUSteps(nn.Cell):
    """One direction of a GRU, step by step; takes the place of MindSpore's own on CPUs.

    That one needs to know the number of steps when the graph is compiled, and multiplies the input of every
    step by itself; forward and backward of 26 steps of 64 images take it 430 ms, this 210 ms (512 inputs, 256
    units, one core of an AMD EPYC).

    Attributes:
        is_any_length: Whether the graph loops over steps whose number is not known; such a graph gives no
            gradients.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_any_length = False

    def construct(
        self,
        x: Tensor,
        h: Tensor,
        seq_length: Tensor | None,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
    ) -> tuple[Tensor, Tensor]:
        # (T,N,in), (N,H), None, (3H,in), (3H,H), (3H,), (3H,) -> (T,N,H), (N,H)
        steps, batch, size = x.shape
        hidden = w_hh.shape[1]
        kernel = w_hh.astype(x.dtype).T
        bias = b_hh.astype(x.dtype)
        given = ops.matmul(x.reshape(-1, size), w_ih.astype(x.dtype).T) + b_ih.astype(x.dtype)
        given = given.reshape(-1, batch, 3 * hidden)  # (T*N,3H) -> (T,N,3H)
        if self.is_any_length:
            return self._loop(given, h, kernel, bias)
        outputs = []
        for t in range(steps):
            h = _gru_step(given[t], h, kernel, bias)
            outputs.append(h)
        return ops.stack(outputs), h

    def _loop(self, given: Tensor, h: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        hidden = kernel.shape[0]
        outputs = given[:, :, :hidden] * 0  # (T,N,H), to be filled
        steps = given.shape[0]
        t = ops.zeros((), ms.int32)
        while t < steps:
            h = _gru_step(ops.gather(given, t, 0), h, kernel, bias)
            outputs = ops.tensor_scatter_update(outputs, t.reshape(1, 1), h.expand_dims(0))
            t = t + 1
        return outputs, h


def _gru_step(given: Tensor, h: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """(N,3H) of the input, (N,H) -> (N,H)."""
    own = ops.matmul(h, kernel) + bias
    hidden = kernel.shape[0]
    reset_in, update_in, new_in = ops.split(given, hidden, -1)
    reset_own, update_own, new_own = ops.split(own, hidden, -1)
    new = hyperbolic_tangent(new_in + ops.sigmoid(reset_in + reset_own) * new_own)
    return new + ops.sigmoid(update_in + update_own) * (h - new)


def allow_any_length(network: nn.Cell) -> None:
    """Has a network's GRU layers take sequences whose length is not known when the graph is compiled."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, GRUSteps):
            cell.is_any_length = True
