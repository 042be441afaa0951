"""The losses of positions and their gradients against sums written out in NumPy."""

from collections.abc import Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.learning.losses import (
    LOSSES,
    FocalLoss,
    HarmonizedLoss,
    PositionsLoss,
    create_loss,
)

pytestmark = pytest.mark.slow

LAYOUT = layout_of(
    {
        "text": ["ABCDE", {"classes": "AB", "weight": 2.0}, ["A", "B", ""]],
        "attributes": [{"name": "colour", "classes": ["red", "blue", "green", "white"], "weight": 0.5}],
    }
)
IMAGES = 6
TARGETS = np.array(
    [[0, 1, 2, 3], [4, -1, 0, -1], [-1, 0, 1, 0], [2, 1, -1, 1], [-1, -1, -1, -1], [3, 0, 2, 2]],
    dtype=np.int32,
)

Factor = Callable[
    [int, float], float
]  # a position and |truth - p| of one of its classes -> what to multiply by


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


def scores(seed: int, spread: float = 2.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, (4, IMAGES, 5)).astype(np.float32)


def walk(logits: np.ndarray, smoothing: float):
    """(position, image, class, truth, probability) of every class of every known position."""
    for t, position in enumerate(LAYOUT.positions):
        count = len(position.classes)
        for n in range(IMAGES):
            if TARGETS[n, t] < 0:
                continue
            shares = np.exp(logits[t, n, :count].astype(np.float64))
            for k, p in enumerate(shares / shares.sum()):
                yield t, n, k, (1 - smoothing) * (TARGETS[n, t] == k) + smoothing / count, p


def numpy_loss(logits: np.ndarray, factor: Factor, smoothing: float = 0.0) -> float:
    weights = [1.0, 2.0, 1.0, 0.5]
    terms = [-weights[t] * factor(t, abs(y - p)) * y * np.log(p) for t, _, _, y, p in walk(logits, smoothing)]
    return sum(terms) / IMAGES


def slopes(logits: np.ndarray, loss: Callable[[np.ndarray], float]) -> np.ndarray:
    """The gradient by central differences in float64."""
    logits, step = logits.astype(np.float64), 1e-6
    gradient = np.zeros_like(logits)
    for index in np.ndindex(*logits.shape):
        value = logits[index]
        logits[index] = value + step
        above = loss(logits)
        logits[index] = value - step
        gradient[index] = (above - loss(logits)) / (2 * step)
        logits[index] = value
    return gradient


Run = Callable[[np.ndarray], tuple[float, np.ndarray]]


