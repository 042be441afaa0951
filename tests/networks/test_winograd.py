"""Winograd's convolution against NumPy and against MindSpore's direct one; where the network uses it."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops
from reference import convolution

from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.networks.cpu import ReverseTime, WinogradConv, allow_any_size, axis_transforms, is_faster
from crnn_mindspore.networks.crnn import CRNN
from crnn_mindspore.networks.fitted_winograd import FittedWinogradConv, fitting_tile
from crnn_mindspore.tasks.ctc.learning.ctc_loss import CTCLoss
from crnn_mindspore.training.updates.step import NetworkWithLoss

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


class Direct(nn.Cell):
    """MindSpore's own 3x3 convolution."""

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.convolve = ops.Conv2D(out_channels, 3, pad_mode="pad", pad=1)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        return self.convolve(x, weight)


class Gradients(nn.Cell):
    """Those of a convolution, with respect to image and weight."""

    def __init__(self, cell: nn.Cell) -> None:
        super().__init__()
        self.cell = cell
        self.gradient = ops.GradOperation(get_all=True, sens_param=True)

    def construct(self, x: Tensor, weight: Tensor, sensitivity: Tensor) -> tuple[Tensor, ...]:
        return self.gradient(self.cell)(x, weight, sensitivity)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), [(4, 25), (8, 25), (2, 6), (1, 1), (5, 7), (10, 3)])
def test_it_is_the_convolution_whatever_the_size(height: int, width: int) -> None:
    x, weight = random(2, 3, height, width), random(5, 3, 3, 3, seed=1)
    found = WinogradConv()(Tensor(x), Tensor(weight)).asnumpy()
    np.testing.assert_allclose(found, convolution(x, weight, padding=1), atol=2e-5)


MAPS = [(12, 36), (6, 18), (3, 9), (2, 5), (64, 8), (1, 1), (7, 10)]


@pytest.mark.parametrize(("height", "width"), MAPS)
def test_tiles_that_fit_the_map_give_the_convolution_and_its_gradients(height: int, width: int) -> None:
    x, weight, sensitivity = random(2, 3, height, width), random(5, 3, 3, 3), random(2, 5, height, width)
    found = FittedWinogradConv()(Tensor(x), Tensor(weight)).asnumpy()
    expected = convolution(x, weight, padding=1)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    arguments = [Tensor(a) for a in (x, weight, sensitivity)]
    for own, other in zip(
        Gradients(FittedWinogradConv())(*arguments), Gradients(Direct(5))(*arguments), strict=True
    ):
        direct = other.asnumpy()
        np.testing.assert_allclose(own.asnumpy(), direct, atol=1e-5 * np.abs(direct).max())


def test_the_tile_of_an_axis_is_the_one_that_multiplies_least() -> None:
    # 9 pixels: five tiles of 2 take 20 multiplications, three of 3 15, three of 4 18.
    assert [fitting_tile(size) for size in (1, 2, 3, 5, 6, 9, 12, 64)] == [2, 2, 3, 3, 3, 3, 4, 4]


@pytest.mark.parametrize(("height", "width"), [(4, 25), (8, 9)])
def test_its_gradients_are_those_of_the_direct_convolution(height: int, width: int) -> None:
    x, weight, sensitivity = random(2, 3, height, width), random(5, 3, 3, 3), random(2, 5, height, width)
    arguments = [Tensor(a) for a in (x, weight, sensitivity)]
    for found, expected in zip(
        Gradients(WinogradConv())(*arguments), Gradients(Direct(5))(*arguments), strict=True
    ):
        np.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), atol=5e-5)


def test_a_tile_makes_two_values_of_the_textbook_example() -> None:
    # Four pixels and the filter (1, 1, 1), in one dimension: sums of three neighbours, zeros beyond the ends.
    to_tiles, to_pixels = axis_transforms(4)
    kernel = np.array([1, 1.5, 0.5, 1])  # the paper's G times (1, 1, 1)
    tiles = np.einsum("vtp,p->vt", to_tiles, [1, 2, 3, 4])
    assert np.einsum("vtp,vt->p", to_pixels, tiles * kernel[:, None]).tolist() == [3, 6, 9, 7]


@pytest.mark.parametrize(
    ("width", "in_channels", "out_channels", "expected"),
    [
        (25, 512, 512, True),
        (25, 256, 256, True),
        (25, 3, 64, False),
        (25, 16, 16, False),
        (500, 512, 512, False),
    ],
)
def test_it_is_used_for_many_channels_and_narrow_images(width, in_channels, out_channels, expected) -> None:
    assert is_faster(width, in_channels, out_channels) == expected


def test_the_network_trains_alike_with_it_and_without() -> None:
    images = Tensor(np.random.default_rng(1).uniform(-1, 1, (4, 3, 32, 40)).astype(np.float32))
    targets, lengths = Tensor(np.full((4, 9), 5, np.int32)), Tensor(np.full(4, 3, np.int32))
    ms.set_seed(1)
    networks = [CRNN(37, 16, channel_scale=0.5) for _ in range(2)]
    for source, copy in zip(networks[0].get_parameters(), networks[1].get_parameters(), strict=True):
        copy.set_data(source.value().copy())
    results = []
    allow_any_size(networks[1])
    for network in networks:
        network.set_train(True)
        run = ops.value_and_grad(NetworkWithLoss(network, CTCLoss(36)), None, network.trainable_params())
        loss, gradients = run(images, targets, lengths)
        results.append([loss.asnumpy(), *(g.asnumpy() for g in gradients)])
    is_equal = [np.array_equal(a, b) for a, b in zip(*results, strict=True)]
    assert not all(is_equal)  # the two did compute in different ways
    for found, expected in zip(*results, strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, atol=1e-4 * scale + 1e-7)


def test_evaluation_computes_directly_and_any_size_may_be_trained() -> None:
    network = CRNN(37, 16, channel_scale=0.5)
    network.set_train(False)
    images = Tensor(np.random.default_rng(2).uniform(-1, 1, (3, 3, 32, 60)).astype(np.float32))
    expected = network(images).asnumpy()
    network.accept_any_shape()
    np.testing.assert_array_equal(network(images).asnumpy(), expected)
    network.set_train(True)
    assert network(images[:2]).shape == (14, 2, 37)
    assert network(images[:, :, :, :48]).shape == (11, 3, 37)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_time_is_reversed(steps: int) -> None:
    x = random(steps, 2, 3)
    np.testing.assert_array_equal(ReverseTime()(Tensor(x)).asnumpy(), x[::-1])
