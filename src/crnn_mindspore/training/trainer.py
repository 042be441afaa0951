"""The training loop."""

import logging
import math
import signal
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Protocol

import mindspore as ms
import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.loading.loader import Batch
from crnn_mindspore.errors import UserError
from crnn_mindspore.signals import ending_signals, handled
from crnn_mindspore.training.checkpoints.checkpoint import TrainState
from crnn_mindspore.training.checkpoints.checkpoint_folder import CheckpointFolder
from crnn_mindspore.training.ranks import Ranks
from crnn_mindspore.training.updates.lr_schedule import Schedule
from crnn_mindspore.training.updates.optimizers import set_learning_rate
from crnn_mindspore.training.updates.overflow import Overflows
from crnn_mindspore.training.updates.step import CRNNForTrain, WeightAverage
from crnn_mindspore.training.watching.diagnosis import Diagnosis, Update
from crnn_mindspore.training.watching.eval_callback import EvaluationPlan, EvaluationStoppedError
from crnn_mindspore.training.watching.finite_guard import FiniteGuard
from crnn_mindspore.training.watching.progress import Progress

_logger = logging.getLogger(__name__)


Masks = Callable[[int, tuple[int, ...]], tuple[npt.NDArray[np.generic], ...]]
Compiling = Callable[[str, tuple[int, ...]], AbstractContextManager[None]]


class Batches(Protocol):
    """Where batches come from: `crnn_mindspore.data.loading.loader.TrainLoader`, or anything like it."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""

    @property
    def facts(self) -> Mapping[str, int | str]:
        """What the data are, by name."""

    def batches(self, epoch: int, start_step: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from a step on, both counted from 0."""


