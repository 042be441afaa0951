"""What training and MindSpore's engine need of positions: networks, losses, carrying weights over."""

import logging
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from crnn_mindspore.engines.mindspore.parameters import load_weights, network_weights
from crnn_mindspore.networks.character_net import DROPOUT, CharacterNet
from crnn_mindspore.networks.resnet import ResNet18
from crnn_mindspore.tasks.interface import Model
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.growth import grow_positions, growth_lines
from crnn_mindspore.tasks.positions.layout import Layout
from crnn_mindspore.tasks.positions.learning.losses import PositionsLoss, create_loss
from crnn_mindspore.tasks.positions.network_spec import RESNET18

_CLASS_LAYER = "head.dense"
_ABSENT = -1e9  # added to the scores of classes that a position lacks

_logger = logging.getLogger(__name__)


class PositionsLearner:
    """ResNet-18 or the five convolutions, and the loss that the options ask for."""

    def create_network(self, artifact: Model, use_dropout: bool) -> nn.Cell:
        """The network an artifact describes, freshly initialised."""
        layout = _layout(artifact)
        sizes = len(layout), layout.num_classes, layout.mask
        spec, image = artifact.network, artifact.preprocessing
        if spec.version == RESNET18:
            return ResNet18(
                *sizes,
                block=spec.resnet_block,
                channel_scale=spec.channel_scale,
                stem=(spec.stem_stride, spec.stem_pooling),
                last_channels=spec.last_channels,
                in_channels=image.channels,
                image_size=None if spec.map_mean else (image.height, image.width),
                channels=spec.channels,
            )
        return CharacterNet(
            *sizes,
            channel_scale=spec.channel_scale,
            image_size=(image.height, image.width),
            in_channels=image.channels,
            dropout=DROPOUT if use_dropout else 0.0,
            channels=spec.channels,
        )

    def create_loss(self, artifact: Model, options: Any) -> nn.Cell:
        """Cross entropy, focal or harmonised."""
        return LossOfTargets(_loss_of(artifact, options))

    def create_losses(self, artifact: Model, options: Any) -> nn.Cell:
        """The same of each image."""
        return LossesOfTargets(_loss_of(artifact, options)).set_train(False)

    def create_unread(self, artifact: Model) -> nn.Cell:
        """Every image is read as something."""
        return NothingUnread()

    def create_accuracy(self, artifact: Model) -> nn.Cell:
        """Texts that are right as far as they are known."""
        return TextsRight(_layout(artifact))

    def load_pretrained(self, network: nn.Cell, checkpoint: Any, wanted: Any, origin: str) -> None:
        """Weights by name; those of the last layer by class, of positions of the same name."""
        own = checkpoint.artifact
        weights, fresh = checkpoint.weights, network_weights(network)
        if own is None or not isinstance(own.codec, PositionsCodec):
            left = sorted(name for name in fresh if name.startswith("head."))
            _logger.info("%s has no positions: %d parameters start anew", origin, len(left))
            weights = {**weights, **{name: fresh[name] for name in left}}
        elif own.codec != wanted.codec:
            old, new = own.codec.layout, _layout(wanted)
            for line in growth_lines(old, new):
                _logger.info("%s", line)
            weights = grow_positions(weights, fresh, _CLASS_LAYER, old, new, origin)
        load_weights(network, weights, origin)


class LossOfTargets(nn.Cell):
    """A loss of (scores, targets) that is given the lengths of the targets too, which are all the same."""

    def __init__(self, loss: nn.Cell) -> None:
        super().__init__()
        self.loss = loss

    def construct(self, scores: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        return self.loss(scores, targets)


class LossesOfTargets(LossOfTargets):
    """The loss of each image, (N,) float32."""

    def construct(self, scores: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        return self.loss.losses(scores, targets).sum(axis=0)


class TextsRight(nn.Cell):
    """Share of texts that are read as far as their labels know them, of those known at all; a scalar float32.

    The most probable class is taken at every position. With no text known, the share is 0.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__(auto_prefix=False)
        self.length = len(layout.text)
        self.absent = Tensor(np.where(layout.mask[:, None], 0, _ABSENT).astype(np.float32))  # (T,1,K)

    def construct(self, scores: Tensor, targets: Tensor) -> Tensor:
        ids = targets.swapaxes(0, 1)[: self.length]  # (N,T) -> (T,N)
        best = (ops.stop_gradient(scores).astype(ms.float32) + self.absent).argmax(axis=-1)[: self.length]
        is_known = (ids >= 0).astype(ms.float32)
        is_right = ops.amin(1 - is_known * (best != ids).astype(ms.float32), axis=0)  # (N,)
        is_text = ops.amax(is_known, axis=0)
        return (is_right * is_text).sum() / ops.maximum(is_text.sum(), ops.ones((), ms.float32))


class NothingUnread(nn.Cell):
    """0: a class is read at every position."""

    def construct(self, scores: Tensor) -> Tensor:
        return ops.zeros((), ms.float32)


def _loss_of(artifact: Model, options: Any) -> PositionsLoss:
    return create_loss(
        options.loss,
        _layout(artifact),
        options.label_smoothing,
        options.focal_gamma,
        options.focal_alpha,
        options.ghm_bins,
        options.ghm_momentum,
        options.ghm_joint,
    )


def _layout(artifact: Model) -> Layout:
    assert isinstance(artifact.codec, PositionsCodec), artifact.codec
    return artifact.codec.layout
