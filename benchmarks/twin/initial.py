"""Initial weights as other projects have them, in place of this project's.

Source: https://github.com/meijieru/crnn.pytorch, train.py, `weights_init`; https://github.com/baudm/parseq,
strhub/models/utils.py, `init_weights`; https://github.com/clovaai/deep-text-recognition-benchmark, train.py.
"""

from torch import nn

OURS, CRNN_PYTORCH, PARSEQ, DEEP_TEXT, PYTORCH = ORIGINS = (
    "ours",
    "crnn.pytorch",
    "parseq",
    "deep-text",
    "pytorch",
)
_DEVIATION = 0.02


def start_as(network: nn.Module, origin: str) -> None:
    """Draws every weight anew as a project does.

    Args:
        network: As `create_network` of a task made it.
        origin: One of `ORIGINS`: `ours` changes nothing, `pytorch` leaves what the modules begin with.
    """
    if origin == OURS:
        return
    for module in network.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    if origin == DEEP_TEXT:
        _fill_by_name(network)
    for module in network.modules():
        if origin == CRNN_PYTORCH:
            _fill_as_crnn_pytorch(module)
        elif origin == PARSEQ:
            _fill_as_parseq(module)


def _fill_as_crnn_pytorch(module: nn.Module) -> None:
    """Convolutions and batch norm; recurrent and dense layers and biases as PyTorch has them."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0, _DEVIATION)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, _DEVIATION)
        nn.init.zeros_(module.bias)


def _fill_as_parseq(module: nn.Module) -> None:
    """Convolutions, dense layers, batch norm; recurrent layers as PyTorch has them."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=_DEVIATION)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _fill_by_name(network: nn.Module) -> None:
    """deep-text's: all matrices by He et al. over the inputs, those of recurrent layers too; biases 0."""
    for name, parameter in network.named_parameters():
        if "bias" in name:
            nn.init.zeros_(parameter)
        elif parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter)
        else:
            nn.init.ones_(parameter)
