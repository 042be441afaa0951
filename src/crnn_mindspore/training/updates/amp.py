"""Automatic mixed precision: the level, and the scaling of the loss that half precision needs."""

from mindspore import amp

from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.half_precision import FULL, HALF
from crnn_mindspore.training.updates.step import Scaler

AUTO = "auto"
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


def create_scaler(level: str, loss_scale: float) -> Scaler | None:
    """What keeps small gradients from vanishing in half precision; None where nothing computes in it.

    Args:
        level: O0 or O2.
        loss_scale: A fixed factor, or 0: starts at 65,536, is halved when gradients overflow, and doubled
            after 2,000 updates without.

    Raises:
        UserError: If the factor is below 1 and not 0.

    Source: Micikevicius et al. 2018, section 3.2.
    """
    if loss_scale and loss_scale < 1:
        raise UserError(f"loss_scale is {loss_scale:g}, must be 0 (dynamic) or at least 1")
    if level != HALF:
        return None
    if loss_scale:
        return amp.StaticLossScaler(loss_scale)
    return amp.DynamicLossScaler(LARGEST_SCALE, _SCALE_FACTOR, _SCALE_WINDOW)
