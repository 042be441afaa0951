"""Learning rates against numbers computed by hand, and the comparison of versions."""

import math
import sys
import types

import numpy as np
import pytest

from crnn_mindspore.engines.mindspore import runtime
from crnn_mindspore.engines.mindspore.runtime import prepare_environment
from crnn_mindspore.errors import UserError
from crnn_mindspore.training.updates.lr_schedule import create_milestones, create_schedule
from crnn_mindspore.versions import version_tuple


def test_cosine_epoch_is_constant_in_an_epoch_and_half_a_cosine_over_epochs() -> None:
    rate = create_schedule("cosine_epoch", 0.02, total_steps=40, steps_per_epoch=10)
    # 0.01 * (1 + cos(0, 45, 90, 135 degrees))
    by_epoch = [0.02, 0.01 * (1 + math.sqrt(0.5)), 0.01, 0.01 * (1 - math.sqrt(0.5))]
    assert [rate(s) for s in range(40)] == pytest.approx([r for r in by_epoch for _ in range(10)])


def test_cosine_epoch_counts_a_begun_epoch() -> None:
    rate = create_schedule("cosine_epoch", 1.0, total_steps=11, steps_per_epoch=10)
    assert (rate(9), rate(10)) == pytest.approx((1.0, 0.5))


def test_cosine_step_rises_linearly_then_falls_as_half_a_cosine() -> None:
    rate = create_schedule("cosine_step", 0.8, total_steps=10, steps_per_epoch=3, warmup_steps=4)
    # 6 steps of cosine: 0, 30, 60, 90, 120, 150 degrees.
    root = math.sqrt(0.75)
    falling = [0.8, 0.4 * (1 + root), 0.6, 0.4, 0.2, 0.4 * (1 - root)]
    assert [rate(s) for s in range(10)] == pytest.approx([0.2, 0.4, 0.6, 0.8, *falling])


def test_trapezoid_rises_stays_and_falls() -> None:
    rate = create_schedule("trapezoid", 1.0, total_steps=10, steps_per_epoch=5, warmup_steps=2, decay_steps=4)
    assert [rate(s) for s in range(10)] == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_constant_is_constant() -> None:
    rate = create_schedule("constant", 0.3, total_steps=1, steps_per_epoch=1)
    assert [rate(0), rate(10**9)] == [0.3, 0.3]


def test_one_cycle_rises_and_falls_as_half_a_cosine() -> None:
    rate = create_schedule("one_cycle", 1.0, total_steps=10, steps_per_epoch=3, warmup_steps=3)
    # 0, 90 and 180 degrees up from 1/25 to 1, then 7 intervals down to 1/250000, written out in degrees.
    falling = [4e-6 + (1 - 4e-6) * math.cos(math.radians(90 * k / 7)) ** 2 for k in range(8)]
    assert [rate(s) for s in range(10)] == pytest.approx([0.04, 0.52, *falling], abs=1e-12)
    assert (falling[0], falling[-1]) == pytest.approx((1.0, 4e-6), abs=1e-12)


@pytest.mark.parametrize(("warmup_steps", "share"), [(0, 0.3), (4, 4 / 25), (1, 1 / 25), (24, 24 / 25)])
def test_one_cycle_is_pytorchs(warmup_steps: int, share: float) -> None:
    """`OneCycleLR(optimizer, max_lr=0.5, total_steps=25, pct_start=share)`, its documented closed form."""
    low, high, lowest = 0.5 / 25, 0.5, 0.5 / 25 / 1e4
    up = share * 25 - 1
    down = 24 - up

    def annealed(start: float, end: float, progress: float) -> float:
        return end + (start - end) / 2 * (1 + np.cos(np.pi * progress))

    expected = [
        annealed(low, high, s / up) if s < up else annealed(high, lowest, (s - up) / down) for s in range(25)
    ]
    rate = create_schedule("one_cycle", 0.5, 25, steps_per_epoch=5, warmup_steps=warmup_steps)
    np.testing.assert_allclose([rate(s) for s in range(25)], expected, rtol=1e-12)


