"""Learning rates against numbers computed by hand, and the comparison of versions."""

import math
import sys
import types

import numpy as np
import pytest

from crnn_mindspore.engines.mindspore import runtime
from crnn_mindspore.engines.mindspore.runtime import prepare_environment
from crnn_mindspore.errors import UserError
from crnn_mindspore.training.updates.lr_schedule import create_schedule
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peak": 0.0}, "learning_rate is 0.0"),
        ({"peak": math.nan}, "learning_rate is nan"),
        ({"peak": math.inf}, "learning_rate is inf"),
        (
            {"name": "cosine"},
            "'cosine', must be one of cosine_epoch, cosine_step, trapezoid, constant, one_cycle, step_decay",
        ),
        ({"warmup_steps": 10}, "warmup_steps 10 and decay_steps 0 must leave some of the 10 steps"),
        ({"warmup_steps": -1}, "warmup_steps -1"),
        ({"name": "trapezoid", "warmup_steps": 4, "decay_steps": 6}, "warmup_steps 4 and decay_steps 6"),
        ({"name": "one_cycle", "warmup_steps": 10}, "warmup_steps 10"),
        ({"name": "step_decay"}, "step_decay: decay_steps is 0"),
        ({"name": "step_decay", "decay_steps": -1}, "decay_steps -1"),
        ({"name": "step_decay", "decay_steps": 5, "decay_rate": 0.0}, "decay_rate 0.0"),
        ({"name": "step_decay", "decay_steps": 5, "decay_rate": 1.1}, "decay_rate 1.1"),
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
