"""ResNet-18 and the character network: scores against NumPy, sizes, costs, masks, dropout, freezing."""

import itertools
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops
from positions_reference import Reference, randomize

from crnn_mindspore.engines.mindspore.parameters import network_weights
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.character_net import CharacterNet
from crnn_mindspore.networks.half_precision import set_precision
from crnn_mindspore.networks.image_network import ImageNetwork
from crnn_mindspore.networks.resnet import ResNet18

pytestmark = pytest.mark.slow

TINY = 1 / 16  # 4, 8, 16, 32 channels
POSITIONS, CLASSES = 3, 5
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 1, 1, 0]], bool)


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


def make(kind: str, mask: np.ndarray | None = None, scale: float = TINY, **options: Any) -> ImageNetwork:
    """A network by the name that tests give it: v1 and v2 are ResNets."""
    if kind == "character":
        return CharacterNet(POSITIONS, CLASSES, mask, scale, **options)
    return ResNet18(POSITIONS, CLASSES, mask, kind, scale, **options)


def reference(
    kind: str,
    weights: dict,
    images: np.ndarray,
    is_training: bool = False,
    stem: tuple[int, bool] = (2, True),
) -> np.ndarray:
    run = Reference(weights, is_training)
    if kind == "character":
        return run.character_net(images, POSITIONS)
    return run.resnet18(images, POSITIONS, stem)


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


SIZES = [
    ("v1", (2, 3, 48, 144), {}),
    ("v1", (1, 3, 1, 1), {}),
    ("v1", (3, 1, 37, 61), {"in_channels": 1, "last_channels": 64}),
    ("v1", (2, 3, 17, 30), {"stem": (1, True)}),
    ("v1", (2, 3, 17, 30), {"stem": (1, False)}),
    ("v2", (2, 3, 24, 94), {}),
    ("v2", (1, 3, 17, 30), {"stem": (2, False)}),
    ("v2", (2, 1, 33, 15), {"in_channels": 1, "last_channels": 1024}),
    ("character", (3, 1, 64, 64), {}),
    ("character", (2, 3, 16, 16), {"in_channels": 3, "image_size": (16, 16)}),
    ("character", (2, 1, 40, 71), {"image_size": (40, 71)}),
]


@pytest.mark.parametrize(("kind", "shape", "options"), SIZES)
def test_scores_equal_a_numpy_computation(kind: str, shape: tuple, options: dict) -> None:
    network = make(kind, **options).set_train(False)
    weights, images = randomize(network), pictures(*shape)
    expected = reference(
        kind, weights, images, **{name: options[name] for name in ("stem",) if name in options}
    )
    found = network(Tensor(images))
    assert (found.dtype, found.shape) == (ms.float32, (POSITIONS, shape[0], CLASSES))
    assert np.ptp(expected) > 1  # a comparison of zeros would show nothing
    np.testing.assert_allclose(found.asnumpy(), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "shape"), [("v1", (4, 3, 48, 96)), ("v2", (4, 3, 48, 96)), ("character", (6, 1, 64, 64))]
)
@pytest.mark.parametrize("scale", [TINY, 1 / 4])  # the second takes Winograd's convolutions too
def test_in_training_batch_norm_takes_the_batch_and_learns_its_statistics(
    kind: str, shape: tuple, scale: float
) -> None:
    network = make(kind, scale=scale).set_train(True)
    weights, images = randomize(network), pictures(*shape)
    expected = reference(kind, weights, images, is_training=True)
    np.testing.assert_allclose(network(Tensor(images)).asnumpy(), expected, atol=2e-3)
    changed = [n for n, a in network_weights(network).items() if not np.array_equal(a, weights[n])]
    assert {n.rsplit(".", 1)[1] for n in changed} == {"moving_mean", "moving_variance"}


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_one_compiled_resnet_takes_any_batch_and_size(kind: str) -> None:
    network = make(kind).set_train(False).accept_any_shape()
    weights = randomize(network)
    for shape in ((1, 3, 24, 94), (5, 3, 48, 144), (2, 3, 7, 7)):
        images = pictures(*shape)
        expected = reference(kind, weights, images)
        np.testing.assert_allclose(network(Tensor(images)).asnumpy(), expected, atol=1e-4)


def test_one_compiled_character_network_takes_any_batch() -> None:
    network = make("character").set_train(False).accept_any_shape()
    weights = randomize(network)
    for count in (1, 5):
        images = pictures(count, 1, 64, 64)
        expected = reference("character", weights, images)
        np.testing.assert_allclose(network(Tensor(images)).asnumpy(), expected, atol=1e-4)


# --- costs ---


