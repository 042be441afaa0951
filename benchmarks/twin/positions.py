"""Positions in PyTorch: ResNet-18 and the character network with the losses of ours."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_positions import TorchCharacterNet, TorchResNet18
from benchmarks.twin.worker import Targets
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import OPEN
from crnn_mindspore.tasks.positions.network_spec import RESNET18

Ints = npt.NDArray[np.int32]

# As in `crnn_mindspore.networks`, which cannot be imported without MindSpore.
_STAGE_CHANNELS = (64, 128, 256)
_CHARACTER_CHANNELS = (64, 128, 256, 512, 512)
_DENSE_WIDTH, _DROPOUT, _REDUCTION = 1024, 0.2, 16
_HEAD_DEVIATION = 0.01
_ABSENT = -1e4  # added to the scores of classes that a position lacks
_LEAST = 1e-6  # of what is raised to a power


class PositionsTask:
    """Plates and single characters: a class a position, open positions left out.

    Args:
        artifact: Layout, image size, version and sizes of the network.
        options: Of training: `use_dropout`, `loss` and what belongs to it.
    """

    name = "positions"

    def __init__(self, artifact: Artifact, options: Any) -> None:
        assert isinstance(artifact.codec, PositionsCodec), artifact.codec
        self.artifact = artifact
        self._options = options
        self._layout = artifact.codec.layout
        self._absent = torch.from_numpy(np.where(self._layout.mask[:, None], 0, _ABSENT).astype(np.float32))
        self._weights = torch.from_numpy(self._layout.weights[:, None].astype(np.float32))
        self._harmony: Harmony | None = None
        self.targets = Targets(artifact.codec, len(self._layout))
        # Attributes may be colours, of which a negative has others.
        self.may_be_inverted = not self._layout.attributes

    def create_network(self) -> nn.Module:
        """Initial weights of the same distributions as ours."""
        spec, image = self.artifact.network, self.artifact.preprocessing
        sizes = len(self._layout), self._layout.num_classes
        network: nn.Module
        if spec.version == RESNET18:
            channels = [round(c * spec.channel_scale) for c in (*_STAGE_CHANNELS, spec.last_channels)]
            inner = None
            if spec.channels:  # of each stage, and behind it of its two blocks
                channels = list(spec.channels[::3])
                inner = [count for i, count in enumerate(spec.channels) if i % 3]
            stem = spec.stem_stride, spec.stem_pooling
            reduction = 8 * spec.stem_stride * (2 if spec.stem_pooling else 1)
            places = -(-image.height // reduction) * -(-image.width // reduction)
            places = 0 if spec.map_mean else places
            network = TorchResNet18(*sizes, channels, image.channels, spec.resnet_block, stem, places, inner)
        else:
            published = (*_CHARACTER_CHANNELS, _DENSE_WIDTH)
            *channels, units = spec.channels or [round(c * spec.channel_scale) for c in published]
            inputs = channels[-1] * (image.height // _REDUCTION) * (image.width // _REDUCTION)
            dropout = _DROPOUT if self._options.use_dropout else 0.0
            network = TorchCharacterNet(*sizes, channels, image.channels, units, inputs, dropout)
        for name, module in network.named_modules():
            if name == "head.dense":
                nn.init.normal_(module.weight, std=_HEAD_DEVIATION)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        return network

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """As `PositionsLoss` and the others of ours; scores (T,N,K), targets (N,T), -1 where open."""
        del lengths
        options, ids = self._options, targets.T.long()
        self._to(scores.device)
        is_known = (ids != OPEN).float()
        log_probs = (scores.float() + self._absent).log_softmax(-1)
        if options.loss == "cross_entropy" and not options.label_smoothing:
            chosen = log_probs.gather(2, ids.clamp(min=0)[..., None])[..., 0]
            return -(chosen * is_known * self._weights).sum(0).mean()
        truths = functional.one_hot(ids.clamp(min=0), scores.shape[2]).float()
        if options.label_smoothing:
            own = (self._absent == 0).float()
            shares = options.label_smoothing * own / own.sum(2, keepdim=True)
            truths = (1 - options.label_smoothing) * truths + shares
        terms = self._factors(log_probs.exp(), truths, is_known) * truths * log_probs
        return -(terms.sum(-1) * is_known * self._weights).sum(0).mean()

    def is_right(self, scores: torch.Tensor, targets: Ints, lengths: Ints) -> npt.NDArray[np.bool_]:
        """Whether the text is right as far as it is known; attributes are not looked at."""
        del lengths
        self._to(scores.device)
        length = len(self._layout.text)
        best = (scores.float() + self._absent).argmax(-1).T.cpu().numpy()[:, :length]  # (T,N,K) -> (N,T)
        true = targets[:, :length]
        right: npt.NDArray[np.bool_] = ((best == true) | (true == OPEN)).all(axis=1)
        return right

    def _factors(
        self, probabilities: torch.Tensor, truths: torch.Tensor, is_known: torch.Tensor
    ) -> torch.Tensor | float:
        options = self._options
        if options.loss == "focal":
            distance = (truths - probabilities).abs().clamp(min=_LEAST)
            return options.focal_alpha * distance**options.focal_gamma
        if options.loss == "ghm":
            if self._harmony is None:
                self._harmony = Harmony(
                    self._absent == 0, options.ghm_bins, options.ghm_momentum, options.ghm_joint
                )
            return self._harmony((truths - probabilities).detach().abs(), is_known)
        return 1.0

    def _to(self, device: torch.device) -> None:
        self._absent, self._weights = self._absent.to(device), self._weights.to(device)


class Harmony:
    """The factors of `HarmonizedLoss` in `crnn_mindspore.tasks.positions.learning.losses`, scaled.

    Args:
        own: (T,1,K) which classes a position has.
        bins, momentum, is_joint: As there.
    """

    def __init__(self, own: torch.Tensor, bins: int, momentum: float, is_joint: bool) -> None:
        positions, device = len(own), own.device
        self._bins, self._momentum = bins, momentum
        self._own = own.float()
        self._groups = 1 if is_joint else positions
        first = torch.zeros(positions) if is_joint else torch.arange(positions) * bins
        self._first = first.long().to(device)[:, None, None]
        classes = self._own.sum(2)  # (T,1)
        self._even = 1 / (bins * (classes.mean(0, keepdim=True) if is_joint else classes))
        self.counts = torch.zeros(self._groups, bins, device=device)

    @torch.no_grad()
    def __call__(self, sizes: torch.Tensor, is_known: torch.Tensor) -> torch.Tensor:
        """|truth - p| (T,N,K) and (T,N) -> (T,N,K); moves the counts."""
        places = ((sizes * self._bins).long().clamp(max=self._bins - 1) + self._first).flatten()
        counted = (is_known[..., None] * self._own).flatten()
        fresh = torch.zeros(self._groups * self._bins, device=sizes.device).index_add_(0, places, counted)
        fresh = fresh.view_as(self.counts)
        self.counts = self._momentum * self.counts + (1 - self._momentum) * fresh
        factors = 1 / self.counts.clamp(min=1 - self._momentum)
        factors = factors * self.counts.sum(1, keepdim=True) * self._even
        return factors.flatten()[places].view_as(sizes)
