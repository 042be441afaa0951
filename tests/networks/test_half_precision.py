"""Half precision: what computes in it, what does not, and the scaling of the loss."""

import logging
import math

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, amp, nn, ops

from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.crnn import CRNN
from crnn_mindspore.networks.half_precision import is_lstm_broken, set_precision
from crnn_mindspore.networks.image_network import ImageNetwork
from crnn_mindspore.networks.pytorch_crnn import PyTorchCRNN
from crnn_mindspore.tasks.ctc.learning.ctc_loss import CTCLoss, UnreadShare
from crnn_mindspore.training.updates.amp import create_scaler, resolve_level, scale_of
from crnn_mindspore.training.updates.optimizers import create_optimizer
from crnn_mindspore.training.updates.overflow import Overflows
from crnn_mindspore.training.updates.step import CRNNForTrain

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def graph_mode() -> None:
    initialize("CPU")


def network(version: str, level: str) -> ImageNetwork:
    ms.set_seed(1)
    if version == "gru":
        made: ImageNetwork = PyTorchCRNN(4, 8, "paper", 1 / 16, in_channels=3, rnn_type="gru")
    else:
        made = CRNN(4, 8, version, 1 / 16, use_dropout=False)
    set_precision(made, level)
    return made


def batch(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    images = Tensor(rng.normal(0, 1, (4, 3, 32, 48)).astype(np.float32))
    return images, Tensor(rng.integers(0, 3, (4, 3)).astype(np.int32)), Tensor(np.full(4, 3, np.int32))


@pytest.mark.parametrize("version", ["V1", "V2", "gru"])
def test_a_half_precision_network_has_the_logits_of_the_full_one_to_its_digits(version: str) -> None:
    images, _, _ = batch(0)
    full, half = network(version, "O0"), network(version, "O2")
    for made in (full, half):
        made.set_train(False)
    expected, found = full(images), half(images)
    assert found.dtype == ms.float32
    difference = np.abs(found.asnumpy() - expected.asnumpy()).max()
    assert 0 < difference < 0.02 * np.abs(expected.asnumpy()).max()
    assert {p.dtype for p in half.get_parameters()} == {ms.float32}


def test_training_in_half_precision_follows_training_in_full() -> None:
    losses = {}
    for level in ("O0", "O2"):
        made = network("V2", level).set_train(True)
        optimizer = create_optimizer("adam", made.trainable_params(), 0.9, True, 0.0)
        optimizer.learning_rate.set_data(Tensor(0.01, ms.float32))
        scaler = create_scaler(level == "O2", 128)
        step = CRNNForTrain(made, CTCLoss(3), UnreadShare(3), optimizer, scaler=scaler)
        losses[level] = [float(step(*batch(0))[0].asnumpy()) for _ in range(12)]
    assert losses["O0"][-1] < 0.8 * losses["O0"][0]
    assert losses["O2"] == pytest.approx(losses["O0"], rel=0.03)


class Scaled(nn.Cell):
    """Logits that are the images times a weight; large images make gradients overflow, not the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = ms.Parameter(Tensor(np.full((1,), 0.5, np.float32)), name="weight")

    def construct(self, images: Tensor) -> Tensor:
        return images * self.weight


class Half(nn.Cell):
    """The mean of the logits, its gradient passed through a half-precision number."""

    blank = 0

    def construct(self, logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        return (logits.astype(ms.float16).mean()).astype(ms.float32)


def test_an_update_that_overflows_is_skipped_and_the_scale_is_halved() -> None:
    made = Scaled().set_train(True)
    optimizer = create_optimizer("momentum", made.trainable_params(), 0.9, False, 0.0)
    optimizer.learning_rate.set_data(Tensor(0.1, ms.float32))
    scaler = create_scaler(True, 0)
    assert scaler is not None
    step = CRNNForTrain(made, Half(), UnreadShare(3), optimizer, clip_norm=0.0, scaler=scaler)
    others = Tensor(np.zeros((1, 1), np.int32)), Tensor(np.zeros(1, np.int32))
    small, large = (Tensor(np.full((1, 1, 1), value, np.float32)) for value in (0.25, np.inf))

    loss, norm, _ = step(small, *others)
    assert float(loss.asnumpy()) == pytest.approx(0.125)
    # 65,536 is beyond the largest half-precision number: the first update overflows.
    assert not math.isfinite(float(norm.asnumpy()))
    assert made.weight.asnumpy()[0] == 0.5
    assert float(scaler.scale_value.asnumpy()) == 2.0**15
    loss, norm, _ = step(small, *others)
    assert float(norm.asnumpy()) == pytest.approx(0.25)
    assert made.weight.asnumpy()[0] == pytest.approx(0.5 - 0.1 * 0.25)
    before = made.weight.asnumpy()[0]
    _, norm, _ = step(large, *others)
    assert not math.isfinite(float(norm.asnumpy()))
    assert made.weight.asnumpy()[0] == before
    assert float(scaler.scale_value.asnumpy()) == 2.0**14


def never_finite(gradients: tuple[Tensor, ...]) -> Tensor:
    """Stands in for `amp.all_finite` on a device whose flag is up, though all numbers are finite."""
    return ops.stop_gradient(gradients[0]).sum() > 1e30


def test_an_overflow_that_only_the_device_knows_of_is_no_update(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Scaled().set_train(True)
    optimizer = create_optimizer("momentum", made.trainable_params(), 0.9, False, 0.0)
    optimizer.learning_rate.set_data(Tensor(0.1, ms.float32))
    others = Tensor(np.zeros((1, 1), np.int32)), Tensor(np.zeros(1, np.int32))
    small = Tensor(np.full((1, 1, 1), 0.25, np.float32))

    def stepped(checks_status: bool) -> tuple[float, float]:
        scaler = create_scaler(True, 512)
        step = CRNNForTrain(
            made, Half(), UnreadShare(3), optimizer, scaler=scaler, checks_status=checks_status
        )
        _, norm, _ = step(small, *others)
        return float(norm.asnumpy()), float(made.weight.asnumpy()[0])

    norm, weight = stepped(checks_status=True)  # nothing overflows, the check does no harm
    assert norm == pytest.approx(0.25)
    assert weight == pytest.approx(0.475)
    monkeypatch.setattr(amp, "all_finite", never_finite)
    norm, unchanged = stepped(checks_status=True)
    assert (norm, unchanged) == (math.inf, weight)
    _, changed = stepped(checks_status=False)
    assert changed < weight


def test_skipped_updates_are_counted_and_too_many_in_a_row_are_no_overflow(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("crnn_mindspore"), "propagate", True)
    overflows = Overflows(create_scaler(True, 1024))
    with caplog.at_level(logging.INFO, "crnn_mindspore"):
        assert not overflows.is_skipped(1, 2.0, 1.0)
        assert overflows.is_skipped(2, 2.0, math.inf)
        assert "step 2: " in caplog.text
        assert "loss scale now 1024" in caplog.text
        assert not overflows.is_skipped(3, math.nan, math.inf)  # the loss tells: the network has diverged
    assert overflows.count == 1
    verdicts = [overflows.is_skipped(step, 2.0, math.nan) for step in range(4, 64)]
    assert verdicts == [True] * 50 + [False] * 10
    assert not Overflows(None).is_skipped(1, 2.0, math.inf)


def test_levels_scales_and_versions() -> None:
    assert [resolve_level("auto", device) for device in ("CPU", "GPU", "Ascend")] == ["O0", "O0", "O2"]
    with pytest.raises(UserError, match="amp_level is 'O3', must be one of auto, O0, O2"):
        resolve_level("O3", "CPU")
    assert [scale_of(text) for text in ("auto", "0", "0.0", "512")] == [0, 0, 0, 512]
    for text in ("0.5", "-1", "inf", "nan", "many"):
        with pytest.raises(UserError, match=f"loss_scale is {text}, must be auto, 0"):
            scale_of(text)
    assert create_scaler(False, 0) is None
    broken = [is_lstm_broken("Ascend", version) for version in ("2.2.14", "2.3.0rc1", "2.10.0")]
    assert broken == [False, True, True]
    assert not is_lstm_broken("CPU", "2.8.0")


def test_the_lstm_alone_is_in_half_precision_where_it_is_broken_in_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, _, _ = batch(0)
    full = network("V1", "O0").set_train(False)(images).asnumpy()
    monkeypatch.setattr("crnn_mindspore.networks.half_precision.is_lstm_broken", lambda *_: True)
    found = network("V1", "O0").set_train(False)(images)
    assert found.dtype == ms.float32
    assert 0 < np.abs(found.asnumpy() - full).max() < 0.02 * np.abs(full).max()
