"""Which parts of a network compute in half precision."""

import mindspore as ms
from mindspore import nn

from crnn_mindspore.networks.cpu import WinogradConv2d
from crnn_mindspore.versions import version_tuple

FULL, HALF = "O0", "O2"

_FIRST_WITH_BROKEN_LSTM = (2, 3)


def set_precision(network: nn.Cell, level: str) -> None:
    """Chooses what computes in half precision; parameters, batch norm and the logits stay float32.

    O2: convolutions, LSTM, GRU and dense layers in float16. O0: nothing, but for the LSTM on Ascend from
    MindSpore 2.3 on, where the operator is reported to compute wrong results in float32
    (mindspore-lab/mindocr#688); one unrolled by `set_lstm_kernel` before stays in float32.

    Args:
        network: Before it is compiled.
        level: O0 or O2.
    """
    kinds: tuple[type[nn.Cell], ...] = ()
    if level == HALF:
        kinds = (nn.Conv2d, nn.LSTM, nn.GRU, nn.Dense)
    elif is_lstm_broken(ms.get_context("device_target"), ms.__version__):
        kinds = (nn.LSTM,)
    for _, cell in network.cells_and_names():
        if isinstance(cell, kinds) and (level == HALF or not getattr(cell, "is_unrolled", False)):
            cell.to_float(ms.float16)
        if level == HALF and isinstance(cell, nn.BatchNorm2d):
            cell.to_float(ms.float32)
        if level == HALF and isinstance(cell, WinogradConv2d):
            cell.is_direct = True  # Winograd's intermediate values lose too many digits


def is_lstm_broken(device_target: str, version: str) -> bool:
    """Whether the LSTM of a MindSpore version is reported broken in float32 on a device."""
    return device_target == "Ascend" and version_tuple(version) >= _FIRST_WITH_BROKEN_LSTM
