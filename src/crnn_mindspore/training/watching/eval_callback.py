"""When to evaluate while training, what is shown and recorded of it, and the best so far."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from crnn_mindspore.evaluation.evaluator import Evaluation, Prediction
from crnn_mindspore.training.checkpoints.checkpoint import TrainState
from crnn_mindspore.training.watching.csv_log import CsvLog
from crnn_mindspore.training.watching.tensorboard import Scalars

_logger = logging.getLogger(__name__)

IsStopped = Callable[[], bool]

CSV_COLUMNS = ("step", "epoch", "images_seen", "dataset", "word_accuracy", "ned", "total", "loss")


class EvaluationStoppedError(Exception):
    """A signal has ended the run within an evaluation, which a resumed run makes up for."""


@dataclass(frozen=True)
class EvaluationPlan:
    """Evaluates now and then on one or several data sets.

    Attributes:
        run: Evaluates the network as it is: name of the data set -> what was found; empty where another
            process does. Asks the function it is given between batches whether to stop, and then raises
            EvaluationStoppedError.
        measured_on: The data sets and the protocol, in words; the best is the best on these.
        start_epoch: The first epoch, from 1, that is followed by an evaluation.
        interval: Epochs between two evaluations from there.
        interval_steps: Evaluate after every so many steps too; 0: only after epochs.
        examples: Words shown of each data set.
        csv: Gets one row for each data set and evaluation.
        scalars: Gets accuracies and losses.
        target: Word accuracy at which the training ends.
    """

    run: Callable[[IsStopped], Mapping[str, Evaluation]]
    measured_on: str = ""
    start_epoch: int = 5
    interval: int = 1
    interval_steps: int = 0
    examples: int = 0
    csv: CsvLog | None = None
    scalars: Scalars | None = None
    target: float = math.inf

    def is_due(self, state: TrainState) -> bool:
        """Whether to evaluate in this state."""
        if self.interval_steps > 0 and state.step % self.interval_steps == 0:
            return True
        epochs_done, in_epoch = divmod(state.step, state.steps_per_epoch)
        since_start = epochs_done - self.start_epoch
        return in_epoch == 0 and since_start >= 0 and since_start % max(1, self.interval) == 0

    def is_made_up_for(self, state: TrainState, total_steps: int) -> bool:
        """Whether a resumed run has to evaluate where it begins: the one before ended before it could."""
        is_due = self.is_due(state) or state.step == total_steps
        return is_due and state.evaluated_step not in (state.step, -1)

    def evaluate(self, state: TrainState, is_stopped: IsStopped = lambda: False) -> tuple[TrainState, bool]:
        """Evaluates, logs and records.

        Args:
            state: Where the run is.
            is_stopped: Asked between batches.

        Returns:
            The state with the best accuracy (the mean over the data sets; where two are equal, by 1-NED), and
            whether it is this one.

        Raises:
            EvaluationStoppedError: If it is stopped; nothing is recorded then.
        """
        evaluations = self.run(is_stopped)
        state = replace(state, evaluated_step=state.step)
        if not evaluations:
            return state, False
        for name, evaluation in evaluations.items():
            if len(evaluations) > 1:
                _logger.info("%s:", name)
            for line in evaluation.lines() + example_lines(evaluation.predictions, self.examples):
                _logger.info("%s", line)
        self._record(state, evaluations)
        accuracies = [evaluation.accuracy.word_accuracy for evaluation in evaluations.values()]
        accuracy = sum(accuracies) / len(accuracies)
        if len(accuracies) > 1:
            _logger.info("mean word accuracy of %d data sets: %.2f %%", len(accuracies), 100 * accuracy)
        ned = sum(evaluation.accuracy.ned for evaluation in evaluations.values()) / len(evaluations)
        if (accuracy, ned) <= (state.best_accuracy, state.best_ned):
            _logger.info(
                "best word accuracy is still %.2f %%, of step %d", 100 * state.best_accuracy, state.best_step
            )
            return state, False
        return replace(
            state, best_accuracy=accuracy, best_ned=ned, best_step=state.step, best_of=self.measured_on
        ), True

    def _record(self, state: TrainState, evaluations: Mapping[str, Evaluation]) -> None:
        epoch = -(-state.step // state.steps_per_epoch)
        for name, evaluation in evaluations.items():
            found = evaluation.accuracy
            if self.csv is not None:
                figures = found.word_accuracy, found.ned, found.total
                part = f" (part of {evaluation.part_of} images)" if evaluation.part_of else ""
                loss = "" if evaluation.loss is None else evaluation.loss
                self.csv.append([(state.step, epoch, state.images_seen, name + part, *figures, loss)])
            if self.scalars is not None:
                values = {f"word_accuracy/{name}": found.word_accuracy, f"ned/{name}": found.ned}
                if evaluation.loss is not None:
                    values[f"evaluation_loss/{name}"] = evaluation.loss
                self.scalars(state.step, values)


def example_lines(predictions: list[Prediction], count: int) -> list[str]:
    """Some words, evenly spaced over the data set, as `raw => decoded, truth`: x before those misread."""
    if count <= 0 or not predictions:
        return []
    chosen = [predictions[i * len(predictions) // count] for i in range(min(count, len(predictions)))]
    raw, text = max(len(p.raw) for p in chosen), max(len(p.prediction) for p in chosen)
    return [
        f"{' ' if p.correct else 'x'} {p.raw:<{raw}} => {p.prediction + ',':<{text + 1}} {p.truth}"
        for p in chosen
    ]
