"""Learning rate as a pure function of the step."""

import math
from collections.abc import Callable

from crnn_mindspore.errors import UserError

Schedule = Callable[[int], float]


def create_schedule(
    name: str,
    peak: float,
    total_steps: int,
    steps_per_epoch: int,
    warmup_steps: int = 0,
    decay_steps: int = 0,
    decay_rate: float = 0.1,
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
        peak: Largest learning rate.
        total_steps: Steps of the whole training.
        steps_per_epoch: Steps of one epoch.
        warmup_steps: Of all but `cosine_epoch` and `constant`.
        decay_steps: Of `trapezoid` and `step_decay`.
        decay_rate: Of `step_decay`, above 0 and at most 1.

    Raises:
        UserError: If the name is unknown, a value is out of range or the warm-up does not leave a step.
    """
    if not peak > 0 or not math.isfinite(peak):
        raise UserError(f"learning_rate is {peak}, must be above 0")
    if name == "constant":
        return lambda step: peak
    if name == "cosine_epoch":
        epochs = math.ceil(total_steps / steps_per_epoch)
        return lambda step: _half_cosine(peak, step // steps_per_epoch, epochs)
    final_steps = decay_steps if name == "trapezoid" else 0
    if warmup_steps < 0 or decay_steps < 0 or warmup_steps + final_steps >= total_steps:
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
    if name == "one_cycle":
        return lambda step: _one_cycle(peak, step, warmup_steps or 0.3 * total_steps, total_steps)
    if name == "step_decay":
        if decay_steps == 0 or not 0 < decay_rate <= 1:
            raise UserError(
                f"lr_schedule step_decay: decay_steps is {decay_steps}, must be at least 1, and decay_rate "
                f"{decay_rate}, must be above 0 and at most 1"
            )
        return lambda step: min(_rise(peak, step, warmup_steps), peak * decay_rate ** (step // decay_steps))
    raise UserError(
        f"lr_schedule is {name!r}, must be one of cosine_epoch, cosine_step, trapezoid, constant, one_cycle, "
        "step_decay"
    )


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