def conv_bn(inputs: int, outputs: int, kernel: int = 3) -> int:
    """Trained parameters of a convolution with batch norm."""
    return inputs * outputs * kernel**2 + 2 * outputs


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_number_of_parameters_is_that_of_the_layers(scale: float) -> None:
    widths = [int(scale * c) for c in (64, 128, 256, 512)]
    v1 = conv_bn(3, widths[0]) + 4 * conv_bn(widths[0], widths[0])
    for before, width in itertools.pairwise(widths):
        v1 += conv_bn(before, width) + 3 * conv_bn(width, width) + conv_bn(before, width, 1)
    head = (widths[3] + 1) * POSITIONS * CLASSES
    # v2: no batch norm in stem and shortcuts; a block has one over its input instead of one over its output.
    v2 = v1 - 2 * widths[0] - 2 * sum(widths[1:]) - 2 * 2 * sum(widths)
    v2 += 2 * (2 * widths[0] + sum(widths[:3]) + sum(widths[1:])) + 2 * widths[3]
    convs = [int(scale * c) for c in (64, 128, 256, 512, 512)]
    units = int(1024 * scale)
    character = conv_bn(1, convs[0]) + sum(conv_bn(a, b) for a, b in itertools.pairwise(convs))
    character += 16 * convs[4] * units + 2 * units + (units + 1) * POSITIONS * CLASSES
    for kind, expected in (("v1", v1 + head), ("v2", v2 + head), ("character", character)):
        network = make(kind, scale=scale)
        assert sum(p.size for p in network.trainable_params()) == expected, kind


@pytest.mark.parametrize(
    ("kind", "scale", "size", "expected"),
    [
        ("v1", 1.0, (48, 144), 264e6),
        ("v2", 0.5, (48, 144), 67e6),
        ("v1", 0.25, (48, 144), 17e6),
        ("v1", 1.0, (24, 94), 91e6),
        ("character", 1.0, (64, 64), 388e6),  # 392 with 3,755 classes
    ],
)
def test_an_image_costs_the_multiplications_that_were_computed_by_hand(
    kind: str, scale: float, size: tuple, expected: float
) -> None:
    network = make(kind, scale=scale)
    run = Reference(network_weights(network))
    count = run.character_net if kind == "character" else run.resnet18
    count(pictures(1, 1 if kind == "character" else 3, *size), POSITIONS)
    assert run.macs == pytest.approx(expected, rel=0.02)


# --- training ---


class Loss(nn.Cell):
    """Cross entropy of each image's position, its own class."""

    def __init__(self, network: nn.Cell, targets: np.ndarray) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.targets = network, Tensor(targets.astype(np.int32))

    def construct(self, images: Tensor) -> Tensor:
        return ops.cross_entropy(self.network(images).reshape(-1, CLASSES), self.targets)


def gradients(network: ImageNetwork, images: np.ndarray) -> dict[str, np.ndarray]:
    """Of the loss with class 1 everywhere, which every position of the mask has."""
    targets = np.ones(POSITIONS * len(images))
    parameters = network.trainable_params()
    found = ops.grad(Loss(network, targets), None, parameters)(Tensor(images))
    return {p.name: g.asnumpy() for p, g in zip(parameters, found, strict=True)}


KINDS = [("v1", (4, 3, 48, 96)), ("v2", (4, 3, 48, 96)), ("character", (4, 1, 64, 64))]


@pytest.mark.parametrize(("kind", "shape"), KINDS)
def test_gradients_reach_every_parameter(kind: str, shape: tuple) -> None:
    network = make(kind).set_train(True)
    found = gradients(network, pictures(*shape))
    assert len(found) == len(network.trainable_params())
    assert [name for name, gradient in found.items() if not np.abs(gradient).max() > 0] == []


@pytest.mark.parametrize(("kind", "shape"), KINDS)
def test_a_class_that_a_position_lacks_has_no_probability_and_no_gradient(kind: str, shape: tuple) -> None:
    network, plain = (make(kind, mask).set_train(False) for mask in (MASK, None))
    weights = randomize(network)
    randomize(plain)
    images = Tensor(pictures(*shape))
    scores, without = network(images).asnumpy(), plain(images).asnumpy()
    present = np.broadcast_to(MASK[:, None], scores.shape)
    np.testing.assert_array_equal(scores[present], without[present])
    probabilities = ops.softmax(Tensor(scores), -1).asnumpy()
    assert (probabilities[~present] == 0).all()
    rows = gradients(network, pictures(*shape))["head.dense.weight"].reshape(POSITIONS, CLASSES, -1)
    assert (rows[~MASK] == 0).all()
    assert (np.abs(rows[MASK]).max(axis=1) > 0).all()
    assert set(weights) == {p.name for p in plain.get_parameters()}  # the mask is none of the parameters


@pytest.mark.parametrize(("kind", "shape"), KINDS)
def test_frozen_features_stay_as_they_are_and_the_rest_learns(kind: str, shape: tuple) -> None:
    network = make(kind)
    weights = randomize(network)
    network.freeze_features().set_train(True)
    images = pictures(*shape)
    last = {n for n in weights if n.startswith("head.")}
    assert set(gradients(network, images)) == {p.name for p in network.changing_parameters()} == last
    after = network_weights(network)
    assert all(np.array_equal(after[n], weights[n]) for n in weights if n not in last)
    expected = reference(kind, weights, images)  # nothing depends on the batch
    np.testing.assert_allclose(network(Tensor(images)).asnumpy(), expected, atol=1e-4)


