"""Which parts of the network compute in half precision, and the scaling of the loss that this needs."""

import mindspore as ms
from mindspore import amp, nn

from src.crnn import ConvBatchNorm
from src.crnn_for_train import Scaler
from src.errors import UserError
from src.training.runtime import version_tuple

AUTO, FULL, HALF = AMP_LEVELS = ("auto", "O0", "O2")
LARGEST_SCALE = 2.0**16
_SCALE_FACTOR, _SCALE_WINDOW = 2, 2000  # the published values

_FIRST_WITH_BROKEN_LSTM = (2, 3)


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


def set_precision(network: nn.Cell, level: str) -> None:
    """Chooses what computes in half precision; parameters, batch norm and the logits stay float32.

    O2: convolutions, LSTM and dense layers in float16. O0: nothing, but for the LSTM on Ascend from MindSpore
    2.3 on, where it is reported to compute wrong results in float32.

    Args:
        network: Before it is compiled.
        level: O0 or O2.
    """
    kinds: tuple[type[nn.Cell], ...] = ()
    if level == HALF:
        kinds = (nn.Conv2d, nn.LSTM, nn.Dense)
    elif is_lstm_broken(ms.get_context("device_target"), ms.__version__):
        kinds = (nn.LSTM,)
    for _, cell in network.cells_and_names():
        if isinstance(cell, kinds):
            cell.to_float(ms.float16)
        if level == HALF and isinstance(cell, nn.BatchNorm2d):
            cell.to_float(ms.float32)
        if level == HALF and isinstance(cell, ConvBatchNorm):
            cell.has_winograd = False  # its intermediate values lose too many digits


def is_lstm_broken(device_target: str, version: str) -> bool:
    """Whether the LSTM of a MindSpore version is reported broken in float32 on a device."""
    return device_target == "Ascend" and version_tuple(version) >= _FIRST_WITH_BROKEN_LSTM


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