class Trainer:
    """Trains until `total_steps`, or until it is asked to stop.

    Args:
        step: Runs one update.
        schedule: Step -> learning rate.
        loader: Gives the batches.
        checkpoints: Where and when to save.
        progress: What is shown.
        target_width: Columns that targets are padded to, so that the graph is compiled once: time steps.
        average: Averaged weights, or None.
        evaluation: When to evaluate, or None.
        ranks: The processes that train together; None for one alone.
        keep_best: Whether the checkpoint with the best word accuracy is kept.
        masks: Number of the batch since the start of training, shape of its images -> further inputs of the
            network.
        diagnosis: Is told every update; None for one that tells its hints to the log alone.
        guard: Stops the training on numbers that are not finite; None for one that keeps no batch.
        compiling: Name of a graph, shape of its images -> what to enter while it runs for the first time.

    A step takes as many batches as `step` accumulates; see `updates_per_epoch` for the end of an epoch.
    """

    def __init__(
        self,
        step: CRNNForTrain,
        schedule: Schedule,
        loader: Batches,
        checkpoints: CheckpointFolder,
        progress: Progress,
        target_width: int,
        average: WeightAverage | None = None,
        evaluation: EvaluationPlan | None = None,
        ranks: Ranks | None = None,
        keep_best: bool = True,
        masks: Masks = lambda number, shape: (),
        diagnosis: Diagnosis | None = None,
        guard: FiniteGuard | None = None,
        compiling: Compiling = lambda what, shape: nullcontext(),
    ) -> None:
        self.run_step = step
        self.schedule = schedule
        self.loader = loader
        self.checkpoints = checkpoints
        self.progress = progress
        self.target_width = target_width
        self.average = average
        self.evaluation = evaluation
        self.ranks = ranks or Ranks()
        self.keep_best = keep_best
        self.masks = masks
        self.diagnosis = diagnosis or Diagnosis()
        self.guard = guard or FiniteGuard()
        self.overflows = Overflows(step.scaler)
        self._compiling = compiling
        self._compiled: set[tuple[str, tuple[int, ...]]] = set()

    def fit(self, state: TrainState, total_steps: int) -> tuple[TrainState, int]:
        """Trains from `state` on.

        A signal to one process ends all of them, after the same step.

        Returns:
            The state reached, saved as a checkpoint, and the signal that ended it early, 0 if none did.

        Raises:
            UserError: If pixels, loss or gradients are not finite; see `FiniteGuard`. Whatever ends the
                training, its last whole update is saved.
        """
        self._state = self._saved = state
        self._is_whole = True
        with self.progress, _stop_signal() as received:
            try:
                self._make_up_for_evaluation(total_steps, received)
                is_stopped = self._train(total_steps, received)
            except BaseException as error:
                self._save_what_there_is(error)
                raise
            if not is_stopped and self._state.step > state.step:
                self.diagnosis.end(self._state.step)
        return self._state, (received or [signal.SIGTERM])[0] if is_stopped else 0

    def _train(self, total_steps: int, received: list[int]) -> bool:
        """Trains to the end, or until a signal; whether it was a signal. The last state is saved."""
        is_stopped = self.ranks.any(bool(received))
        count = self.run_step.accumulate_steps
        while self._state.step < total_steps and not is_stopped and not self._has_arrived():
            epoch, first = divmod(self._state.step, self._state.steps_per_epoch)
            with closing(self.loader.batches(epoch, first * count)) as batches:
                for group in self.progress.waiting(zip(*[batches] * count, strict=False)):
                    self._state = self._update(self._state, group)
                    self._is_whole = True
                    is_last = self._state.step == total_steps
                    # Saved before it is evaluated: an evaluation takes long, and may be cut short.
                    if is_last or self.checkpoints.is_due(self._state):
                        self._save(is_last)
                    if self.evaluation is not None and (is_last or self.evaluation.is_due(self._state)):
                        self._evaluate(self.evaluation, received)
                    is_stopped = self.ranks.any(bool(received))
                    if is_last or is_stopped:
                        break
            is_stopped = is_stopped or self.ranks.any(bool(received))
        if self._state != self._saved:  # with what the last evaluation has found
            self._save(is_last=True)
        return is_stopped

    def _save(self, is_last: bool) -> None:
        with self.progress.paused():
            if self.checkpoints.save(self._state, is_last):
                self._saved = self._state

    def _save_what_there_is(self, error: BaseException) -> None:
        """Saves the last whole update when something unforeseen ends the training."""
        if not self._is_whole or self._state.step == self._saved.step:
            return
        try:
            self._save(is_last=False)
        except Exception as second:  # the first one is what has to be seen
            _logger.warning("not saved at the end: %s", second)
        else:
            _logger.warning(
                "saved at step %d, because of: %s", self._saved.step, str(error) or type(error).__name__
            )

    def _update(self, state: TrainState, batches: tuple[Batch, ...]) -> TrainState:
        step = state.step + 1
        for batch in batches:
            self.guard.check_images(step, batch)
        self._is_whole = False
        learning_rate = self.schedule(state.step)
        set_learning_rate(self.run_step.optimizer, learning_rate)
        inputs = [
            self._inputs(batch, number) for number, batch in enumerate(batches, state.step * len(batches))
        ]
        tensors = [self._run("gradients", self.run_step.accumulate, batch) for batch in inputs[:-1]]
        last_loss, *others = self._run("training", self.run_step, inputs[-1])
        losses = [float(tensor.asnumpy()) for tensor in [*tensors, last_loss]]
        norm, unread, *accuracy = (float(tensor.asnumpy()) for tensor in others)
        loss = sum(losses) / len(losses)
        is_bad = [not math.isfinite(value) for value in losses]
        suspect = batches[is_bad.index(True) if any(is_bad) else -1]
        characters = sum(float(batch.target_lengths.mean()) for batch in batches) / len(batches)
        loss, unread, characters, *accuracy = self.ranks.after_update(loss, unread, characters, *accuracy)
        # By what all processes know, so that all go on or all stop.
        is_skipped = self.overflows.is_skipped(step, loss, norm)
        if not is_skipped:
            self.guard.check_update(step, suspect, loss, norm, learning_rate)
        self.diagnosis.update(Update(step, loss, learning_rate, unread, characters))
        if self.average is not None and not is_skipped:
            self.average.update(state.step)
        images = sum(map(len, batches)) * self.ranks.world_size
        images_seen = state.images_seen + images
        self.progress.step(state.step, images, images_seen, loss, learning_rate, norm, *accuracy)
        return replace(state, step=state.step + 1, images_seen=images_seen)

    def _run(self, what: str, graph: Callable[..., Any], inputs: list[ms.Tensor]) -> Any:
        """What a graph makes of its inputs; said and kept when it is compiled."""
        shape = tuple(inputs[0].shape)
        if (what, shape) in self._compiled:
            return graph(*inputs)
        self._compiled.add((what, shape))
        with self._compiling(f"{what} on images {shape}", shape):
            return graph(*inputs)

    def _inputs(self, batch: Batch, number: int) -> list[ms.Tensor]:
        targets = np.zeros((len(batch), self.target_width), dtype=np.int32)
        targets[:, : batch.targets.shape[1]] = batch.targets
        masks = self.masks(number, batch.images.shape)
        return [ms.Tensor(array) for array in (batch.images, targets, batch.target_lengths, *masks)]

    def _has_arrived(self) -> bool:
        return self.evaluation is not None and self._state.best_accuracy >= self.evaluation.target

    def _make_up_for_evaluation(self, total_steps: int, received: list[int]) -> None:
        """Evaluates where a resumed run begins if that is missing, or the best of before counts no more."""
        plan, state = self.evaluation, self._state
        if plan is None or state.step == 0:
            return
        is_other = state.best_accuracy >= 0 and state.best_of not in ("", plan.measured_on)
        is_lost = self.keep_best and state.best_accuracy >= 0 and not self._has_best(state)
        if is_other or is_lost:
            what = f"was measured on {state.best_of}" if is_other else "is not in the checkpoints' folder"
            _logger.warning("the best of step %d %s: looking for the best anew", state.best_step, what)
            self._state = replace(state, best_accuracy=-1.0, best_ned=-1.0, best_of="")
        if is_other or is_lost or plan.is_made_up_for(state, total_steps):
            self._evaluate(plan, received)

    def _has_best(self, state: TrainState) -> bool:
        return not state.run or self.ranks.any(
            self.checkpoints.is_active and self.checkpoints.bring_best(state)
        )

    def _evaluate(self, plan: EvaluationPlan, received: list[int]) -> None:
        with self.progress.paused():
            try:
                state, is_best = plan.evaluate(self._state, lambda: bool(received))
            except EvaluationStoppedError:
                _logger.info("evaluation stopped; resuming makes up for it")
                return
            if is_best and self.keep_best and not self.checkpoints.save_best(state):
                # The best is what is in the file.
                best = self._state
                state = replace(
                    state,
                    best_accuracy=best.best_accuracy,
                    best_ned=best.best_ned,
                    best_step=best.best_step,
                    best_of=best.best_of,
                )
            self._state = state


