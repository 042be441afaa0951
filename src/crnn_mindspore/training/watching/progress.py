"""What a training shows and records: the log line, the progress bar, the CSV."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from tqdm.contrib.logging import logging_redirect_tqdm

from crnn_mindspore.progress_bar import is_terminal, progress_bar
from crnn_mindspore.training.watching.csv_log import CsvLog
from crnn_mindspore.training.watching.tensorboard import Scalars

_logger = logging.getLogger(__name__)

Item = TypeVar("Item")

CSV_COLUMNS = ("step", "epoch", "images_seen", "loss", "learning_rate", "gradient_norm", "images_per_second")
ACCURACY = "accuracy"  # a further column, where the accuracy of the batches is known


class Progress:
    """Collects the steps and reports them every `interval` steps.

    Args:
        total_steps: Steps of the whole training.
        first_step: Steps already done.
        first_images: Images already seen; 0 in a new run, which puts the CSV of an earlier one aside.
        steps_per_epoch: For the log line.
        interval: Steps between two log lines and CSV rows.
        csv_path: A resumed training continues its file; None writes none.
        is_shown: False for processes other than the main one.
        scalars: Gets the figures of every line too.
        has_accuracy: Whether each step comes with the accuracy of its batch.
        keeps_dropped: Whether the CSV is kept under another name where rows beyond `first_images` go.

    Loss, accuracy and step time of a line are means over the steps since the line before.
    """

    def __init__(
        self,
        total_steps: int,
        first_step: int,
        first_images: int,
        steps_per_epoch: int,
        interval: int,
        csv_path: Path | None,
        is_shown: bool = True,
        scalars: Scalars | None = None,
        has_accuracy: bool = False,
        keeps_dropped: bool = False,
    ) -> None:
        self._steps_per_epoch = steps_per_epoch
        self._epochs = -(-total_steps // steps_per_epoch)
        self._interval = max(1, interval)
        self._scalars = scalars
        self._columns = (*CSV_COLUMNS, ACCURACY) if has_accuracy else CSV_COLUMNS
        self._csv = CsvLog(csv_path if is_shown else None, self._columns)
        self._csv.begin(first_images, keeps_dropped=keeps_dropped)
        self._is_shown = is_shown
        self._bar = progress_bar(
            total=total_steps, initial=first_step, unit="step", desc="training", disable=not is_shown
        )
        # Keeps log lines and the bar apart on a terminal; in a log file both are lines of their own.
        loggers = [logging.getLogger("crnn_mindspore")]
        self._redirect = logging_redirect_tqdm(loggers) if is_shown and is_terminal() else nullcontext()
        self._epoch_seconds, self._epoch_waited, self._epoch_steps = 0.0, 0.0, 0
        self._forget()

    def __enter__(self) -> "Progress":
        self._redirect.__enter__()
        self._forget()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._losses:  # of an interval that the end has cut short
            self._report(*self._latest)
        self._redirect.__exit__(kind, value, trace)
        self._bar.close()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keeps time spent on something else, such as an evaluation, out of the step time."""
        start = time.perf_counter()
        yield
        self._since += time.perf_counter() - start

    def waiting(self, batches: Iterator[Item]) -> Iterator[Item]:
        """The same, with the time taken in which the training waits for them."""
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            self._epoch_waited += time.perf_counter() - start
            if batch is None:
                return
            yield batch

    def step(
        self,
        step: int,
        images: int,
        images_seen: int,
        loss: float,
        learning_rate: float,
        norm: float,
        accuracy: float | None = None,
    ) -> None:
        """Takes note of update number `step` (from 0) on `images` images."""
        self._losses.append(loss)
        if accuracy is not None:
            self._accuracies.append(accuracy)
        self._images += images
        self._bar.update()
        in_epoch = step % self._steps_per_epoch + 1
        self._latest = step, images_seen, loss, learning_rate, norm
        if (step + 1) % self._interval == 0 or in_epoch == self._steps_per_epoch:
            self._report(*self._latest)

    def _report(self, step: int, images_seen: int, loss: float, learning_rate: float, norm: float) -> None:
        """Shows and records the steps since the last time, of which `step` is the latest."""
        in_epoch = step % self._steps_per_epoch + 1
        seconds = time.perf_counter() - self._since
        mean_loss = sum(self._losses) / len(self._losses)
        epoch = step // self._steps_per_epoch + 1
        rate = self._images / seconds
        accuracy = [sum(self._accuracies) / len(self._accuracies)] if self._accuracies else []
        self._epoch_seconds += seconds
        self._epoch_steps += len(self._losses)
        if self._is_shown:
            self._bar.set_postfix_str(f"loss {mean_loss:.3f}, {rate:.0f} images/s", refresh=False)
            _logger.info(
                "epoch: [%d/%d] step: [%d/%d], loss: %.6f, lr: %.6f, per step time: %.3f ms%s",
                epoch,
                self._epochs,
                in_epoch,
                self._steps_per_epoch,
                mean_loss,
                learning_rate,
                1000 * seconds / len(self._losses),
                "".join(f", accuracy: {share:.4f}" for share in accuracy),
            )
            if in_epoch == self._steps_per_epoch:
                self._end_epoch(epoch, loss)
        row = (step + 1, epoch, images_seen, mean_loss, learning_rate, norm, rate, *accuracy)
        self._csv.append([row])
        if self._scalars is not None:
            self._scalars(step + 1, dict(zip(self._columns[3:], row[3:], strict=True)))
        self._forget()

    def _end_epoch(self, epoch: int, loss: float) -> None:
        """The model zoo's two lines, and one of the data; of the steps made here, in a resumed epoch."""
        _logger.info("epoch: %d step: %d, loss is %.10g", epoch, self._steps_per_epoch, loss)
        _logger.info(
            "Epoch time: %.3fs, per step time: %.3fs",
            self._epoch_seconds,
            self._epoch_seconds / self._epoch_steps,
        )
        _logger.info(
            "waited for data: %.3fs, %.1f %% of the epoch",
            self._epoch_waited,
            100 * self._epoch_waited / self._epoch_seconds,
        )
        self._epoch_seconds, self._epoch_waited, self._epoch_steps = 0.0, 0.0, 0

    def _forget(self) -> None:
        self._losses: list[float] = []
        self._accuracies: list[float] = []
        self._images = 0
        self._since = time.perf_counter()