def compiled(loss: nn.Cell) -> Run:
    """Scores to the loss and its gradient, compiled at the first call."""
    function = ops.value_and_grad(loss)

    def run(logits: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = function(Tensor(logits), Tensor(TARGETS))
        assert (value.shape, value.dtype) == ((), ms.float32)
        return float(value.asnumpy()), gradient.asnumpy()

    return run


def value_and_gradient(loss: nn.Cell, logits: np.ndarray) -> tuple[float, np.ndarray]:
    return compiled(loss)(logits)


def check(loss: nn.Cell, factor: Factor, smoothing: float = 0.0, seed: int = 1, spread: float = 2.0) -> None:
    logits = scores(seed, spread)
    value, gradient = value_and_gradient(loss, logits)
    assert value == pytest.approx(numpy_loss(logits, factor, smoothing), rel=1e-5)
    expected = slopes(logits, lambda changed: numpy_loss(changed, factor, smoothing))
    np.testing.assert_allclose(gradient, expected, atol=1e-5, rtol=1e-5)
    # Open positions, and classes that a position lacks: exactly nothing.
    assert not gradient[TARGETS.T < 0].any()
    assert not gradient[~np.broadcast_to(LAYOUT.mask[:, None], gradient.shape)].any()
    assert np.abs(gradient[TARGETS.T >= 0]).max() > 1e-3


@pytest.mark.parametrize(("smoothing", "spread"), [(0.0, 0.3), (0.0, 8.0), (0.005, 2.0), (0.3, 8.0)])
def test_cross_entropy(smoothing: float, spread: float) -> None:
    check(PositionsLoss(LAYOUT, smoothing), lambda t, size: 1.0, smoothing, spread=spread)


@pytest.mark.parametrize(("gamma", "alpha", "smoothing"), [(2, 1, 0), (0.5, 0.25, 0), (0, 3, 0), (2, 1, 0.1)])
def test_focal_loss(gamma: float, alpha: float, smoothing: float) -> None:
    check(FocalLoss(LAYOUT, gamma, alpha, smoothing), lambda t, size: alpha * size**gamma, smoothing)


def test_focal_loss_of_what_is_certain_has_a_finite_gradient() -> None:
    logits = np.zeros((4, IMAGES, 5), np.float32)
    for n, ids in enumerate(TARGETS):
        for t, i in enumerate(ids):
            logits[t, n, i] = 90.0  # p is 1, and 0 for all others
    value, gradient = value_and_gradient(FocalLoss(LAYOUT, gamma=0.5), logits)
    assert np.isfinite(value) and np.isfinite(gradient).all()


class Histograms:
    """The moving counts of GHM, by sorting into a dictionary."""

    def __init__(self, bins: int, momentum: float, is_joint: bool) -> None:
        self.bins, self.momentum, self.is_joint = bins, momentum, is_joint
        self.counts = np.zeros((1 if is_joint else 4, bins))

    def bin(self, size: float) -> int:
        return int(np.searchsorted(np.arange(1, self.bins) / self.bins, size, side="right"))

    def move(self, logits: np.ndarray, smoothing: float) -> None:
        fresh = np.zeros_like(self.counts)
        for t, _, _, y, p in walk(logits, smoothing):
            fresh[0 if self.is_joint else t, self.bin(abs(y - p))] += 1
        self.counts = self.momentum * self.counts + (1 - self.momentum) * fresh

    def factor(self, t: int, size: float, is_scaled: bool) -> float:
        row = self.counts[0 if self.is_joint else t]
        classes = np.mean([5, 2, 3, 4]) if self.is_joint else [5, 2, 3, 4][t]
        return (row.sum() / classes / self.bins if is_scaled else 1.0) / row[self.bin(size)]


@pytest.mark.parametrize(
    ("bins", "momentum", "smoothing", "is_joint", "is_scaled"),
    [
        (30, 0.75, 0, False, False),
        (30, 0.75, 0, True, True),
        (30, 0.75, 0, False, True),
        (5, 0.5, 0.1, True, False),
        (4, 0, 0, False, True),
    ],
)
def test_harmonized_loss_over_three_batches(
    bins: int, momentum: float, smoothing: float, is_joint: bool, is_scaled: bool
) -> None:
    loss = HarmonizedLoss(LAYOUT, bins, momentum, is_joint, is_scaled, smoothing)
    histograms, run = Histograms(bins, momentum, is_joint), compiled(loss)
    for seed in range(3):
        logits = scores(seed)
        histograms.move(logits, smoothing)
        # The densities are constants of the gradient: those of where it is taken.
        factors = {
            (t, n, k): histograms.factor(t, abs(y - p), is_scaled)
            for t, n, k, y, p in walk(logits, smoothing)
        }

        def numpy_harmonized(changed: np.ndarray, factors: dict = factors) -> float:
            weights = [1.0, 2.0, 1.0, 0.5]
            terms = [
                -weights[t] * factors[t, n, k] * y * np.log(p) for t, n, k, y, p in walk(changed, smoothing)
            ]
            return sum(terms) / IMAGES

        value, gradient = run(logits)
        assert value == pytest.approx(numpy_harmonized(logits), rel=1e-5)
        np.testing.assert_allclose(gradient, slopes(logits, numpy_harmonized), atol=1e-5, rtol=1e-5)
        assert not gradient[TARGETS.T < 0].any()
        np.testing.assert_allclose(loss.counts.asnumpy(), histograms.counts, rtol=1e-6)


def test_harmonized_loss_counts_once_a_batch_and_not_in_evaluation() -> None:
    loss = HarmonizedLoss(LAYOUT)
    assert [p.name for p in loss.get_parameters()] == ["counts"]
    assert loss.trainable_params() == []
    value_and_gradient(loss, scores(1))
    counts = loss.counts.asnumpy().copy()
    known = (TARGETS >= 0).sum(axis=0)
    assert counts.sum(axis=1) == pytest.approx(0.25 * known * [5, 2, 3, 4])
    run = compiled(loss.set_train(False))
    assert run(scores(2))[0] == run(scores(2))[0]
    assert np.array_equal(loss.counts.asnumpy(), counts)


def test_harmonized_loss_goes_on_from_stored_counts() -> None:
    whole, resumed = HarmonizedLoss(LAYOUT), HarmonizedLoss(LAYOUT)
    value_and_gradient(whole, scores(1))
    resumed.counts.set_data(Tensor(whole.counts.asnumpy()))
    expected, found = (value_and_gradient(loss, scores(2)) for loss in (whole, resumed))
    assert expected[0] == found[0]
    assert np.array_equal(expected[1], found[1])
    assert expected[0] != value_and_gradient(HarmonizedLoss(LAYOUT), scores(2))[0]


def test_with_one_bin_the_scaled_loss_is_the_cross_entropy_for_each_class() -> None:
    logits = scores(1)
    per_position = (
        PositionsLoss(LAYOUT).losses(Tensor(logits), Tensor(TARGETS)).asnumpy().sum(axis=1) / IMAGES
    )
    own, _ = value_and_gradient(HarmonizedLoss(LAYOUT, 1), logits)
    joint, _ = value_and_gradient(HarmonizedLoss(LAYOUT, 1, is_joint=True), logits)
    assert own == pytest.approx((per_position / [5, 2, 3, 4]).sum(), rel=1e-5)
    assert joint == pytest.approx(per_position.sum() / 3.5, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_by_its_name_in_half_precision_and_with_masked_scores(name: str) -> None:
    logits = np.where(LAYOUT.mask[:, None], scores(4), -1e4).astype(np.float32)
    value, gradient = value_and_gradient(create_loss(name, LAYOUT), logits)
    half = logits.astype(np.float16)
    other, half_gradient = value_and_gradient(create_loss(name, LAYOUT), half)
    unmasked, _ = value_and_gradient(create_loss(name, LAYOUT), scores(4))
    assert unmasked == pytest.approx(value, rel=1e-6)
    assert half_gradient.dtype == np.float16
    assert other == pytest.approx(value, rel=0.02)
    assert np.isfinite(gradient).all()


def test_open_positions_whatever_their_scores_change_nothing() -> None:
    logits = scores(5)
    changed = logits.copy()
    changed[TARGETS.T < 0] = 37.0
    for name in LOSSES:
        first, second = (value_and_gradient(create_loss(name, LAYOUT), x) for x in (logits, changed))
        assert first[0] == second[0]
        assert np.array_equal(first[1][TARGETS.T >= 0], second[1][TARGETS.T >= 0])


def test_a_batch_is_the_mean_of_its_halves() -> None:
    logits = scores(6)
    loss = create_loss("focal", LAYOUT)
    whole = float(loss(Tensor(logits), Tensor(TARGETS)).asnumpy())
    parts = [
        float(loss(Tensor(logits[:, s]), Tensor(TARGETS[s])).asnumpy()) for s in (slice(0, 3), slice(3, 6))
    ]
    assert whole == pytest.approx(np.mean(parts), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "hinge"}, "loss is 'hinge', must be one of cross_entropy, focal, ghm"),
        ({"name": "cross_entropy", "smoothing": 1.0}, "label smoothing is 1.0"),
        ({"name": "focal", "gamma": -1}, "gamma is -1"),
        ({"name": "focal", "alpha": 0}, "alpha is 0"),
        ({"name": "ghm", "bins": 0}, "bins is 0"),
        ({"name": "ghm", "momentum": 1.0}, "momentum 1.0"),
    ],
)
def test_an_impossible_loss_is_refused_with_its_value(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_loss(layout=LAYOUT, **options)
