"""The networks for positions in PyTorch: ResNet-18 and the character network, with the names of ours.

Needs torch and NumPy only.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_twin import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    ConvBatchNorm,
    TorchUpdates,
    Weights,
    fill,
)

Stem = tuple[int, bool]


class Convolution(nn.Module):
    """Convolution without bias, under the name that ours has."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> None:
        super().__init__()
        padding = 1 if kernel_size == 3 else 0
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,in,H,W) -> (N,out,H/stride,W/stride)."""
        return self.conv(x)


class BlockV1(nn.Module):
    """Two convolutions with batch norm, added to the input; `inner` channels between them."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, inner: int) -> None:
        super().__init__()
        self.conv1 = ConvBatchNorm(in_channels, inner, 3, stride)
        self.conv2 = ConvBatchNorm(inner, out_channels, 3)
        is_projected = stride != 1 or in_channels != out_channels
        self.shortcut = ConvBatchNorm(in_channels, out_channels, 1, stride) if is_projected else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,in,H,W) -> (N,out,H/stride,W/stride)."""
        y = self.conv2(self.conv1(x).relu_())
        return (y + self.shortcut(x)).relu_()


class BlockV2(nn.Module):
    """Batch norm and ReLU before each convolution."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, inner: int) -> None:
        super().__init__()
        self.bn = _batch_norm(in_channels)
        self.conv1 = ConvBatchNorm(in_channels, inner, 3, stride)
        self.conv2 = Convolution(inner, out_channels, 3)
        self.is_projected = stride != 1 or in_channels != out_channels
        self.shortcut = Convolution(in_channels, out_channels, 1, stride) if self.is_projected else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,in,H,W) -> (N,out,H/stride,W/stride)."""
        prepared = self.bn(x).relu_()
        y = self.conv2(self.conv1(prepared).relu_())
        return y + (self.shortcut(prepared) if self.shortcut is not None else x)


class ResNetFeatures(nn.Module):
    """Stem and four stages of two blocks."""

    def __init__(
        self, in_channels: int, channels: list[int], inner: list[int], block: str, stem: Stem
    ) -> None:
        super().__init__()
        self.is_v1 = block == "v1"
        kind = BlockV1 if self.is_v1 else BlockV2
        self.stem = (ConvBatchNorm if self.is_v1 else Convolution)(in_channels, channels[0], 3, stem[0])
        self.is_pooled = stem[1]
        for number, (before, width) in enumerate(zip([channels[0], *channels], channels, strict=False), 1):
            first = kind(before, width, 1 if number == 1 else 2, inner[2 * number - 2])
            stage = nn.Sequential(first, kind(width, width, 1, inner[2 * number - 1]))
            setattr(self, f"stage{number}", stage)
        self.bn = None if self.is_v1 else _batch_norm(channels[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,in,H,W) -> (N,F,H/32,W/32); one halving less with a stem of stride 1, or without pooling."""
        x = self.stem(x)
        x = functional.max_pool2d(x, 2, ceil_mode=True) if self.is_pooled else x
        x = x.relu_() if self.is_v1 else x
        x = self.stage4(self.stage3(self.stage2(self.stage1(x))))
        return x if self.bn is None else self.bn(x).relu_()