def test_one_cycle_of_a_single_step_is_the_peak() -> None:
    assert create_schedule("one_cycle", 0.3, total_steps=1, steps_per_epoch=1)(0) == 0.3


def test_step_decay_rises_then_falls_in_steps() -> None:
    rate = create_schedule(
        "step_decay", 8.0, total_steps=10, steps_per_epoch=5, warmup_steps=2, decay_steps=3, decay_rate=0.5
    )
    assert [rate(s) for s in range(10)] == [4, 8, 8, 4, 4, 4, 2, 2, 2, 1]


def test_epochs_change_the_rate_after_each_milestone_with_warm_up() -> None:
    milestones = create_milestones("1,3,4", "8, 2,1e-1", peak=4.0, decay_rate=0.1)
    assert milestones == ((1, 8.0), (3, 2.0), (4, 0.1))
    rate = create_schedule("epochs", 4.0, 12, steps_per_epoch=2, warmup_steps=4, milestones=milestones)
    # A quarter and a half of 4, three quarters and all of 8; an epoch of 8, one of 2, then 0.1.
    assert [rate(s) for s in range(12)] == pytest.approx([1, 2, 6, 8, 8, 8, 2, 2, 0.1, 0.1, 0.1, 0.1])


def test_epochs_without_rates_multiply_by_the_factor() -> None:
    milestones = create_milestones("60,80", "", peak=0.4, decay_rate=0.5)
    rate = create_schedule("epochs", 0.4, 1000, steps_per_epoch=10, milestones=milestones)
    assert [rate(s) for s in (0, 599, 600, 799, 800, 999)] == pytest.approx([0.4, 0.4, 0.2, 0.2, 0.1, 0.1])


def test_the_published_schedule_of_plates() -> None:
    """1e-5 for 10 epochs, 1e-3 to the 140th, 1e-4 to the 200th, then 1e-5; on two devices twice that."""
    for scale in (1, 2):
        milestones = create_milestones("10,140,200", "1e-3,1e-4,1e-5", scale * 1e-5, 0.1, scale)
        rate = create_schedule("epochs", scale * 1e-5, 300 * 7, steps_per_epoch=7, milestones=milestones)
        found = [rate(7 * epoch + 6) for epoch in (0, 9, 10, 139, 140, 199, 200, 299)]
        expected = [1e-5, 1e-5, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5]
        assert found == pytest.approx([scale * value for value in expected])


