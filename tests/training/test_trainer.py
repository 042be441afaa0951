"""The training loop with a step that computes nothing: what is saved, evaluated and logged, and when."""

import csv
import os
import re
import signal
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from crnn_mindspore.data.loading.loader import Batch
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluator import Evaluation, Prediction
from crnn_mindspore.evaluation.metric import Accuracy
from crnn_mindspore.training.checkpoints.checkpoint import TrainState
from crnn_mindspore.training.checkpoints.checkpoint_folder import CheckpointFolder
from crnn_mindspore.training.ranks import Ranks
from crnn_mindspore.training.trainer import Trainer, updates_per_epoch
from crnn_mindspore.training.updates.amp import create_scaler
from crnn_mindspore.training.updates.lr_schedule import create_schedule
from crnn_mindspore.training.updates.overflow import Overflows
from crnn_mindspore.training.watching.csv_log import CsvLog
from crnn_mindspore.training.watching.diagnosis import Diagnosis
from crnn_mindspore.training.watching.eval_callback import (
    CSV_COLUMNS,
    EvaluationPlan,
    EvaluationStoppedError,
    example_lines,
)
from crnn_mindspore.training.watching.progress import Progress

STEPS_PER_EPOCH = 4


class CountingStep:
    """Stands in for `CRNNForTrain`: counts its updates; the loss of batch k, from 0, is `losses(k)`."""

    def __init__(
        self, losses: Callable[[int], float] = float, accumulate_steps: int = 1, unread: float = 0.0
    ) -> None:
        self.optimizer = type("Optimizer", (), {})()
        self.optimizer.learning_rate = ms.Parameter(ms.Tensor(0.0, ms.float32), name="learning_rate")
        self.rates: list[float] = []
        self.masks: list[list[float]] = []
        self.losses = losses
        self.accumulate_steps = accumulate_steps
        self.scaler = None
        self.unread = unread
        self.batches = 0

    def accumulate(self, images: object, targets: ms.Tensor, lengths: object, *masks: ms.Tensor) -> ms.Tensor:
        self.masks.append([float(mask.asnumpy()) for mask in masks])
        assert targets.shape == (2, 5)
        self.batches += 1
        return ms.Tensor(self.losses(self.batches - 1), ms.float32)

    def __call__(
        self, images: object, targets: ms.Tensor, lengths: object, *masks: ms.Tensor
    ) -> tuple[ms.Tensor, ms.Tensor]:
        loss = self.accumulate(images, targets, lengths, *masks)
        assert self.batches % self.accumulate_steps == 0
        self.rates.append(float(self.optimizer.learning_rate.asnumpy()))
        return loss, *(ms.Tensor(value, ms.float32) for value in (1.0, self.unread))


@dataclass
class Loader:
    """Batches of two; remembers which were asked for, and calls `at_end` when an epoch is over."""

    at_end: Callable[[], None] = lambda: None
    steps_per_epoch: int = STEPS_PER_EPOCH
    given: list[tuple[int, int]] = field(default_factory=list)

    def batches(self, epoch: int, start_step: int = 0) -> Generator[Batch, None, None]:
        for step in range(start_step, self.steps_per_epoch):
            self.given.append((epoch, step))
            yield Batch(
                np.zeros((2, 3, 32, 24), np.float32),
                np.ones((2, 3), np.int32),
                np.array([3, 2], np.int32),
                ["abc", "ab"],
                [f"first{step}.png", "second.png"],
                np.ones(2, bool),
                np.arange(2, dtype=np.int32),
            )
        self.at_end()


@dataclass
class Run:
    """A trainer and what it did."""

    trainer: Trainer
    step: CountingStep
    loader: Loader
    saved: list[tuple[str, TrainState]]
    csv_path: Path


@pytest.fixture
def create_run(tmp_path: Path) -> Callable[..., Run]:
    def create(
        total: int,
        interval: int = 3,
        losses: Callable[[int], float] = float,
        unread: float = 0.0,
        loader: Loader | None = None,
        first_step: int = 0,
        accumulate_steps: int = 1,
        **options: object,
    ) -> Run:
        saved: list[tuple[str, TrainState]] = []
        folder = CheckpointFolder(
            tmp_path, lambda path, state: saved.append((Path(path).name, state)), interval=interval
        )
        step, loader = CountingStep(losses, accumulate_steps, unread), loader or Loader()
        csv_path = tmp_path / "out" / "train_log.csv"
        trainer = Trainer(
            step,
            create_schedule("cosine_epoch", 0.5, total, STEPS_PER_EPOCH),
            loader,
            folder,
            Progress(total, first_step, 2 * first_step, STEPS_PER_EPOCH, 2, csv_path),
            target_width=5,
            **options,
        )
        return Run(trainer, step, loader, saved, csv_path)

    return create


