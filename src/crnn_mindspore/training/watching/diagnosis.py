"""Watches a training and says, once each, why it may not be learning."""

import logging
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from crnn_mindspore.data.checking.findings import Hint

_logger = logging.getLogger(__name__)

_WINDOW = 100  # updates whose mean loss is compared
_ALL_UNREAD = 0.95  # share of a batch's images without a reading, from which the network counts as silent
_FALLS = 0.01  # relative fall of the loss that counts as falling
_RISES = 3.0  # times the lowest loss, and one nat a character more, that count as rising

# Per optimiser the lowest and highest usual peak. Those of sgd and momentum are for the size of a step in
# the long run, learning_rate / (1 - momentum): the default, 0.02 at momentum 0.95, is 0.4.
_USUAL_RATES = {
    "sgd": (0.01, 5.0),
    "momentum": (0.01, 5.0),
    "adam": (1e-5, 0.02),
    "adamw": (1e-5, 0.02),
    "radam": (1e-5, 0.02),
    "rmsprop": (1e-5, 0.02),
}
_WARM_UP = "--lr_schedule=cosine_step --warmup_steps=1000"
_OVERFIT = "--overfit_batches=1 learns one batch by heart"


@dataclass(frozen=True)
class Update:
    """What the trainer tells of one update.

    Attributes:
        step: Its number, from 1.
        loss: Of the batch, before the update.
        learning_rate: With which it was made.
        unread: Share of the batch's images of which the network reads nothing: blanks at every time step.
        characters: Mean length of the batch's targets.
    """

    step: int
    loss: float
    learning_rate: float
    unread: float
    characters: float


class Diagnosis:
    """Collects the hints of one training; each key is logged as a warning and kept once.

    Args:
        blank_steps: Updates in a row without any reading after which that is said; 0: never.
        flat_steps: Updates over which the loss must have fallen; 0: no matter.
        num_characters: Size of the charset: guessing blindly costs log(num_characters) a character.
        known: What is known before the first update.
        is_logged: False for processes other than the main one.

    Attributes:
        hints: All so far.
    """

    def __init__(
        self,
        blank_steps: int = 3000,
        flat_steps: int = 5000,
        num_characters: int = 36,
        known: Sequence[Hint] = (),
        is_logged: bool = True,
    ) -> None:
        self.hints: list[Hint] = []
        self._blank_steps = blank_steps
        self._flat_windows = math.ceil(flat_steps / _WINDOW)
        self._far_from_good = math.log(num_characters) / 2  # nats a character
        self._is_logged = is_logged
        self._updates = 0
        self._unread_updates = 0  # in a row, up to now
        self._losses: list[float] = []  # of the window under way
        self._characters = 0.0
        self._means: deque[float] = deque(maxlen=max(2, self._flat_windows))
        self._lowest = math.inf
        for hint in known:
            self._add(hint)

    def update(self, update: Update) -> None:
        """Takes note of one update."""
        self._updates += 1
        self._unread_updates = self._unread_updates + 1 if update.unread >= _ALL_UNREAD else 0
        if self._blank_steps and self._unread_updates >= self._blank_steps:
            self._add(_all_blank(update, self._unread_updates))
        if self._updates == 1:
            self._lowest = update.loss
        self._losses.append(update.loss)
        self._characters += update.characters / _WINDOW
        if len(self._losses) == _WINDOW:
            self._end_window(update)

    def end(self, step: int) -> None:
        """Takes note that the training has ended, uninterrupted, after `step` updates."""
        if self._unread_updates >= _WINDOW:
            self._add(_blank_to_the_end(step, self._unread_updates))

    def _end_window(self, update: Update) -> None:
        mean, characters = sum(self._losses) / _WINDOW, self._characters
        self._losses, self._characters = [], 0.0
        self._means.append(mean)
        if mean > _RISES * self._lowest + characters:
            self._add(_rising_loss(update, mean, self._lowest))
        self._lowest = min(self._lowest, mean)
        if len(self._means) < self._flat_windows or not self._flat_windows:
            return
        half = len(self._means) // 2
        before = sum(list(self._means)[:half]) / half
        after = sum(list(self._means)[-half:]) / half
        is_silent = self._unread_updates >= _WINDOW
        if not is_silent and after > (1 - _FALLS) * before and after > self._far_from_good * characters:
            self._add(_flat_loss(update, after, characters, _WINDOW * len(self._means)))

    def _add(self, hint: Hint) -> None:
        if any(hint.key == known.key for known in self.hints):
            return
        self.hints.append(hint)
        if self._is_logged:
            _logger.warning("%s", hint)


