"""What training and MindSpore's engine need of CTC: CRNN, the loss, and how weights are carried over."""

from typing import Any

from mindspore import nn

from crnn_mindspore.networks.crnn import CRNN
from crnn_mindspore.networks.image_network import ImageNetwork
from crnn_mindspore.networks.pytorch_crnn import PyTorchCRNN
from crnn_mindspore.tasks.ctc.charset_in import charset_in
from crnn_mindspore.tasks.ctc.learning.ctc_loss import CTCLoss, CTCLosses, UnreadShare
from crnn_mindspore.tasks.ctc.learning.pretrained import load_pretrained
from crnn_mindspore.tasks.ctc.network_spec import PyTorchSpec
from crnn_mindspore.tasks.interface import Model


class CtcLearner:
    """CRNN, its loss, and what it reads of a batch."""

    def create_network(self, artifact: Model, use_dropout: bool) -> ImageNetwork:
        """The network an artifact describes, freshly initialised."""
        spec, image = artifact.network, artifact.preprocessing
        if isinstance(spec, PyTorchSpec):
            return PyTorchCRNN(
                num_classes=artifact.codec.num_classes,
                hidden_size=spec.hidden_size,
                version=spec.version,
                channel_scale=spec.channel_scale,
                image_height=image.height,
                in_channels=image.channels,
                leaky_slope=spec.leaky_slope,
                rnn_type=spec.rnn_type,
            )
        return CRNN(
            num_classes=artifact.codec.num_classes,
            hidden_size=spec.hidden_size,
            version=spec.version,
            channel_scale=spec.channel_scale,
            image_height=image.height,
            use_dropout=use_dropout,
            in_channels=image.channels,
            channels=spec.channels,
        )

    def create_loss(self, artifact: Model, options: Any) -> CTCLoss:
        """The CTC loss."""
        return CTCLoss(charset_in(artifact).blank, options.ctc_operator)

    def create_losses(self, artifact: Model, options: Any) -> CTCLosses:
        """The CTC loss of each image."""
        return CTCLosses(charset_in(artifact).blank, options.ctc_operator)

    def create_unread(self, artifact: Model) -> UnreadShare:
        """Images whose best class is the blank at every step."""
        return UnreadShare(charset_in(artifact).blank)

    def create_accuracy(self, artifact: Model) -> None:
        """None: a text has to be decoded first."""

    def load_pretrained(self, network: nn.Cell, checkpoint: Any, wanted: Any, origin: str) -> None:
        """Weights by name; classes by their characters."""
        load_pretrained(network, checkpoint, wanted, origin)