FRESH = TrainState(steps_per_epoch=STEPS_PER_EPOCH, seed=1)


def test_every_batch_is_trained_on_once_and_checkpoints_are_due_and_last(create_run) -> None:
    run = create_run(total=10)
    state, signal_number = run.trainer.fit(FRESH, 10)
    assert run.loader.given == [(e, s) for e in range(3) for s in range(4)][:10]
    assert [(name, s.step) for name, s in run.saved] == [
        ("crnn-1_3.ckpt", 3),
        ("crnn-2_2.ckpt", 6),
        ("crnn-3_1.ckpt", 9),
        ("crnn-3_2.ckpt", 10),
    ]
    assert (state.step, state.images_seen, signal_number) == (10, 20, 0)
    # Half a cosine over three epochs: 0, 60 and 120 degrees.
    assert run.step.rates == pytest.approx([0.5] * 4 + [0.375] * 4 + [0.125] * 2)


def test_a_training_ending_on_a_due_step_saves_it_once(create_run) -> None:
    run = create_run(total=6)
    run.trainer.fit(FRESH, 6)
    assert [s.step for _, s in run.saved] == [3, 6]


def test_training_goes_on_in_the_middle_of_an_epoch(create_run) -> None:
    run = create_run(total=7, first_step=5)
    run.trainer.fit(TrainState(step=5, steps_per_epoch=4, images_seen=10), 7)
    assert run.loader.given == [(1, 1), (1, 2)]


def test_log_lines_hold_true_means_in_the_contracts_form(create_run, log: list[str]) -> None:
    run = create_run(total=6, losses=lambda k: k + 0.5)
    run.trainer.fit(FRESH, 6)
    pattern = (
        r"epoch: \[(\d+)/(\d+)\] step: \[(\d+)/(\d+)\], loss: (\d+\.\d{6}), "
        r"lr: (\d\.\d{6}), per step time: (\d+\.\d{3}) ms"
    )
    lines = [re.fullmatch(pattern, m) for m in log]
    found = [[float(v) for v in line.groups()[:6]] for line in lines if line]
    assert found == [
        [1, 2, 2, 4, 1.0, 0.5],
        [1, 2, 4, 4, 3.0, 0.5],
        [2, 2, 2, 4, 5.0, 0.25],
    ]
    with run.csv_path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["step"], r["epoch"], r["images_seen"], r["loss"]) for r in rows] == [
        ("2", "1", "4", "1"),
        ("4", "1", "8", "3"),
        ("6", "2", "12", "5"),
    ]


def test_accumulated_batches_make_one_step_and_the_left_over_ones_are_left_out(
    create_run, log: list[str]
) -> None:
    loader = Loader(steps_per_epoch=2 * STEPS_PER_EPOCH + 1)  # batches: 4 updates of 2, and 1 left over
    run = create_run(total=7, interval=3, loader=loader, first_step=2, accumulate_steps=2)
    state, _ = run.trainer.fit(TrainState(step=2, steps_per_epoch=STEPS_PER_EPOCH, images_seen=8), 7)
    assert loader.given == [(0, s) for s in range(4, 9)] + [(1, s) for s in range(6)]
    assert run.step.batches == 2 * 5  # the ninth batch of epoch 0 is not among them
    assert [(name, s.step) for name, s in run.saved] == [
        ("crnn-1_3.ckpt", 3),
        ("crnn-2_2.ckpt", 6),
        ("crnn-2_3.ckpt", 7),
    ]
    assert (state.step, state.images_seen) == (7, 8 + 5 * 4)
    with run.csv_path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    # Means over the losses 0 to 3, 4 to 7, of the steps 3 and 4, 5 and 6.
    assert [(r["step"], r["images_seen"], float(r["loss"])) for r in rows] == [
        ("4", "16", 1.5),
        ("6", "24", 5.5),
        ("7", "28", 8.5),  # the end cuts the interval short
    ]


def test_the_batch_of_an_update_whose_loss_is_not_finite_is_named(create_run) -> None:
    run = create_run(total=2, losses=lambda k: float("nan") if k == 2 else 1.0, accumulate_steps=2)
    with pytest.raises(UserError, match=r"step 2: loss nan,.*first2\.png, second"):
        run.trainer.fit(FRESH, 2)


