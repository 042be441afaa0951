"""Automatic mixed precision: the level, and the scaling of the loss that half precision needs."""

import math

from mindspore import amp

from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.half_precision import FULL, HALF
from crnn_mindspore.training.updates.step import Scaler

AUTO = "auto"
DYNAMIC = 0.0
AMP_LEVELS = (AUTO, FULL, HALF)
LARGEST_SCALE = 2.0**16
_SCALE_FACTOR, _SCALE_WINDOW = 2, 2000  # the published values


def resolve_level(level: str, device_target: str) -> str:
    """O0 or O2; `auto` is O2 on Ascend.

    Raises:
        UserError: If there is no such level.
    """
    if level not in AMP_LEVELS:
        raise UserError(f"amp_level is {level!r}, must be one of {', '.join(AMP_LEVELS)}")
    if level == AUTO:
        return HALF if device_target == "Ascend" else FULL
    return level


def scale_of(loss_scale: str) -> float:
    """The option as a number, 0 for a dynamic scale and for one that was left open.

    Raises:
        UserError: If it is none, below 1 and not 0.
    """
    try:
        scale = DYNAMIC if loss_scale == AUTO else float(loss_scale)
    except ValueError:
        scale = math.nan
    if scale == DYNAMIC or 1 <= scale < math.inf:
        return scale
    raise UserError(f"loss_scale is {loss_scale}, must be auto, 0 (dynamic) or at least 1")


def create_scaler(is_half: bool, loss_scale: float) -> Scaler | None:
    """What keeps small gradients from vanishing in half precision; None where nothing computes in it.

    Args:
        is_half: Whether anything does: at O2, and at O0 the LSTM on Ascend.
        loss_scale: A fixed factor, or 0: starts at 65,536, is halved when gradients overflow, and doubled
            after 2,000 updates without.

    Source: Micikevicius et al. 2018, section 3.2.
    """
    if not is_half:
        return None
    if loss_scale:
        return amp.StaticLossScaler(loss_scale)
    return amp.DynamicLossScaler(LARGEST_SCALE, _SCALE_FACTOR, _SCALE_WINDOW)
