"""The unrolled LSTM against MindSpore's operator and against NumPy; one checkpoint for both."""

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from conftest import TinyModel
from mindspore import Tensor, nn, ops
from reference import crnn_logits

from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.engines.choices import AscendChoices
from crnn_mindspore.engines.mindspore.parameters import load_weights, network_weights
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.networks.crnn import CRNN
from crnn_mindspore.networks.half_precision import set_precision
from crnn_mindspore.networks.lstm import CELLS, LSTM, computes_in_half, hyperbolic_tangent, set_lstm_kernel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


class Weighted(nn.Cell):
    """A number that every output of an LSTM has its own share of."""

    def __init__(self, lstm: LSTM, shares: np.ndarray) -> None:
        super().__init__(auto_prefix=False)
        self.lstm, self.shares = lstm, Tensor(shares)

    def construct(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(x)
        return (y * self.shares).sum()


@pytest.mark.parametrize(("steps", "count"), [(24, 5), (1, 1), (7, 2)])
def test_outputs_and_gradients_equal_the_operators(steps: int, count: int) -> None:
    rng = np.random.default_rng(steps)
    x = Tensor(rng.normal(0, 1, (steps, count, 12)).astype(np.float32))
    shares = (rng.normal(0, 1, (steps, count, 16)) / (steps * count)).astype(np.float32)
    ms.set_seed(3)
    operator = LSTM(12, 8)
    unrolled = LSTM(12, 8)
    load_weights(unrolled, network_weights(operator), "the other")
    set_lstm_kernel(unrolled, CELLS)
    np.testing.assert_allclose(unrolled(x)[0].asnumpy(), operator(x)[0].asnumpy(), atol=1e-5)
    gradients = []
    for lstm in (operator, unrolled):
        grad = ops.value_and_grad(Weighted(lstm, shares), 0, lstm.trainable_params())
        _, (of_input, of_parameters) = grad(x)
        gradients.append([of_input, *of_parameters])
    assert len(gradients[0]) == 9
    assert np.abs(gradients[0][0].asnumpy()).max() > 1e-3
    for found, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), atol=1e-5)


def test_the_tangent_has_float32s_digits() -> None:
    x = np.linspace(-12, 12, 1001, dtype=np.float32)
    found = hyperbolic_tangent(Tensor(x))
    np.testing.assert_allclose(found.asnumpy(), np.tanh(x.astype(np.float64)), atol=3e-6)
    half = hyperbolic_tangent(Tensor(x.astype(np.float16)))
    assert half.dtype == ms.float16
    np.testing.assert_allclose(half.asnumpy(), np.tanh(x), atol=2e-3)


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_a_checkpoint_moves_between_both(version: str, tiny_models: dict[str, TinyModel]) -> None:
    model = tiny_models[version]
    images = np.random.default_rng(1).normal(0, 1, (3, 3, 32, 100)).astype(np.float32)
    found = []
    for kernel in ("operator", "cells"):
        backend = open_backend(str(model.checkpoint), "CPU", choices=AscendChoices(lstm_kernel=kernel))
        layers = [cell for _, cell in backend.network.cells_and_names() if isinstance(cell, LSTM)]
        assert {layer.is_unrolled for layer in layers} == {kernel == "cells"}
        assert network_weights(backend.network).keys() == model.weights.keys()
        found.append(backend.forward(images))
    np.testing.assert_allclose(found[1], found[0], atol=1e-5, rtol=0)
    np.testing.assert_allclose(found[1], crnn_logits(images, model.weights, version), atol=1e-4)


def test_on_ascend_the_operator_alone_is_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crnn_mindspore.networks.half_precision.is_lstm_broken", lambda *_: True)
    found = {}
    for kernel in ("operator", "cells"):
        network = CRNN(4, 8, "V2", 1 / 16)
        assert not computes_in_half(network)
        set_lstm_kernel(network, kernel)
        set_precision(network, "O0")
        found[kernel] = computes_in_half(network)
    assert found == {"operator": True, "cells": False}
    set_precision(network, "O2")
    assert computes_in_half(network)


def test_the_difference_that_half_precision_makes_is_small(
    monkeypatch: pytest.MonkeyPatch, tiny_models: dict[str, TinyModel], tmp_path: Path
) -> None:
    monkeypatch.setattr("crnn_mindspore.networks.half_precision.is_lstm_broken", lambda *_: True)
    model = tiny_models["V2"]
    images = np.random.default_rng(1).normal(0, 1, (3, 3, 32, 100)).astype(np.float32)
    expected = crnn_logits(images, model.weights, "V2")
    difference = np.abs(open_backend(str(model.checkpoint), "CPU").forward(images) - expected).max()
    assert 1e-6 < difference < 2e-3 * np.ptp(expected)