def test_updates_of_an_epoch_and_what_is_left_out(log: list[str]) -> None:
    assert (updates_per_epoch(7, 1), updates_per_epoch(8, 4), updates_per_epoch(3, 3)) == (7, 2, 1)
    assert not log
    assert updates_per_epoch(11, 4) == 2
    assert log == ["accumulate_steps 4: 2 updates an epoch; of its 11 batches the last 3 are left out"]
    with pytest.raises(UserError, match="accumulate_steps is 8, but an epoch has only 7 batches"):
        updates_per_epoch(7, 8)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_and_names_step_rate_and_images(create_run, value: float) -> None:
    run = create_run(total=8, interval=2, losses=lambda k: value if k == 4 else 1.0)
    with pytest.raises(
        UserError, match=r"step 5: loss (nan|inf).* learning rate 0\.25;.*first0\.png, second"
    ):
        run.trainer.fit(FRESH, 8)
    assert [s.step for _, s in run.saved] == [2, 4]


class BesideDiverged(Ranks):
    """Two processes, of which the other one has lost its numbers."""

    def after_update(self, *values: float) -> list[float]:
        return [(value + float("nan")) / 2 for value in values]


@pytest.mark.parametrize("level", ["O0", "O2"])
def test_a_loss_that_is_not_finite_in_another_process_stops_this_one_too(create_run, level: str) -> None:
    run = create_run(total=8, losses=lambda k: 1.0, ranks=BesideDiverged())
    run.trainer.overflows = Overflows(create_scaler(level == "O2", 1024))
    with pytest.raises(UserError, match="step 1: loss nan"):
        run.trainer.fit(FRESH, 8)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_finishes_the_step_saves_and_stops(create_run, number: signal.Signals) -> None:
    def stop_in_step_6(k: int) -> float:
        if k == 5:
            os.kill(os.getpid(), number)
        return 1.0

    run = create_run(total=20, interval=0, losses=stop_in_step_6)
    if signal.getsignal(number) is signal.SIG_IGN:  # the tests run under nohup
        signal.signal(number, signal.SIG_DFL)
    before = signal.getsignal(number)
    state, received = run.trainer.fit(FRESH, 20)
    assert (state.step, received) == (6, number)
    assert [(name, s.step) for name, s in run.saved] == [("crnn-2_2.ckpt", 6)]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_that_the_caller_ignores_stays_ignored(create_run, number: signal.Signals) -> None:
    def send(k: int) -> float:
        if k == 5:
            os.kill(os.getpid(), number)
        return 1.0

    before = signal.signal(number, signal.SIG_IGN)
    try:
        state, received = create_run(total=8, losses=send).trainer.fit(FRESH, 8)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
    assert (state.step, received) == (8, 0)


def test_a_signal_between_two_epochs_saves_too(create_run) -> None:
    loader = Loader(at_end=lambda: os.kill(os.getpid(), signal.SIGTERM))
    run = create_run(total=20, interval=3, loader=loader)
    state, received = run.trainer.fit(FRESH, 20)
    assert (state.step, received) == (4, signal.SIGTERM)
    assert [s.step for _, s in run.saved] == [3, 4]


def evaluation(rate: float, ned: float | None = None) -> Evaluation:
    accuracy = Accuracy(int(100 * rate), 100, rate, 0.0, 1.0, rate if ned is None else ned)
    return Evaluation(accuracy, "classic", "greedy", 0, 0, 10.0, [])


def test_evaluation_starts_and_repeats_as_asked_and_the_best_is_kept(create_run, tmp_path: Path) -> None:
    rates = iter([0.5, 0.75, 0.75, 0.7])
    plan = EvaluationPlan(lambda _: {"svt": evaluation(next(rates))}, start_epoch=2, interval=2)
    run = create_run(total=28, interval=0, evaluation=plan)
    state, _ = run.trainer.fit(FRESH, 28)
    assert next(rates, None) is None  # after epochs 2, 4 and 6, and at the end
    assert [(name, s.step) for name, s in run.saved] == [
        ("crnn-best.ckpt", 8),
        ("crnn-best.ckpt", 16),  # 0.75 again is no better
        ("crnn-7_4.ckpt", 28),
        ("crnn-7_4.ckpt", 28),  # again, with what the last evaluation found
    ]
    assert (state.best_accuracy, state.best_step) == (0.75, 16)
    assert [s.evaluated_step for _, s in run.saved[-2:]] == [24, 28]


