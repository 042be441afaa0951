"""The checkpoints of one training: when to save, under which names, which to keep."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from src.training.checkpoint import TrainState

_logger = logging.getLogger(__name__)

_NAME = re.compile(r"^crnn-(\d+)_(\d+)\.ckpt$")
BEST_NAME = "crnn-best.ckpt"


@dataclass(frozen=True)
class CheckpointFolder:
    """Saves into one folder.

    Attributes:
        folder: Made when needed.
        write: (path, state) -> writes a checkpoint there.
        interval: Steps between two checkpoints; 0 saves only the best and the last.
        keep: How many numbered ones stay; the best does not count.
        is_active: False for processes other than the main one.
    """

    folder: Path
    write: Callable[[str, TrainState], None]
    interval: int = 1000
    keep: int = 30
    is_active: bool = True

    def is_due(self, step: int) -> bool:
        """Whether to save when this many steps are done."""
        return self.interval > 0 and step % self.interval == 0

    def save(self, state: TrainState) -> Path:
        """Writes a numbered checkpoint and removes the oldest; returns its path."""
        path = self.path_of(state)
        if self.is_active:
            self.write(str(path), state)
            # By age, not by number: an earlier training may have left higher numbers in the folder.
            others = sorted((p for p in self.saved() if p != path), key=lambda p: p.stat().st_mtime_ns)
            for old in others[: max(0, len(others) + 1 - max(1, self.keep))]:
                old.unlink()
        return path

    def path_of(self, state: TrainState) -> Path:
        """`crnn-EPOCH_STEP.ckpt`, both from 1, the step within its epoch: the model zoo's names."""
        epoch, step = divmod(state.step - 1, state.steps_per_epoch)
        return self.folder / f"crnn-{epoch + 1}_{step + 1}.ckpt"

    def save_best(self, state: TrainState) -> None:
        """Replaces the best checkpoint."""
        if self.is_active:
            self.write(str(self.folder / BEST_NAME), state)
            _logger.info(
                "best so far: %.2f %%, saved to %s", 100 * state.best_accuracy, self.folder / BEST_NAME
            )

    def saved(self) -> list[Path]:
        """The numbered checkpoints, in the order of their numbers."""
        numbered = [(m, p) for p in self.folder.glob("crnn-*.ckpt") if (m := _NAME.match(p.name))]
        return [p for m, p in sorted(numbered, key=lambda pair: (int(pair[0][1]), int(pair[0][2])))]