class PositionScores(nn.Module):
    """One dense layer to the classes of all positions."""

    def __init__(self, features: int, positions: int, classes: int) -> None:
        super().__init__()
        self.shape = (-1, positions, classes)
        self.dense = nn.Linear(features, positions * classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,F) -> (T,N,K)."""
        return self.dense(x).reshape(self.shape).transpose(0, 1)


class TorchResNet18(nn.Module):
    """As `crnn_mindspore.networks.resnet.ResNet18`, without a mask.

    Args:
        positions: T.
        classes: K.
        channels: Of the four stages.
        in_channels: 1 or 3.
        block: "v1" or "v2".
        stem: Stride of the first convolution; whether pooling by 2 follows it.
        places: Of the last map, each with weights of its own in the head; 0: the head reads their mean.
    """

    def __init__(
        self,
        positions: int,
        classes: int,
        channels: list[int],
        in_channels: int,
        block: str,
        stem: Stem = (2, True),
        places: int = 0,
        inner: list[int] | None = None,
    ) -> None:
        super().__init__()
        inner = inner or [width for width in channels for _ in range(2)]
        self.features = ResNetFeatures(in_channels, channels, inner, block, stem)
        self.reads_mean = not places
        self.head = PositionScores(channels[-1] * max(1, places), positions, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N,C,H,W) -> (T,N,K)."""
        x = self.features(images)
        return self.head(x.mean((2, 3)) if self.reads_mean else x.contiguous().flatten(1))


class CharacterFeatures(nn.Module):
    """Five convolutions, pooled after all but the fourth; pooling before ReLU, as ours does it."""

    def __init__(self, in_channels: int, channels: list[int]) -> None:
        super().__init__()
        for number, (before, width) in enumerate(zip([in_channels, *channels], channels, strict=False), 1):
            setattr(self, f"conv{number}", ConvBatchNorm(before, width, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,in,H,W) -> (N,c5,H/16,W/16)."""
        for convolution in (self.conv1, self.conv2, self.conv3):
            x = functional.max_pool2d(convolution(x), 2).relu_()
        return functional.max_pool2d(self.conv5(self.conv4(x).relu_()), 2).relu_()


class DenseBatchNorm(nn.Module):
    """Dense layer without bias, then batch normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, outputs, bias=False)
        self.bn = nn.BatchNorm1d(outputs, BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,in) -> (N,out)."""
        return self.bn(self.dense(x))


class TorchCharacterNet(nn.Module):
    """As `crnn_mindspore.networks.character_net.CharacterNet`, without a mask."""

    def __init__(
        self,
        positions: int,
        classes: int,
        channels: list[int],
        in_channels: int,
        units: int,
        inputs: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.features = CharacterFeatures(in_channels, channels)
        self.dense = DenseBatchNorm(inputs, units)
        self.dropout = nn.Dropout(dropout)
        self.head = PositionScores(units, positions, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N,C,H,W) -> (T,N,K)."""
        x = self.features(images).contiguous().flatten(1)
        return self.head(self.dropout(self.dense(x).relu_()))


class PositionTrainer(TorchUpdates):
    """Updates from the cross entropy, the mean over images and positions."""

    def step(self, images: npt.NDArray[np.float32], targets: npt.NDArray[np.int32]) -> tuple[float, float]:
        """One update from images (N,C,H,W) and targets (N,T); returns loss and gradient norm."""
        scores = self.scores(images).flatten(0, 1)  # (T,N,K) -> (T*N,K)
        return self.update(functional.cross_entropy(scores, torch.from_numpy(targets.T).flatten().long()))


def from_weights(name: str, weights: Weights, positions: int, block: str) -> nn.Module:
    """The network that our parameters belong to, filled with them; the sizes follow from them."""
    classes = len(weights["head.dense.bias"]) // positions
    if name == "resnet18":
        stem = weights["features.stem.conv.weight"]
        channels = [weights[f"features.stage{number}.1.conv2.conv.weight"].shape[0] for number in range(1, 5)]
        blocks = [f"features.stage{number}.{i}.conv1.conv.weight" for number in range(1, 5) for i in (0, 1)]
        inner = [weights[name].shape[0] for name in blocks]
        network: nn.Module = TorchResNet18(positions, classes, channels, stem.shape[1], block, inner=inner)
    else:
        kernels = [weights[f"features.conv{number}.conv.weight"] for number in range(1, 6)]
        units, inputs = weights["dense.dense.weight"].shape
        channels = [len(kernel) for kernel in kernels]
        network = TorchCharacterNet(positions, classes, channels, kernels[0].shape[1], units, inputs)
    fill(network, weights)
    return network


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM)