def test_the_best_is_not_kept_unless_asked(create_run) -> None:
    plan = EvaluationPlan(lambda _: {"svt": evaluation(0.5)}, start_epoch=1)
    run = create_run(total=4, interval=0, evaluation=plan, keep_best=False)
    state, _ = run.trainer.fit(FRESH, 4)
    assert {name for name, _ in run.saved} == {"crnn-1_4.ckpt"}
    assert state.best_accuracy == 0.5


def test_equal_accuracies_are_told_apart_by_the_edit_distance(create_run) -> None:
    found = iter([(0.0, 0.1), (0.0, 0.36), (0.0, 0.36)])
    plan = EvaluationPlan(lambda _: {"svt": evaluation(*next(found))}, start_epoch=1)
    run = create_run(total=12, interval=0, evaluation=plan)
    state, _ = run.trainer.fit(FRESH, 12)
    assert [s.step for name, s in run.saved if name == "crnn-best.ckpt"] == [4, 8]
    assert (state.best_accuracy, state.best_ned, state.best_step) == (0.0, 0.36, 8)


def test_saves_before_it_evaluates_and_a_signal_ends_the_evaluation(create_run) -> None:
    saved_before = []

    def evaluate(is_stopped: Callable[[], bool]) -> dict[str, Evaluation]:
        saved_before.extend(s.step for _, s in run.saved)
        assert not is_stopped()
        os.kill(os.getpid(), signal.SIGTERM)
        if is_stopped():
            raise EvaluationStoppedError
        raise AssertionError("the signal is not told")

    run = create_run(total=4, evaluation=EvaluationPlan(evaluate, start_epoch=1))
    state, received = run.trainer.fit(FRESH, 4)
    assert (saved_before, received) == ([3, 4], signal.SIGTERM)
    assert (state.step, state.evaluated_step) == (4, -1)


def test_an_evaluation_that_is_missing_is_made_up_for_on_resuming(create_run) -> None:
    asked = []
    plan = EvaluationPlan(lambda _: asked.append(1) or {"svt": evaluation(0.5)}, start_epoch=1)
    before = TrainState(step=4, images_seen=8, steps_per_epoch=4, evaluated_step=0)
    run = create_run(total=5, interval=0, first_step=4, evaluation=plan)
    state, _ = run.trainer.fit(before, 5)
    assert len(asked) == 2  # where it began, and at the end
    for told in (4, -1):  # evaluated already; a checkpoint that does not say was written after it
        run = create_run(total=5, interval=0, first_step=4, evaluation=plan)
        run.trainer.fit(replace(before, evaluated_step=told), 5)
    assert len(asked) == 4
    run = create_run(total=5, first_step=5, evaluation=plan)  # nothing left to train
    state, _ = run.trainer.fit(replace(before, step=5, evaluated_step=4), 5)
    assert (len(asked), state.evaluated_step) == (5, 5)
    assert [name for name, _ in run.saved] == ["crnn-best.ckpt", "crnn-2_1.ckpt"]


def test_a_best_measured_on_other_data_or_without_its_file_does_not_count(create_run, log: list[str]) -> None:
    plan = EvaluationPlan(lambda _: {"svt": evaluation(0.2)}, "svt", start_epoch=50)
    before = TrainState(
        step=5, images_seen=10, steps_per_epoch=4, best_accuracy=0.9, best_step=4, best_of="iiit5k", run="r"
    )
    run = create_run(total=6, interval=0, first_step=5, evaluation=plan)
    state, _ = run.trainer.fit(before, 6)
    assert (state.best_accuracy, state.best_step, state.best_of) == (0.2, 5, "svt")
    assert "the best of step 4 was measured on iiit5k: looking for the best anew" in log
    run = create_run(total=6, interval=0, first_step=5, evaluation=plan)
    state, _ = run.trainer.fit(replace(before, best_of="svt"), 6)
    assert (state.best_accuracy, state.best_step) == (0.2, 5)
    assert "the best of step 4 is not in the checkpoints' folder: looking for the best anew" in log
    run = create_run(total=6, interval=0, first_step=5, evaluation=plan, keep_best=False)
    state, _ = run.trainer.fit(replace(before, best_of="svt"), 6)
    assert state.best_accuracy == 0.9


