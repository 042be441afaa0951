"""The checkpoints of one run: when to save, under which names, which to keep.

A folder may hold checkpoints of other runs, of the model zoo, of anybody. A run removes and replaces only
those whose state says that they are its own.
"""

import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from crnn_mindspore.artifacts.checkpoint_file import read_texts
from crnn_mindspore.artifacts.model_path import BEST_NAME, NUMBERED_NAME, in_order
from crnn_mindspore.errors import UserError
from crnn_mindspore.training.checkpoints.checkpoint import (
    TEMPORARY_GLOB,
    TrainState,
    read_checkpoint,
    read_state,
)
from crnn_mindspore.whole_file import put_aside, whole_file

_logger = logging.getLogger(__name__)

# `whole_file`'s names for the best and the numbered ones; MindSpore first writes to one that ends in .tmp.
_TEMPORARY_NAME = re.compile(r"^\.crnn(-best|(_\d+)?-\d+_\d+)\.\d+\.tmp\.(ckpt|tmp)$")


@dataclass
class CheckpointFolder:
    """Saves into one folder.

    Attributes:
        folder: Made when needed.
        write: (path, state) -> writes a checkpoint there.
        interval: Steps between two checkpoints; 0 saves only the best and the last.
        epochs: Epochs between two checkpoints, beside those of `interval`; 0: no others.
        keep: How many numbered ones of this run stay; the best does not count.
        is_active: False for processes other than the main one.
        goes_on_without: Whether a checkpoint that cannot be written (a full disk) is a warning and not the
            end of the training; the one after the last step must be written.
    """

    folder: Path
    write: Callable[[str, TrainState], None]
    interval: int = 1000
    epochs: int = 0
    keep: int = 30
    is_active: bool = True
    goes_on_without: bool = False
    _own: list[Path] = field(default_factory=list, init=False)  # numbered, the oldest first
    _resumed_from: Path | None = field(default=None, init=False)

    def begin(self, state: TrainState, resumed_from: Path | None = None) -> None:
        """Finds the checkpoints that this run has written so far.

        Args:
            state: Where the run begins or goes on.
            resumed_from: Its checkpoint, which is never removed or written onto.
        """
        self._resumed_from = resumed_from.resolve() if resumed_from else None
        own = [path for path in self._numbered() if _run_of(path) == state.run] if state.run else []
        self._own = [path for path in in_order(own) if path.resolve() != self._resumed_from]

    def is_due(self, state: TrainState) -> bool:
        """Whether to save in this state."""
        periods = self.interval, self.epochs * state.steps_per_epoch
        return any(period > 0 and state.step % period == 0 for period in periods)

    def save(self, state: TrainState, is_last: bool = False) -> bool:
        """Writes a numbered checkpoint and removes this run's oldest.

        Returns:
            Whether it was written.

        Raises:
            UserError: If it cannot be written; see `goes_on_without`. Those written before stay.
        """
        if not self.is_active:
            return True
        path = self.path_of(state)
        if _is_damaged(path):
            _give_other_name(path, "damaged")
        if not self._written(path, state, is_last):
            return False
        self._own = [*(own for own in self._own if own != path), path]
        while len(self._own) > max(1, self.keep):
            oldest = self._own.pop(0)
            if _run_of(oldest) == state.run:  # nobody has put another in its place
                oldest.unlink(missing_ok=True)
        return True

    def path_of(self, state: TrainState) -> Path:
        """`crnn-EPOCH_STEP.ckpt`, both from 1, the step within its epoch: the model zoo's names.

        Where that is a checkpoint of another run, or the one resumed from, `crnn_1-EPOCH_STEP.ckpt`.
        """
        epoch, step = divmod(state.step - 1, state.steps_per_epoch)
        place = f"{epoch + 1}_{step + 1}.ckpt"
        path, number = self.folder / f"crnn-{place}", 0
        while path not in self._own and path.exists() and not self._may_replace(path, state):
            number += 1
            path = self.folder / f"crnn_{number}-{place}"
        return path

    def save_best(self, state: TrainState) -> bool:
        """Replaces the best checkpoint; one of another run, or measured on other data, gets another name.

        Returns:
            Whether it was written.
        """
        if not self.is_active:
            return True
        path = self.folder / BEST_NAME
        if path.exists() and not self.has_best_of(state):
            _give_other_name(path, "of another run or other data")
        if not self._written(path, state, is_last=False):
            return False
        _logger.info("best so far: %.2f %%, saved to %s", 100 * state.best_accuracy, path)
        return True

    def has_best_of(self, state: TrainState) -> bool:
        """Whether there is a best checkpoint of this run, measured on the same data."""
        found = read_state(self.folder / BEST_NAME)
        return found is not None and (found.run, found.best_of) == (state.run, state.best_of)

    def bring_best(self, state: TrainState) -> bool:
        """Whether there is a best checkpoint of this run; one beside that resumed from is copied."""
        if self.has_best_of(state):
            return True
        if self._resumed_from is None or not self.is_active:
            return False
        there = self._resumed_from.parent / BEST_NAME
        found = read_state(there)
        if found is None or (found.run, found.best_of) != (state.run, state.best_of):
            return False
        own = self.folder / BEST_NAME
        if own.exists():
            _give_other_name(own, "of another run or other data")
        try:
            with whole_file(own, is_flushed=True) as half:
                shutil.copyfile(there, half)
        except OSError as error:
            raise UserError(f"{own}: {error.strerror}") from None
        return True

    def saved(self) -> list[Path]:
        """The numbered checkpoints of this run, the oldest first."""
        resumed = self._resumed_from
        return [*([resumed] if resumed and resumed.is_file() else []), *self._own]

    def runs_before(self) -> int:
        """How many runs have saved here before a new one, as far as their checkpoints tell."""
        states = [read_state(path) for path in [*self._numbered(), *self.folder.glob("crnn-best*.ckpt")]]
        return max((state.run_number + 1 for state in states if state is not None), default=0)

    def later(self, state: TrainState) -> list[Path]:
        """The numbered checkpoints of this run beyond a state, the oldest first."""
        found = []
        for path in in_order(self._numbered()):
            other = read_state(path)
            if other and (other.run, other.images_seen > state.images_seen) == (state.run, True):
                found.append(path)
        return found

    def newest(self) -> Path | None:
        """The newest whole checkpoint of any run, by what the states say, whatever the times of the files.

        Damaged ones are named in the log and left where they are.
        """
        numbered = self._numbered()
        without_state = [path for path in numbered if read_state(path) is None and not _is_damaged(path)]
        if without_state:
            _logger.warning(
                "%d checkpoints hold no training state and are not resumed from: %s%s",
                len(without_state),
                without_state[0],
                ", ..." if len(without_state) > 1 else "",
            )
        found = None
        for path in reversed(in_order(path for path in numbered if path not in without_state)):
            if found is not None and not _is_damaged(path):
                continue
            try:
                read_checkpoint(str(path))
                found = path
            except UserError as error:
                _logger.warning("%s; not resumed from", error)
        return found

    def _numbered(self) -> list[Path]:
        return [path for path in self.folder.glob("crnn*-*.ckpt") if NUMBERED_NAME.match(path.name)]

    def _may_replace(self, path: Path, state: TrainState) -> bool:
        if path.resolve() == self._resumed_from:
            return False
        return (bool(state.run) and _run_of(path) == state.run) or _is_damaged(path)

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


def remove_unfinished(folder: Path) -> None:
    """Removes what a run that was killed while it saved has left; only where no other run is alive."""
    for path in folder.glob(TEMPORARY_GLOB):
        if not (_TEMPORARY_NAME.match(path.name) and path.is_file()):
            continue
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _logger.warning("%s: incomplete, of a killed run, cannot be removed: %s", path, error.strerror)
        else:
            _logger.info("%s: removed an incomplete checkpoint of a killed run", path)


def _is_damaged(path: Path) -> bool:
    """Whether there is a file that is no whole checkpoint, of anybody."""
    try:
        if path.is_file():
            read_texts(str(path))
    except UserError:
        return True
    return False


def _give_other_name(path: Path, why: str) -> None:
    try:
        other = put_aside(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    _logger.info("%s: %s, kept as %s", path, why, other.name)


def _run_of(path: Path) -> str | None:
    state = read_state(path)
    return None if state is None else state.run
