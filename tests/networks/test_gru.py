"""GRU layers: their values and gradients against NumPy, for lengths that are known and that are not."""

import mindspore as ms
import numpy as np
import numpy.typing as npt
import pytest
from mindspore import Tensor, nn, ops

from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.networks.gru import allow_any_length, create_gru

pytestmark = pytest.mark.slow

INPUTS, UNITS = 5, 4
Floats = npt.NDArray[np.float64]


class Layer(nn.Cell):
    """The layer's outputs alone."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = create_gru(INPUTS, UNITS)

    def construct(self, x: Tensor) -> Tensor:
        y, _ = self.rnn(x)
        return y


def sequence(steps: int, batch: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(steps).normal(0, 1, (steps, batch, INPUTS)).astype(np.float32)


def created() -> tuple[Layer, dict[str, Floats]]:
    initialize("CPU")
    layer = Layer()
    rng = np.random.default_rng(0)
    weights = {}
    for parameter in layer.get_parameters():
        values = rng.normal(0, 1, parameter.shape)
        weights[parameter.name.removeprefix("rnn.")] = values
        parameter.set_data(Tensor(values.astype(np.float32)))
    return layer, weights


def expected(x: npt.NDArray[np.generic], weights: dict[str, Floats]) -> Floats:
    """(T,N,in) -> (T,N,2*units), one unit of the recurrence after another, in float64."""

    def sigmoid(v: Floats) -> Floats:
        return 1 / (1 + np.exp(-v))

    found = np.zeros((*x.shape[:2], 2 * UNITS))
    for place, direction in enumerate(("l0", "l0_reverse")):
        w, u, b, c = (
            weights[f"{name}_{direction}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        for n in range(x.shape[1]):
            h = np.zeros(UNITS)
            for t in range(len(x)) if place == 0 else reversed(range(len(x))):
                (wr, wz, wn), (ur, uz, un) = np.split(w @ x[t, n] + b, 3), np.split(u @ h + c, 3)
                update = sigmoid(wz + uz)
                h = (1 - update) * np.tanh(wn + sigmoid(wr + ur) * un) + update * h
                found[t, n, place * UNITS : (place + 1) * UNITS] = h
    return found


def test_outputs_are_those_of_the_definition_whether_the_length_is_known_or_not() -> None:
    layer, weights = created()
    for x in (sequence(6, 3), sequence(1, 2)):
        np.testing.assert_allclose(layer(Tensor(x)).asnumpy(), expected(x, weights), atol=2e-5)
    layer, weights = created()
    allow_any_length(layer)
    layer.set_inputs(Tensor(shape=[None, None, INPUTS], dtype=ms.float32))
    for x in (sequence(6, 3), sequence(1, 2), sequence(40, 1)):
        np.testing.assert_allclose(layer(Tensor(x)).asnumpy(), expected(x, weights), atol=2e-5)


def test_gradients_are_differences_of_the_definition() -> None:
    layer, weights = created()
    x = sequence(5, 2)
    share = np.random.default_rng(9).normal(0, 1, (5, 2, 2 * UNITS))

    def loss(images: Tensor) -> Tensor:
        return (layer(images) * Tensor(share.astype(np.float32))).sum()

    parameters = layer.trainable_params()
    _, gradients = ops.value_and_grad(loss, None, parameters)(Tensor(x))
    for parameter, gradient in zip(parameters, gradients, strict=True):
        values = weights[parameter.name.removeprefix("rnn.")]
        place = np.unravel_index(values.size // 2, values.shape)
        sums = []
        for sign in (1, -1):
            values[place] += sign * 1e-5
            sums.append((expected(x, weights) * share).sum())
            values[place] -= sign * 1e-5
        difference = (sums[0] - sums[1]) / 2e-5
        assert gradient.asnumpy()[place] == pytest.approx(difference, rel=1e-3, abs=1e-4), parameter.name