def test_a_best_that_could_not_be_written_is_not_the_best(create_run) -> None:
    rates = iter([0.9, 0.5, 0.4])
    plan = EvaluationPlan(lambda _: {"svt": evaluation(next(rates))}, start_epoch=1)
    run = create_run(total=12, interval=0, evaluation=plan)
    write, full = run.trainer.checkpoints.write, [True]

    def fails_once(path: str, state: TrainState) -> None:
        if full.pop() if full else False:
            raise UserError(f"{path}: No space left on device")
        write(path, state)

    run.trainer.checkpoints.write = fails_once
    run.trainer.checkpoints.goes_on_without = True
    state, _ = run.trainer.fit(FRESH, 12)
    assert (state.best_accuracy, state.best_step) == (0.5, 8)


def test_what_is_trained_is_saved_when_something_unforeseen_happens(create_run, log: list[str]) -> None:
    class Breaks(Loader):
        def batches(self, epoch: int, start_step: int = 0) -> Generator[Batch, None, None]:
            for step, batch in enumerate(super().batches(epoch, start_step)):
                if (epoch, step) == (1, 2):
                    raise RuntimeError("the disk is gone")
                yield batch

    run = create_run(total=20, interval=0, loader=Breaks())
    with pytest.raises(RuntimeError, match="the disk is gone"):
        run.trainer.fit(FRESH, 20)
    assert [(name, s.step) for name, s in run.saved] == [("crnn-2_2.ckpt", 6)]
    assert "saved at step 6, because of: the disk is gone" in log


def test_half_an_update_is_not_saved(create_run) -> None:
    def breaks(k: int) -> float:
        if k == 5:
            raise RuntimeError("the device is gone")
        return 1.0

    run = create_run(total=20, interval=3, losses=breaks)
    with pytest.raises(RuntimeError, match="the device is gone"):
        run.trainer.fit(FRESH, 20)
    assert [s.step for _, s in run.saved] == [3]


def test_training_ends_with_the_epoch_that_reaches_the_target(create_run) -> None:
    rates = iter([0.5, 1.0])
    plan = EvaluationPlan(lambda _: {"svt": evaluation(next(rates))}, start_epoch=1, target=1.0)
    run = create_run(total=28, interval=0, evaluation=plan, keep_best=False)
    state, _ = run.trainer.fit(FRESH, 28)
    assert state.step == 2 * STEPS_PER_EPOCH
    assert [(name, s.step) for name, s in run.saved] == [("crnn-2_4.ckpt", 8)]


def test_the_diagnosis_is_told_every_update_and_the_end(create_run, log: list[str]) -> None:
    diagnosis = Diagnosis()
    run = create_run(total=120, losses=lambda k: 70.0 if k == 0 else 1e4, unread=1.0, diagnosis=diagnosis)
    run.trainer.fit(FRESH, 120)
    first, second = diagnosis.hints
    assert first.message.startswith("Step 100: the loss has risen to 9.9e+03")
    assert f"(now {run.step.rates[99]:.2g})" in first.advice
    assert second.message.startswith("The training ended at step 120, and in its last 120 updates")
    assert [message for message in log if message.startswith(("Step 100", "The training ended"))] == [
        f"{hint.message} {hint.advice}" for hint in (first, second)
    ]


def test_an_interrupted_training_is_not_judged(create_run) -> None:
    diagnosis = Diagnosis()

    def stop_in_step_110(k: int) -> float:
        if k == 109:
            os.kill(os.getpid(), signal.SIGTERM)
        return 1.0

    run = create_run(total=120, losses=stop_in_step_110, unread=1.0, diagnosis=diagnosis)
    run.trainer.fit(FRESH, 120)
    assert diagnosis.hints == []


def test_a_bad_pixel_stops_before_the_update(create_run) -> None:
    run = create_run(total=8)
    batches = run.loader.batches

    def spoilt(epoch: int, start_step: int = 0) -> Generator[Batch, None, None]:
        for batch in batches(epoch, start_step):
            batch.images[1, 0, 0, 0] = np.nan if epoch == 1 else 0.0
            yield batch

    run.loader.batches = spoilt
    with pytest.raises(UserError, match=r"step 5: image second\.png contains NaN"):
        run.trainer.fit(FRESH, 8)
    assert len(run.step.rates) == 4


