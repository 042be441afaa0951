"""Learning rate as a pure function of the step."""

import math
from collections.abc import Callable

from src.errors import UserError

Schedule = Callable[[int], float]


def create_schedule(
    name: str,
    peak: float,
    total_steps: int,
    steps_per_epoch: int,
    warmup_steps: int = 0,
    decay_steps: int = 0,
) -> Schedule:
    """The learning rate at a step (counted from 0).

    Args:
        name: `cosine_epoch`: half a cosine from the peak to 0, constant within an epoch, as the model zoo
            trains. `cosine_step`: linear rise over `warmup_steps`, then half a cosine over the rest.
            `trapezoid`: linear rise, the peak, linear fall to 0 over the last `decay_steps`; a training that
            stays on the peak can be prolonged at will. `constant`: the peak.
        peak: Largest learning rate.
        total_steps: Steps of the whole training.
        steps_per_epoch: Steps of one epoch.
        warmup_steps: Of `cosine_step` and `trapezoid`.
        decay_steps: Of `trapezoid`.

    Raises:
        UserError: If the name is unknown or the warm-up does not leave a step.
    """
    if not peak > 0 or not math.isfinite(peak):
        raise UserError(f"learning_rate is {peak}, must be above 0")
    if name == "constant":
        return lambda step: peak
    if name == "cosine_epoch":
        epochs = math.ceil(total_steps / steps_per_epoch)
        return lambda step: _half_cosine(peak, step // steps_per_epoch, epochs)
    if warmup_steps < 0 or decay_steps < 0 or warmup_steps + decay_steps >= total_steps:
        raise UserError(
            f"warmup_steps {warmup_steps} and decay_steps {decay_steps} must leave some of the "
            f"{total_steps} steps"
        )
    if name == "cosine_step":
        return lambda step: min(
            _rise(peak, step, warmup_steps),
            _half_cosine(peak, step - warmup_steps, total_steps - warmup_steps),
        )
    if name == "trapezoid":
        return lambda step: min(
            _rise(peak, step, warmup_steps), peak * (total_steps - step) / max(1, decay_steps), peak
        )
    raise UserError(f"lr_schedule is {name!r}, must be one of cosine_epoch, cosine_step, trapezoid, constant")


def _rise(peak: float, step: int, warmup_steps: int) -> float:
    return peak * (step + 1) / warmup_steps if step < warmup_steps else peak


def _half_cosine(peak: float, position: int, end: int) -> float:
    return 0.5 * peak * (1 + math.cos(math.pi * min(max(position, 0), end) / end))
