"""Which channels of V1 and V2 can be cut."""

from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.channels import ChannelGroup, Place
from crnn_mindspore.tasks.ctc.network_spec import LAYERS, NetworkSpec

_DIRECTIONS = ("", "_reverse")
_FIRST_LSTM = {"V1": "rnn.lstm1", "V2": "rnn.0.rnn"}


def channel_groups(network: NetworkSpec) -> tuple[ChannelGroup, ...]:
    """The seven convolutions; the last is read by the first LSTM.

    Raises:
        UserError: If not every convolution has batch norm.
    """
    if network.version not in LAYERS:
        raise UserError(
            f"model_version {network.version}: some of its convolutions have no batch norm, whose gamma says "
            f"what can be cut; networks that can be: {', '.join(LAYERS)}, resnet18, character_net"
        )
    layers = LAYERS[network.version]
    groups = []
    for layer, following in zip(layers, [*layers[1:], ""], strict=True):
        lstm = _FIRST_LSTM[network.version]
        readers = (
            [Place(f"vgg.{following}.conv.weight", 1)]
            if following
            else [Place(f"{lstm}.weight_ih_l0{direction}", 1) for direction in _DIRECTIONS]
        )
        groups.append(
            ChannelGroup(layer, (f"vgg.{layer}.bn",), (Place(f"vgg.{layer}.conv.weight"), *readers))
        )
    return tuple(groups)