def test_dropout_zeroes_what_the_mask_says_and_scales_the_rest() -> None:
    network = make("character", dropout=0.25).set_train(False)
    weights, images = randomize(network), pictures(3, 1, 64, 64)
    (keep,) = network.dropout_masks(3, 64, np.random.default_rng(1))
    assert (keep.dtype, keep.shape) == (np.bool_, (3, 64))
    assert 0 < keep.sum() < keep.size
    expected = Reference(weights).character_net(images, POSITIONS, keep / 0.75)
    np.testing.assert_allclose(network(Tensor(images), Tensor(keep)).asnumpy(), expected, atol=1e-4)
    assert np.abs(network(Tensor(images)).asnumpy() - expected).max() > 1e-2
    again = network.dropout_masks(3, 64, np.random.default_rng(1))[0]
    np.testing.assert_array_equal(again, keep)  # chance comes from the generator alone


def test_a_fifth_is_dropped_in_the_character_network_alone_and_only_if_wanted() -> None:
    rng = np.random.default_rng(1)
    (keep,) = make("character").dropout_masks(2048, 64, rng)
    assert keep.mean() == pytest.approx(0.8, abs=0.006)  # 131,072 draws: five standard deviations
    assert make("character", dropout=0).dropout_masks(32, 64, rng) == ()
    assert make("v1").dropout_masks(32, 144, rng) == ()


@pytest.mark.parametrize(
    ("kind", "shape"), [("v1", (1, 3, 32, 32)), ("v2", (1, 3, 32, 32)), ("character", (1, 1, 64, 64))]
)
def test_a_batch_of_one_small_image_leaves_finite_statistics(kind: str, shape: tuple) -> None:
    network = make(kind).set_train(True)
    gradients(network, pictures(*shape))
    assert all(np.isfinite(array).all() for array in network_weights(network).values())


@pytest.mark.parametrize(("kind", "shape"), KINDS)
def test_a_half_precision_network_has_the_scores_of_the_full_one_to_its_digits(
    kind: str, shape: tuple
) -> None:
    full, half = make(kind, MASK), make(kind, MASK)
    set_precision(half, "O2")
    for network in (full, half):
        randomize(network)
        network.set_train(False)
    images = Tensor(pictures(*shape))
    expected, found = full(images), half(images)
    assert found.dtype == ms.float32
    present = np.broadcast_to(MASK[:, None], expected.shape)
    difference = np.abs(found.asnumpy() - expected.asnumpy())[present].max()
    assert 0 < difference < 0.02 * np.abs(expected.asnumpy()[present]).max()
    assert {p.dtype for p in half.get_parameters()} == {ms.float32}
    half.set_train(True)
    assert all(np.isfinite(g).all() for g in gradients(half, pictures(*shape)).values())


def test_a_network_starts_as_documented() -> None:
    ms.set_seed(1)
    for network in (ResNet18(8, 42), CharacterNet(1, 3755)):
        weights = network_weights(network)
        head = weights["head.dense.weight"]
        assert head.std() == pytest.approx(0.01, rel=0.02)
        assert not weights["head.dense.bias"].any()
        kernel = next(a for n, a in weights.items() if a.shape == (512, 512, 3, 3))
        assert kernel.std() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.02)  # fan out
        assert {float(np.ptp(a)) for n, a in weights.items() if n.endswith(("gamma", "beta"))} == {0.0}


# --- what is refused ---


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("v3", {}, "resnet_block is 'v3', must be one of v1, v2"),
        ("v1", {"stem": (3, True)}, "stem_stride is 3, must be 1 or 2"),
        ("v1", {"scale": 0.01}, r"channel_scale 0\.01 does not give whole channels"),
        ("v1", {"last_channels": 100}, r"channel_scale 0\.0625 does not give whole channels"),
        ("v2", {"in_channels": 4}, "in_channels is 4, must be 1 or 3"),
        ("character", {"in_channels": 2}, "in_channels is 2, must be 1 or 3"),
        ("character", {"scale": 0.3}, r"channel_scale 0\.3"),
        ("character", {"image_size": (64, 15)}, "image size 64x15: height and width must be at least 16"),
        ("character", {"dropout": 1.0}, r"dropout is 1\.0, must be from 0 to below 1"),
        ("v1", {"mask": MASK[:2]}, r"shape \(2, 5\), 3 positions of 5 classes"),
        ("character", {"mask": MASK & np.array([[1], [0], [1]], bool)}, "position 1 .* has no class"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused_with_the_value(
    kind: str, options: dict, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make(kind, **options)
