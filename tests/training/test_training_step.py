"""The loss, its gradients and the updates of one training step against NumPy."""

from collections.abc import Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops
from reference import (
    convolution,
    crnn_logits,
    global_norm,
    log_probabilities,
    paths_by_text,
    random_weights,
)
from update_rules import Adam, Rule, Sgd

from crnn_mindspore.engines.mindspore.parameters import load_weights, network_weights
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.crnn import CRNN, scaled_channels
from crnn_mindspore.tasks.ctc.learning.ctc_loss import CTCLoss, CTCLosses, UnreadShare
from crnn_mindspore.training.updates.optimizers import (
    create_optimizer,
    decay_of,
    set_learning_rate,
)
from crnn_mindspore.training.updates.step import CRNNForTrain, NetworkWithLoss, WeightAverage

pytestmark = pytest.mark.slow

CLASSES, BLANK, SCALE, HIDDEN = 4, 3, 1 / 32, 4  # convolutions of 2 to 16 channels
TARGETS = np.array([[0, 1, 0], [2, 2, 0], [1, 0, 0]], dtype=np.int32)  # rows padded with 0
LENGTHS = np.array([3, 2, 1], dtype=np.int32)
WIDTH = 24  # 5 time steps

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


def batch_images(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (3, 3, 32, WIDTH)).astype(np.float32)


def brute_force_loss(logits: np.ndarray) -> float:
    log_probs = log_probabilities(logits)
    total = 0.0
    for n, length in enumerate(LENGTHS):
        paths = paths_by_text(*log_probs[:, n].shape, BLANK)[tuple(TARGETS[n, :length].tolist())]
        total -= np.log(np.exp(log_probs[np.arange(len(log_probs)), n, paths].sum(axis=1)).sum())
    return total / len(LENGTHS)


@pytest.mark.parametrize("operator", ["ctc_loss", "CTCLoss"])
@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_ctc_loss_equals_the_sum_over_all_paths(spread: float, operator: str) -> None:
    logits = np.random.default_rng(1).normal(0, spread, (5, 3, CLASSES)).astype(np.float32)
    found = CTCLoss(BLANK, operator)(Tensor(logits), Tensor(TARGETS), Tensor(LENGTHS)).asnumpy()
    assert found == pytest.approx(brute_force_loss(logits), abs=1e-4)


@pytest.mark.parametrize("operator", ["ctc_loss", "CTCLoss"])
def test_ctc_loss_reads_the_true_lengths_and_not_the_padding(operator: str) -> None:
    logits = np.random.default_rng(2).normal(0, 1, (5, 3, CLASSES)).astype(np.float32)
    repadded = TARGETS.copy()
    repadded[1, 2], repadded[2, 1:] = 1, 2
    loss = CTCLoss(BLANK, operator)
    found = [loss(Tensor(logits), Tensor(t), Tensor(LENGTHS)).asnumpy() for t in (TARGETS, repadded)]
    assert found[0] == found[1]


@pytest.mark.parametrize("operator", ["ctc_loss", "CTCLoss"])
def test_ctc_loss_of_a_target_that_does_not_fit_is_zero_for_it(operator: str) -> None:
    logits = np.random.default_rng(3).normal(0, 1, (3, 2, CLASSES)).astype(np.float32)
    targets = np.array([[0, 0, 1], [0, 1, 2]], dtype=np.int32)  # the first needs 4 steps of 3
    arguments = Tensor(logits), Tensor(targets), Tensor(np.array([3, 3], np.int32))
    loss, gradient = ops.value_and_grad(CTCLoss(BLANK, operator))(*arguments)
    only_path = log_probabilities(logits)[range(3), 1, [0, 1, 2]].sum()
    assert loss.asnumpy() == pytest.approx(-only_path / 2, abs=1e-5)
    assert not gradient.asnumpy()[:, 0].any()
    assert np.isfinite(gradient.asnumpy()).all()


