"""The checkpoints of one training: when to save, under which names, which to keep."""

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.training.checkpoints.checkpoint import TEMPORARY_GLOB, TrainState, read_checkpoint

_logger = logging.getLogger(__name__)

_NAME = re.compile(r"^crnn-(\d+)_(\d+)\.ckpt$")
BEST_NAME = "crnn-best.ckpt"


@dataclass
class CheckpointFolder:
    """Saves into one folder.

    Attributes:
        folder: Made when needed.
        write: (path, state) -> writes a checkpoint there.
        interval: Steps between two checkpoints; 0 saves only the best and the last.
        epochs: Epochs between two checkpoints, beside those of `interval`; 0: no others.
        keep: How many numbered ones stay; the best does not count.
        is_active: False for processes other than the main one.
        protected: A checkpoint that is never removed: the one this training goes on from.
        goes_on_without: Whether a checkpoint that cannot be written (a full disk) is a warning and not the
            end of the training; the one after the last step must be written.
    """

    folder: Path
    write: Callable[[str, TrainState], None]
    interval: int = 1000
    epochs: int = 0
    keep: int = 30
    is_active: bool = True
    protected: Path | None = None
    goes_on_without: bool = False

    def is_due(self, state: TrainState) -> bool:
        """Whether to save in this state."""
        periods = self.interval, self.epochs * state.steps_per_epoch
        return any(period > 0 and state.step % period == 0 for period in periods)

    def save(self, state: TrainState, is_last: bool = False) -> bool:
        """Writes a numbered checkpoint and removes the oldest.

        Returns:
            Whether it was written.

        Raises:
            UserError: If it cannot be written; see `goes_on_without`. Those written before stay.
        """
        if not self.is_active:
            return True
        path = self.path_of(state)
        if not self._written(path, state, is_last):
            return False
        # By age, not by number: an earlier training may have left higher numbers in the folder.
        removable = [p for p in self.saved() if p not in (path, self.protected)]
        for old in removable[: max(0, len(removable) + 1 - max(1, self.keep))]:
            old.unlink(missing_ok=True)
        return True

    def path_of(self, state: TrainState) -> Path:
        """`crnn-EPOCH_STEP.ckpt`, both from 1, the step within its epoch: the model zoo's names."""
        epoch, step = divmod(state.step - 1, state.steps_per_epoch)
        return self.folder / f"crnn-{epoch + 1}_{step + 1}.ckpt"

    def save_best(self, state: TrainState) -> None:
        """Replaces the best checkpoint."""
        if self.is_active and self._written(self.folder / BEST_NAME, state, is_last=False):
            _logger.info(
                "best so far: %.2f %%, saved to %s", 100 * state.best_accuracy, self.folder / BEST_NAME
            )

    def saved(self) -> list[Path]:
        """The numbered checkpoints, the oldest first; those of one age by their numbers."""
        found = []
        for path in self.folder.glob("crnn-*.ckpt"):
            match = _NAME.match(path.name)
            with suppress(FileNotFoundError):  # removed meanwhile
                if match:
                    found.append((path.stat().st_mtime_ns, int(match[1]), int(match[2]), path))
        return [path for *_, path in sorted(found)]

    def newest(self) -> Path | None:
        """The newest whole checkpoint; damaged ones are named in the log and left where they are."""
        for path in reversed(self.saved()):
            try:
                if read_checkpoint(str(path)).state is not None:
                    return path
                _logger.warning("%s: holds no training state, not resumed from", path)
            except UserError as error:
                _logger.warning("%s; not resumed from", error)
        return None

    def remove_unfinished(self) -> None:
        """Removes what a training that was killed while it saved has left."""
        if self.is_active:
            for path in self.folder.glob(TEMPORARY_GLOB):
                _logger.info("%s: half a checkpoint of a training that was killed, removed", path)
                path.unlink(missing_ok=True)

    def _written(self, path: Path, state: TrainState, is_last: bool) -> bool:
        try:
            self.write(str(path), state)
        except UserError as error:
            if is_last or not self.goes_on_without:
                saved = self.saved()
                left = f"the newest checkpoint is {saved[-1]}" if saved else "there is no earlier checkpoint"
                raise UserError(f"{error}; training stops at step {state.step}, {left}") from None
            _logger.warning("%s; training goes on without it", error)
            return False
        return True
