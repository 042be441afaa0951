"""Learning rate as a pure function of the step."""

import math
from collections.abc import Callable, Sequence

from crnn_mindspore.errors import UserError

Schedule = Callable[[int], float]

SCHEDULES = ("cosine_epoch", "cosine_step", "trapezoid", "constant", "one_cycle", "step_decay", "epochs")


def create_schedule(
    name: str,
    peak: float,
    total_steps: int,
    steps_per_epoch: int,
    warmup_steps: int = 0,
    decay_steps: int = 0,
    decay_rate: float = 0.1,
    milestones: Sequence[tuple[int, float]] = (),
) -> Schedule:
    """The learning rate at a step (counted from 0).

    Args:
        name: `cosine_epoch`: half a cosine from the peak to 0, constant within an epoch, as the model zoo
            trains. `cosine_step`: linear rise over `warmup_steps`, then half a cosine over the rest.
            `trapezoid`: linear rise, the peak, linear fall to 0 over the last `decay_steps`; a training that
            stays on the peak can be prolonged at will. `constant`: the peak.
            `one_cycle`: half a cosine from peak / 25 up to the peak over `warmup_steps` (0: over 30 % of all
            steps), then half a cosine down to peak / 250,000 at the last step; the momentum stays. Source:
            Smith and Topin, Super-Convergence, 2018, in the two phases and with the constants of PyTorch's
            `OneCycleLR`.
            `step_decay`: linear rise over `warmup_steps`; after every `decay_steps`, counted from step 0, the
            peak is multiplied by `decay_rate`.
            `epochs`: the peak, and from each of `milestones` on its own rate; linear rise of the rate over
            `warmup_steps`.
        peak: Largest learning rate; with `epochs` the first.
        total_steps: Steps of the whole training.
        steps_per_epoch: Steps of one epoch.
        warmup_steps: Of all but `cosine_epoch` and `constant`.
        decay_steps: Of `trapezoid` and `step_decay`.
        decay_rate: Of `step_decay`, above 0 and at most 1.
        milestones: Of `epochs`; see `create_milestones`.

    Raises:
        UserError: If the name is unknown, a value is out of range or the warm-up does not leave a step.
    """
    if name not in SCHEDULES:
        raise UserError(f"lr_schedule is {name!r}, must be one of {', '.join(SCHEDULES)}")
    if not peak > 0 or not math.isfinite(peak):
        raise UserError(f"learning_rate is {peak}, must be above 0")
    final_steps = decay_steps if name == "trapezoid" else 0
    leaves_none = warmup_steps < 0 or decay_steps < 0 or warmup_steps + final_steps >= total_steps
    if leaves_none and name not in ("constant", "cosine_epoch"):
        raise UserError(
            f"warmup_steps {warmup_steps} and decay_steps {decay_steps} must leave some of the "
            f"{total_steps} steps"
        )
    if name == "step_decay" and (decay_steps == 0 or not 0 < decay_rate <= 1):
        raise UserError(
            f"lr_schedule step_decay: decay_steps is {decay_steps}, must be at least 1, and decay_rate "
            f"{decay_rate}, must be above 0 and at most 1"
        )
    if name == "epochs" and not milestones:
        raise UserError("lr_schedule epochs: lr_epochs is empty, must name epochs, such as 10,140,200")
    epochs = math.ceil(total_steps / steps_per_epoch)
    rising = warmup_steps or 0.3 * total_steps
    rates: dict[str, Schedule] = {
        "constant": lambda step: peak,
        "cosine_epoch": lambda step: _half_cosine(peak, step // steps_per_epoch, epochs),
        "cosine_step": lambda step: min(
            _rise(peak, step, warmup_steps),
            _half_cosine(peak, step - warmup_steps, total_steps - warmup_steps),
        ),
        "trapezoid": lambda step: min(
            _rise(peak, step, warmup_steps), peak * (total_steps - step) / max(1, decay_steps), peak
        ),
        "one_cycle": lambda step: _one_cycle(peak, step, rising, total_steps),
        "step_decay": lambda step: min(
            _rise(peak, step, warmup_steps), peak * decay_rate ** (step // decay_steps)
        ),
        "epochs": lambda step: _rise(_latest(peak, step // steps_per_epoch, milestones), step, warmup_steps),
    }
    return rates[name]


def create_milestones(
    epochs: str, values: str, peak: float, decay_rate: float, scale: float = 1.0
) -> tuple[tuple[int, float], ...]:
    """Epochs done -> the learning rate from there on, as the options `lr_epochs` and `lr_values` say.

    Args:
        epochs: Whole numbers with commas between, rising.
        values: As many learning rates; empty: at each milestone the rate is multiplied by `decay_rate`.
        peak: The rate before the first milestone.
        decay_rate: Above 0 and at most 1.
        scale: The values are multiplied by it, as the peak was.

    Raises:
        UserError: If something is not a number, out of range or out of order, or their counts differ.
    """
    starts = [int(start) for start in _numbers("lr_epochs", epochs, int)]
    if starts != sorted(set(starts)):
        raise UserError(f"lr_epochs is {epochs!r}, its epochs must rise")
    if not values:
        if not 0 < decay_rate <= 1:
            raise UserError(f"lr_schedule epochs: decay_rate is {decay_rate}, must be above 0 and at most 1")
        return tuple((start, peak * decay_rate**k) for k, start in enumerate(starts, start=1))
    rates = _numbers("lr_values", values, float)
    if len(rates) != len(starts):
        raise UserError(
            f"lr_values {values!r} are {len(rates)}, lr_epochs {epochs!r} are {len(starts)}: "
            "each epoch needs a learning rate; before the first it is learning_rate"
        )
    return tuple((start, rate * scale) for start, rate in zip(starts, rates, strict=True))


def _numbers(option: str, text: str, kind: type[int] | type[float]) -> list[float]:
    """The numbers of a list, each above 0."""
    numbers: list[float] = []
    for part in text.split(",") if text.strip() else []:
        try:
            numbers.append(kind(part))
        except ValueError:
            numbers.append(math.nan)
        if not 0 < numbers[-1] < math.inf:
            wanted = "whole numbers" if kind is int else "numbers"
            raise UserError(f"{option} is {text!r}, must be {wanted} above 0 with commas between")
    return numbers


def _latest(peak: float, epoch: int, milestones: Sequence[tuple[int, float]]) -> float:
    """The rate of the last milestone that is reached in an epoch (from 0)."""
    return next((rate for start, rate in reversed(milestones) if epoch >= start), peak)


def _rise(peak: float, step: int, warmup_steps: int) -> float:
    return peak * (step + 1) / warmup_steps if step < warmup_steps else peak


def _half_cosine(peak: float, position: float, end: float) -> float:
    return 0.5 * peak * (1 + math.cos(math.pi * min(max(position, 0), end) / end))


def _one_cycle(peak: float, step: int, warmup_steps: float, total_steps: int) -> float:
    top = max(0.0, warmup_steps - 1)  # the step of the peak; between two steps where it is no whole number
    if step < top:
        start = peak / 25
        return start + _half_cosine(peak - start, top - step, top)
    end = peak / 25e4
    return end + _half_cosine(peak - end, step - top, max(1, total_steps - 1 - top))