def test_the_accuracy_of_batches_is_logged_where_the_step_gives_it(
    create_run, tmp_path: Path, log: list[str]
) -> None:
    class AccurateStep(CountingStep):
        def __call__(self, *inputs: object) -> tuple[ms.Tensor, ...]:
            return *super().__call__(*inputs), ms.Tensor([0.25, 0.75, 0.5, 1.0][self.batches - 1], ms.float32)

    run = create_run(total=4)
    run.trainer.run_step = AccurateStep()
    path, scalars = tmp_path / "with.csv", {}
    run.trainer.progress = Progress(
        4, 0, 0, STEPS_PER_EPOCH, 2, path, scalars=scalars.__setitem__, has_accuracy=True
    )
    run.trainer.fit(FRESH, 4)
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert [float(row["accuracy"]) for row in rows] == [0.5, 0.75]
    assert [values["accuracy"] for values in scalars.values()] == [0.5, 0.75]
    assert [line[-18:] for line in log if "step: [" in line] == [", accuracy: 0.5000", ", accuracy: 0.7500"]


def test_images_of_all_processes_are_counted(create_run) -> None:
    ranks = Ranks()
    ranks.world_size = 4
    run = create_run(total=3, ranks=ranks)
    assert run.trainer.fit(FRESH, 3)[0].images_seen == 3 * 2 * 4


def test_evaluation_between_epochs_on_several_sets_is_recorded_and_the_best_is_of_their_mean(
    create_run, tmp_path: Path, log: list[str]
) -> None:
    rates = iter([(0.2, 0.6), (0.9, 0.1), (0.3, 0.4)])
    path = tmp_path / "eval_log.csv"
    plan = EvaluationPlan(
        lambda _: {name: evaluation(rate) for name, rate in zip(("svt", "ic13"), next(rates), strict=True)},
        start_epoch=9,
        interval_steps=3,
        csv=CsvLog(path, CSV_COLUMNS),
    )
    run = create_run(total=7, interval=0, evaluation=plan)
    state, _ = run.trainer.fit(FRESH, 7)
    assert (state.best_accuracy, state.best_step) == (pytest.approx(0.5), 6)
    assert [s.step for name, s in run.saved if name == "crnn-best.ckpt"] == [3, 6]
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert [(row["step"], row["epoch"], row["dataset"], row["word_accuracy"]) for row in rows] == [
        ("3", "1", "svt", "0.2"),
        ("3", "1", "ic13", "0.6"),
        ("6", "2", "svt", "0.9"),
        ("6", "2", "ic13", "0.1"),
        ("7", "2", "svt", "0.3"),
        ("7", "2", "ic13", "0.4"),
    ]
    assert "mean word accuracy of 2 data sets: 35.00 %" in log


def test_examples_are_spread_over_the_set_and_say_which_are_right() -> None:
    words = [Prediction(f"{i}.png", f"w{i}", f"w{i % 2}", 0.5, i < 2, True, f"w--{i}", i) for i in range(6)]
    assert example_lines(words, 3) == ["  w--0 => w0, w0", "x w--2 => w0, w2", "x w--4 => w0, w4"]
    assert example_lines(words[:1], 3) == ["  w--0 => w0, w0"]
    assert example_lines(words, 0) == example_lines([], 3) == []


def test_the_networks_further_inputs_follow_from_the_number_of_the_batch(create_run) -> None:
    run = create_run(
        total=6, first_step=4, masks=lambda number, shape: (np.float32(number), np.float32(shape[0]))
    )
    run.trainer.fit(TrainState(step=4, steps_per_epoch=4, images_seen=8), 6)
    assert run.step.masks == [[4.0, 2.0], [5.0, 2.0]]
    run = create_run(total=3, accumulate_steps=2, masks=lambda number, shape: (np.float32(number),))
    run.trainer.fit(TrainState(step=1, steps_per_epoch=2, images_seen=4), 3)
    assert run.step.masks == [[2.0], [3.0], [4.0], [5.0]]


def test_a_resumed_training_drops_the_rows_beyond_its_checkpoint(create_run) -> None:
    first = create_run(total=8)
    first.trainer.fit(FRESH, 8)
    create_run(total=8, first_step=5, losses=lambda k: 100.0).trainer.fit(
        TrainState(step=5, steps_per_epoch=4, images_seen=10), 8
    )
    rows = list(csv.DictReader(first.csv_path.open(encoding="utf-8")))
    assert [row["step"] for row in rows] == ["2", "4", "6", "8"]
    assert [float(row["loss"]) for row in rows] == [0.5, 2.5, 100.0, 100.0]


def test_a_table_that_cannot_be_written_is_said_once_and_training_goes_on(
    tmp_path: Path, log: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    table = CsvLog(tmp_path / "file" / "log.csv", ("images_seen",))
    table.append([(1,)])
    table.append([(2,)])
    assert len(log) == 1
    assert "log.csv: cannot be written, goes on without it" in log[0]