@pytest.mark.parametrize(
    ("epochs", "values", "rate", "message"),
    [
        ("10,5", "", 0.1, "lr_epochs is '10,5', its epochs must rise"),
        ("5,5", "", 0.1, "lr_epochs is '5,5', its epochs must rise"),
        ("0,5", "", 0.1, "lr_epochs is '0,5', must be whole numbers above 0 with commas between"),
        ("1.5", "", 0.1, r"lr_epochs is '1\.5', must be whole numbers"),
        ("5;6", "", 0.1, "lr_epochs is '5;6', must be whole numbers"),
        ("5,", "", 0.1, "lr_epochs is '5,', must be whole numbers"),
        (
            "5,6",
            "1e-3",
            0.1,
            "lr_values '1e-3' are 1, lr_epochs '5,6' are 2: each epoch needs a learning rate",
        ),
        ("5", "0", 0.1, "lr_values is '0', must be numbers above 0 with commas between"),
        ("5", "inf", 0.1, "lr_values is 'inf', must be numbers above 0"),
        ("5", "high", 0.1, "lr_values is 'high', must be numbers above 0"),
        ("5", "", 0.0, "lr_schedule epochs: decay_rate is 0.0, must be above 0 and at most 1"),
        ("5", "", 1.5, "decay_rate is 1.5"),
    ],
)
def test_impossible_milestones_are_refused_with_their_values(
    epochs: str, values: str, rate: float, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        create_milestones(epochs, values, 0.1, rate)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peak": 0.0}, "learning_rate is 0.0"),
        ({"peak": math.nan}, "learning_rate is nan"),
        ({"peak": math.inf}, "learning_rate is inf"),
        (
            {"name": "cosine"},
            "'cosine', must be one of cosine_epoch, cosine_step, trapezoid, constant, one_cycle, step_decay, "
            "epochs",
        ),
        ({"warmup_steps": 10}, "warmup_steps 10 and decay_steps 0 must leave some of the 10 steps"),
        ({"warmup_steps": -1}, "warmup_steps -1"),
        ({"name": "trapezoid", "warmup_steps": 4, "decay_steps": 6}, "warmup_steps 4 and decay_steps 6"),
        ({"name": "one_cycle", "warmup_steps": 10}, "warmup_steps 10"),
        ({"name": "step_decay"}, "step_decay: decay_steps is 0"),
        ({"name": "step_decay", "decay_steps": -1}, "decay_steps -1"),
        ({"name": "step_decay", "decay_steps": 5, "decay_rate": 0.0}, "decay_rate 0.0"),
        ({"name": "step_decay", "decay_steps": 5, "decay_rate": 1.1}, "decay_rate 1.1"),
        ({"name": "epochs"}, "lr_epochs is empty, must name epochs, such as 10,140,200"),
        ({"name": "epochs", "milestones": [(1, 0.1)], "warmup_steps": 10}, "warmup_steps 10"),
    ],
)
def test_an_impossible_schedule_is_refused_with_its_values(options: dict, message: str) -> None:
    given = {"name": "cosine_step", "peak": 0.1, "total_steps": 10, "steps_per_epoch": 5} | options
    with pytest.raises(UserError, match=message):
        create_schedule(**given)


def test_versions_compare_as_numbers() -> None:
    assert version_tuple("2.10.0rc1") == (2, 10)
    assert version_tuple("2.10") > version_tuple("2.3.1")
    assert version_tuple("2.3rc2") == (2, 3)


@pytest.mark.parametrize(
    ("version", "avx512", "expected"),
    [("2.8.0", True, None), ("2.10.0", False, None), ("2.9.0", True, "AVX2"), ("2.10.0", True, "AVX2")],
)
def test_the_slow_convolutions_are_avoided_where_they_occur(
    monkeypatch: pytest.MonkeyPatch, version: str, avx512: bool, expected: str | None
) -> None:
    environment: dict[str, str] = {}
    monkeypatch.setattr(runtime.os, "environ", environment)
    monkeypatch.delitem(sys.modules, "mindspore", raising=False)
    # Imported when asked for, as the real one is, which this process has already.
    monkeypatch.setattr(runtime, "_import_mindspore", lambda: None)
    monkeypatch.setattr(runtime.importlib.metadata, "version", lambda name: version)
    monkeypatch.setattr(runtime, "_has_avx512", lambda: avx512)
    decisions = prepare_environment()
    assert environment.get("ONEDNN_MAX_CPU_ISA") == expected
    assert decisions[0] == f"MindSpore {version}"
    assert any("AVX2" in d for d in decisions) == (expected is not None)


def test_setting_the_variable_too_late_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.os, "environ", {})
    monkeypatch.setitem(sys.modules, "mindspore", types.ModuleType("mindspore"))
    monkeypatch.setattr(runtime.importlib.metadata, "version", lambda name: "2.9.0")
    monkeypatch.setattr(runtime, "_has_avx512", lambda: True)
    with pytest.raises(UserError, match="ONEDNN_MAX_CPU_ISA=AVX2 before MindSpore is imported"):
        prepare_environment()


def test_a_missing_mindspore_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise runtime.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(runtime.importlib.metadata, "version", missing)
    with pytest.raises(ModuleNotFoundError, match="mindspore"):
        prepare_environment()