def updates_per_epoch(batches: int, accumulate_steps: int) -> int:
    """Updates of an epoch of so many batches, when `accumulate_steps` batches make one.

    The batches left over at the end of an epoch, too few for an update, are not trained on in that epoch
    (another shuffle leaves out others); the log says how many.

    Raises:
        UserError: If an epoch has fewer batches than an update needs.
    """
    if accumulate_steps > batches:
        raise UserError(f"accumulate_steps is {accumulate_steps}, but an epoch has only {batches} batches")
    updates, left_over = divmod(batches, accumulate_steps)
    if left_over:
        _logger.info(
            "accumulate_steps %d: %d updates an epoch; of its %d batches the last %d are left out",
            accumulate_steps,
            updates,
            batches,
            left_over,
        )
    return updates


@contextmanager
def _stop_signal() -> Iterator[list[int]]:
    """A list that receives the numbers of signals that ask to end; the step under way is finished.

    While it runs a graph, MindSpore turns a SIGINT into a SIGTERM.
    """
    received: list[int] = []

    def remember(number: int, frame: object) -> None:
        _logger.info("%s: finishing the step and saving", signal.Signals(number).name)
        received.append(number)
        signal.signal(number, signal.SIG_DFL)  # a second one ends the program at once

    with handled(remember, ending_signals()):
        yield received