def learning_rate_hint(
    optimizer: str, learning_rate: float, momentum: float, is_pretrained: bool
) -> Hint | None:
    """Says that a peak learning rate is far from the usual, None if it is not or the optimiser is not known.

    Args:
        optimizer: Its name.
        learning_rate: The peak.
        momentum: Of `sgd` and `momentum`.
        is_pretrained: Whether trained weights are the start: low is then usual.
    """
    if optimizer not in _USUAL_RATES:
        return None
    low, high = _USUAL_RATES[optimizer]
    name = optimizer
    if optimizer in ("sgd", "momentum"):
        low, high = low * (1 - momentum), high * (1 - momentum)
        name = f"{optimizer} with momentum {momentum:g}"
    if low <= learning_rate <= high or (is_pretrained and learning_rate < low):
        return None
    is_high = learning_rate > high
    message = (
        f"learning_rate {learning_rate:g} is far {'above' if is_high else 'below'} what is usual for {name}: "
        f"{low:.2g} to {high:.2g}."
    )
    consequence = "The loss will rise or become infinite" if is_high else "The loss will hardly fall"
    usual = math.sqrt(low * high)
    return Hint("learning_rate", message, f"{consequence}; try --learning_rate={usual:.1g}.")


def _all_blank(update: Update, updates: int) -> Hint:
    message = (
        f"Step {update.step}: nothing is read of any image since {updates:,} updates, all outputs are blank."
    )
    advice = (
        "That is normal for the first hundreds to thousands of updates and not for so many. Try a smaller "
        f"--batch_size, a --learning_rate 3 times lower or higher (now {update.learning_rate:.2g}), a "
        f"warm-up ({_WARM_UP}), shorter and plainer words first (--ordered_epochs); look at the labels with "
        f"`crnn check`; see whether {_OVERFIT}."
    )
    return Hint("all_blank", message, advice)


def _blank_to_the_end(step: int, updates: int) -> Hint:
    message = (
        f"The training ended at step {step}, and in its last {updates:,} updates nothing was read of any "
        "image: all outputs are blank."
    )
    advice = (
        "A young network answers with blanks alone for its first hundreds to thousands of updates. Train "
        "longer (--epoch_size, --max_steps); a smaller --batch_size gives more updates an epoch. If that "
        f"does not help, see whether {_OVERFIT}."
    )
    return Hint("all_blank", message, advice)


def _flat_loss(update: Update, loss: float, characters: float, updates: int) -> Hint:
    message = (
        f"Step {update.step}: the loss has not fallen for {updates:,} updates and is {loss:.3g}, "
        f"{loss / characters:.2g} a character: far from reading."
    )
    advice = (
        f"Try a --learning_rate 3 times lower or higher (now {update.learning_rate:.2g}). Do the labels "
        f"belong to their images? `crnn check --html` shows some; see whether {_OVERFIT}."
    )
    return Hint("flat_loss", message, advice)


def _rising_loss(update: Update, loss: float, lowest: float) -> Hint:
    message = (
        f"Step {update.step}: the loss has risen to {loss:.3g}, the mean of {_WINDOW} updates; it was "
        f"{lowest:.3g}."
    )
    advice = (
        f"The learning rate is too high: try a --learning_rate 3 to 10 times lower (now "
        f"{update.learning_rate:.2g}), a warm-up ({_WARM_UP}), and keep --clip_norm at 10."
    )
    return Hint("rising_loss", message, advice)