@pytest.mark.parametrize("half", [False, True])
def test_both_operators_have_the_same_losses_and_gradients(half: bool) -> None:
    rng = np.random.default_rng(4)
    steps, count, classes = 24, 6, 37
    logits = rng.normal(0, 3, (steps, count, classes)).astype(np.float16 if half else np.float32)
    targets = rng.integers(0, classes - 1, (count, steps)).astype(np.int32)
    lengths = np.array([1, 3, 5, 7, 10, 2], np.int32)
    targets[5, :2] = 4  # a letter twice
    arguments = Tensor(logits), Tensor(targets), Tensor(lengths)
    found = []
    for operator in ("ctc_loss", "CTCLoss"):
        losses = CTCLosses(classes - 1, operator)(*arguments)
        assert losses.dtype == ms.float32  # the sum over all paths needs it
        _, gradient = ops.value_and_grad(CTCLoss(classes - 1, operator))(*arguments)
        found.append((losses.asnumpy(), gradient.asnumpy()))
    (losses, gradient), (other_losses, other_gradient) = found
    np.testing.assert_allclose(other_losses, losses, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(other_gradient, gradient, atol=1e-4 if half else 1e-5)


@ms.constexpr
def note_type(kind: object) -> int:
    SEEN.append(str(kind))
    return 0


SEEN: list[str] = []


class Noting(nn.Cell):
    """Stands in for `ops.CTCLoss`: notes the type of its scores when it is compiled."""

    def __init__(self, **options: bool) -> None:
        super().__init__()
        assert options == {"ctc_merge_repeated": True, "ignore_longer_outputs_than_inputs": True}

    def construct(
        self, scores: Tensor, places: Tensor, values: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        note_type(scores.dtype)
        return scores.sum(axis=(0, 2)), scores


def test_the_older_operator_gets_float32_whatever_the_network_computes_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    SEEN.clear()
    monkeypatch.setattr(ops, "CTCLoss", Noting)
    scores = Tensor(np.ones((5, 3, CLASSES), np.float16))
    CTCLoss(BLANK, "CTCLoss")(scores, Tensor(TARGETS), Tensor(LENGTHS))
    assert SEEN == ["Float32"]


def test_images_of_which_nothing_is_read_are_those_with_blanks_at_every_step() -> None:
    logits = np.zeros((5, 4, CLASSES), np.float32)
    logits[:, :, BLANK] = 1.0
    assert float(UnreadShare(BLANK)(Tensor(logits)).asnumpy()) == 1.0
    logits[4, 1, 0] = 2.0  # one letter at the last step of the second image
    logits[:, 2, 1] = 2.0
    assert float(UnreadShare(BLANK)(Tensor(logits)).asnumpy()) == 0.5


def training_network(version: str) -> CRNN:
    network = CRNN(CLASSES, HIDDEN, version, SCALE, use_dropout=False)
    load_weights(network, random_weights(CLASSES, HIDDEN, scaled_channels(SCALE), version, seed=4), "test")
    return network.set_train(True)


class LinearNetwork(nn.Cell):
    """One dense layer on each of the first five columns: compiled in no time."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(6)
        self.fc = nn.Dense(3, CLASSES)
        self.fc.weight.set_data(Tensor(rng.normal(0, 3, (CLASSES, 3)).astype(np.float32)))
        self.fc.bias.set_data(Tensor(rng.normal(0, 1, CLASSES).astype(np.float32)))

    def construct(self, images: Tensor) -> Tensor:
        return self.fc(ops.transpose(images[:, :, 0, :5], (2, 0, 1)))  # (N,3,5) -> (5,N,3)


def inputs(images: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    return Tensor(images), Tensor(TARGETS), Tensor(LENGTHS)


def gradient_function(network: nn.Cell) -> Callable[..., tuple[float, Arrays]]:
    """What computes the loss and the gradient of every trained parameter, from its value at the time."""
    parameters = ms.ParameterTuple(network.trainable_params())
    run = ops.value_and_grad(NetworkWithLoss(network, CTCLoss(BLANK)), None, parameters)

    def compute(images: np.ndarray | None = None) -> tuple[float, Arrays]:
        loss, gradients = run(*inputs(batch_images() if images is None else images))
        return float(loss.asnumpy()), {
            p.name: g.asnumpy() for p, g in zip(parameters, gradients, strict=True)
        }

    return compute


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_loss_and_gradients_equal_finite_differences_of_the_numpy_network(version: str) -> None:
    network = training_network(version)
    weights = {n: a.astype(np.float64) for n, a in network_weights(network).items()}
    names = [p.name for p in network.trainable_params()]

    def numpy_loss() -> float:
        return brute_force_loss(crnn_logits(batch_images(), weights, version, is_training=True))

    loss, gradients = gradient_function(network)()
    assert loss == pytest.approx(numpy_loss(), abs=1e-4)
    rng, step = np.random.default_rng(5), 1e-7  # small, so that no ReLU or maximum changes sides
    for name in names:
        # The largest entry and a random one, so that no parameter passes on zeros alone.
        largest = int(np.abs(gradients[name]).argmax())
        for place in {largest, int(rng.integers(gradients[name].size))}:
            index = np.unravel_index(place, weights[name].shape)
            value = weights[name][index]
            weights[name][index] = value + step
            above = numpy_loss()
            weights[name][index] = value - step
            slope = (above - numpy_loss()) / (2 * step)
            weights[name][index] = value
            assert gradients[name][index] == pytest.approx(slope, abs=1e-4, rel=2e-3), (name, index)


NESTEROV = {"name": "sgd", "momentum": 0.95, "nesterov": True}


def is_decayed(name: str) -> bool:
    return name.endswith("weight") or ".weight_" in name


@pytest.mark.parametrize(
    ("create", "optimizer", "rule", "weight_decay", "clip_norm"),
    [
        pytest.param(lambda: training_network("V2"), NESTEROV, Sgd(0.95, True), 0.0, 0.5),
        (LinearNetwork, NESTEROV, Sgd(0.95, True), 0.01, 0.05),
        (LinearNetwork, NESTEROV | {"nesterov": False}, Sgd(0.95, False), 0.01, 0.0),
        (LinearNetwork, NESTEROV | {"momentum": 0.0}, Sgd(0.0, False), 0.0, 1000.0),
        (LinearNetwork, {"name": "adam"}, Adam(), 0.1, 0.05),
    ],
    ids=["crnn-clipped", "clipped-decayed", "momentum-decayed", "plain-sgd", "adam-clipped-decayed"],
)
def test_three_steps_equal_a_numpy_computation_from_the_same_gradients(
    create: Callable[[], nn.Cell],
    optimizer: dict,
    rule: Rule,
    weight_decay: float,
    clip_norm: float,
) -> None:
    network = create()
    names = [p.name for p in network.trainable_params()]
    gradients_now = gradient_function(network)
    built = create_optimizer(parameters=network.trainable_params(), weight_decay=weight_decay, **optimizer)
    step = CRNNForTrain(network, CTCLoss(BLANK), UnreadShare(BLANK), built, clip_norm)
    expected = {n: a.astype(np.float64) for n, a in network_weights(network).items() if n in names}
    steady = {n: np.ones(expected[n].shape, dtype=bool) for n in names}
    for rate in (0.05, 0.01, 0.02):
        loss_before, gradients = gradients_now()
        norm_before = global_norm(list(gradients.values()))
        scale = min(1.0, clip_norm / norm_before) if clip_norm else 1.0
        for name in names:
            # The penalty's gradient is added after clipping.
            gradient = scale * gradients[name] + (weight_decay * expected[name] if is_decayed(name) else 0.0)
            expected[name] = rule.update(name, expected[name], gradient, rate)
            if isinstance(rule, Adam):  # divides by the gradient's size: rounding decides where that is 0
                steady[name] &= np.abs(gradient) > 1e-3
        set_learning_rate(built, rate)
        readings = network(Tensor(batch_images())).asnumpy().argmax(axis=2)  # (T,N)
        loss, norm, unread = step(Tensor(batch_images()), Tensor(TARGETS), Tensor(LENGTHS))
        assert float(loss.asnumpy()) == pytest.approx(loss_before, abs=1e-5)
        assert float(norm.asnumpy()) == pytest.approx(norm_before, rel=1e-4)
        assert float(unread.asnumpy()) == pytest.approx((readings == BLANK).all(axis=0).mean())
        assert (scale < 1) == (0 < clip_norm < 1)  # the clipped cases clip, the others do not
        found = network_weights(network)
        for name in names:
            where = steady[name]
            np.testing.assert_allclose(found[name][where], expected[name][where], atol=2e-5, err_msg=name)
    assert np.mean(np.concatenate([where.ravel() for where in steady.values()])) > 0.6


@pytest.mark.parametrize("clip_norm", [0.0, 0.05])
def test_accumulated_batches_make_the_update_of_one_large_batch(clip_norm: float) -> None:
    count, momentum, rate = 2, 0.9, 0.1
    parts, whole = LinearNetwork(), LinearNetwork()
    gradients_now = gradient_function(parts)
    steps = {}
    for network, accumulate_steps in ((parts, count), (whole, 1)):
        optimizer = create_optimizer("sgd", network.trainable_params(), momentum=momentum)
        set_learning_rate(optimizer, rate)
        steps[network] = CRNNForTrain(
            network,
            CTCLoss(BLANK),
            UnreadShare(BLANK),
            optimizer,
            clip_norm,
            accumulate_steps=accumulate_steps,
        )
    rule = Sgd(momentum, nesterov=True)
    expected = {n: a.astype(np.float64) for n, a in network_weights(parts).items()}
    targets, lengths = np.tile(TARGETS, (count, 1)), np.tile(LENGTHS, count)
    for update in range(3):  # nothing of an update may be left for the next
        images = [batch_images(10 * update + k) for k in range(count)]
        by_batch = [gradients_now(image) for image in images]
        mean = {n: np.mean([gradients[n] for _, gradients in by_batch], axis=0) for n in expected}
        norm = global_norm(list(mean.values()))
        scale = min(1.0, clip_norm / norm) if clip_norm else 1.0
        for name, gradient in mean.items():
            expected[name] = rule.update(name, expected[name], scale * gradient, rate)
        losses = [float(steps[parts].accumulate(*inputs(images[0])).asnumpy())]
        loss, norm_of_parts, _ = steps[parts](*inputs(images[1]))
        losses.append(float(loss.asnumpy()))
        loss, norm_of_whole, _ = steps[whole](
            Tensor(np.concatenate(images)), Tensor(targets), Tensor(lengths)
        )
        assert losses == pytest.approx([loss for loss, _ in by_batch], abs=1e-5)
        assert np.mean(losses) == pytest.approx(float(loss.asnumpy()), abs=1e-5)
        assert float(norm_of_parts.asnumpy()) == pytest.approx(norm, rel=1e-4)
        assert float(norm_of_whole.asnumpy()) == pytest.approx(norm, rel=1e-4)
        for network in (parts, whole):
            for name, weight in network_weights(network).items():
                np.testing.assert_allclose(weight, expected[name], atol=1e-5, err_msg=name)
    for gradient_sum in steps[parts].gradient_sum.sums:
        assert not gradient_sum.asnumpy().any(), gradient_sum.name


def test_weights_decay_by_one_number_gamma_by_another_and_biases_by_none() -> None:
    names = [p.name for v in ("V1", "V2") for p in CRNN(CLASSES, HIDDEN, v, SCALE).trainable_params()]
    decays = {name: decay_of(name, 0.5, 0.25) for name in names}
    assert {n for n in names if decays[n] == 0.5} == {n for n in names if is_decayed(n)}
    assert {n for n in names if decays[n] == 0.25} == {n for n in names if n.endswith(".gamma")}
    others = ("beta", "bias", "bias_ih_l0", "bias_hh_l0", "bias_ih_l0_reverse", "bias_hh_l0_reverse")
    assert {n.rsplit(".")[-1] for n in names if decays[n] == 0} <= set(others)
    assert decay_of("vgg.conv1.bn.gamma", 0.5, 0.0) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "lamb"}, "'lamb', must be one of sgd, momentum, adam, adamw, radam, rmsprop, adadelta"),
        ({"name": "sgd", "momentum": 1.0}, "momentum is 1.0"),
        ({"name": "sgd", "weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"name": "radam", "gamma_decay": -0.1}, "gamma_decay is -0.1"),
    ],
)
def test_an_impossible_optimizer_is_refused_with_the_value(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_optimizer(parameters=CRNN(CLASSES, HIDDEN, "V2", SCALE).trainable_params(), **options)


def test_training_moves_the_batch_norm_statistics_by_a_tenth() -> None:
    network = training_network("V2")
    before = network_weights(network)
    network(Tensor(batch_images()))
    x = batch_images().astype(np.float64)

    features = convolution(x, before["vgg.conv1.conv.weight"].astype(np.float64), 1)
    expected = 0.9 * before["vgg.conv1.bn.moving_mean"] + 0.1 * features.mean(axis=(0, 2, 3))
    found = network_weights(network)
    np.testing.assert_allclose(found["vgg.conv1.bn.moving_mean"], expected, atol=1e-5)


def test_weight_average_follows_the_recurrence_and_forgets_its_start() -> None:
    parameter = Parameter(Tensor(np.array([1.0, 2.0], np.float32)), name="w")
    average = WeightAverage([parameter], decay=0.5)
    expected, value = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    for step in range(12):
        value = value * 1.5 - 1
        parameter.set_data(Tensor(value.astype(np.float32)))
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))  # 0.1, 0.18, 0.25, ... and 0.5 from step 8 on
        expected = decay * expected + (1 - decay) * value
        np.testing.assert_allclose(average.averages[0].asnumpy(), expected, rtol=1e-5)
    assert average.averages[0].name == "ema.w"
    average.restart()
    np.testing.assert_array_equal(average.averages[0].asnumpy(), parameter.asnumpy())


def test_the_learning_rate_is_the_one_set_last() -> None:
    dense = nn.Dense(1, 1, has_bias=False)
    dense.weight.set_data(Tensor(np.ones((1, 1), np.float32)))
    optimizer = create_optimizer("sgd", list(dense.trainable_params()), momentum=0.0)
    for rate, expected in ((0.5, 0.5), (0.25, 0.25)):
        set_learning_rate(optimizer, rate)
        optimizer((Tensor(np.ones((1, 1), np.float32)),))
        assert dense.weight.asnumpy()[0, 0] == pytest.approx(expected)
