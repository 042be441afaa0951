"""ResNet-18 for images whose text has a fixed number of positions, such as licence plates.

For small images the first convolution is 3x3 instead of 7x7.

Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015), table 1, for v1; the same,
"Identity Mappings in Deep Residual Networks" (2016), figure 4e, for v2.
"""

from collections.abc import Sequence

import mindspore as ms
from mindspore import Tensor, nn, ops

from crnn_mindspore.artifacts.class_mask import ClassMask
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.cpu import fit_tiles
from crnn_mindspore.networks.image_network import IN_CHANNELS, ImageNetwork, scale_channels
from crnn_mindspore.networks.layers import BatchNorm, ConvBatchNorm, Convolution
from crnn_mindspore.networks.position_scores import PositionScores

STAGE_CHANNELS = (64, 128, 256, 512)
BLOCKS_PER_STAGE = 2
BLOCKS = ("v1", "v2")
STEM_STRIDES = (1, 2)

Stem = tuple[int, bool]  # stride of the first convolution; whether pooling by 2 follows it


class BlockV1(nn.Cell):
    """Two convolutions with batch norm, added to the input: (N,in,H,W) -> (N,out,H/stride,W/stride).

    Where stride or channels change, the input goes through a 1x1 convolution with batch norm. Between the two
    there are `inner_channels`.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, inner_channels: int) -> None:
        super().__init__()
        self.conv1 = ConvBatchNorm(in_channels, inner_channels, stride=stride)
        self.conv2 = ConvBatchNorm(inner_channels, out_channels)
        is_projected = stride != 1 or in_channels != out_channels
        self.shortcut = ConvBatchNorm(in_channels, out_channels, 1, stride) if is_projected else None
        self.relu = nn.ReLU()

    def construct(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return self.relu(self.conv2(self.relu(self.conv1(x))) + shortcut)


class BlockV2(nn.Cell):
    """As v1, but batch norm and ReLU come before each convolution, and nothing comes after the addition.

    `conv1` holds the first convolution and the batch norm that prepares the second. A 1x1 convolution of the
    input reads what the first convolution reads, and has no batch norm.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, inner_channels: int) -> None:
        super().__init__()
        self.bn = BatchNorm(in_channels)
        self.conv1 = ConvBatchNorm(in_channels, inner_channels, stride=stride)
        self.conv2 = Convolution(inner_channels, out_channels)
        is_projected = stride != 1 or in_channels != out_channels
        self.shortcut = Convolution(in_channels, out_channels, 1, stride) if is_projected else None
        self.relu = nn.ReLU()

    def construct(self, x: Tensor) -> Tensor:
        prepared = self.relu(self.bn(x).astype(x.dtype))
        shortcut = x if self.shortcut is None else self.shortcut(prepared)
        return self.conv2(self.relu(self.conv1(prepared))) + shortcut


class ResNetFeatures(nn.Cell):
    """Stem and four stages of two blocks: (N,in,H,W) -> (N,F,H/32,W/32), rounded up at each of five halvings.

    With a stem of stride 1, or without its pooling, there is one halving less.

    The stem of v1 has batch norm and ReLU; in v2 the first block brings them, and the last stage is followed
    by batch norm and ReLU.

    `channels` are those of each stage, `inner` those between the convolutions of each of the eight blocks.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int], inner: Sequence[int], block: str, stem: Stem
    ) -> None:
        super().__init__()
        is_v1 = block == "v1"
        kind = BlockV1 if is_v1 else BlockV2
        self.stem = (ConvBatchNorm if is_v1 else Convolution)(in_channels, channels[0], stride=stem[0])
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2, pad_mode="same") if stem[1] else None
        stages = []
        previous = channels[0]
        for number, width in enumerate(channels):
            first_inner, *other_inners = inner[number * BLOCKS_PER_STAGE : (number + 1) * BLOCKS_PER_STAGE]
            first = kind(previous, width, 1 if number == 0 else 2, first_inner)
            others = [kind(width, width, 1, between) for between in other_inners]
            stages.append(nn.SequentialCell(first, *others))
            previous = width
        self.stage1, self.stage2, self.stage3, self.stage4 = stages
        self.bn = None if is_v1 else BatchNorm(previous)
        self.has_stem_relu = is_v1
        self.relu = nn.ReLU()

    def construct(self, x: Tensor) -> Tensor:
        # ReLU and max-pooling commute; pooling first leaves ReLU a quarter of the values.
        x = self.stem(x)  # (N,in,H,W) -> (N,c1,H/2,W/2)
        if self.pool is not None:
            x = self.pool(x)  # -> (N,c1,H/4,W/4)
        if self.has_stem_relu:
            x = self.relu(x)
        x = self.stage2(self.stage1(x))  # -> (N,c2,H/8,W/8)
        x = self.stage4(self.stage3(x))  # -> (N,c4,H/32,W/32)
        return x if self.bn is None else self.relu(self.bn(x).astype(x.dtype))


class ResNet18(ImageNetwork):
    """Images to the scores of every position, for any batch and image size.

    Convolutions start as He et al. give it (normal, fan out), batch norm as the identity, the dense layer
    at N(0, 0.01) with biases of 0.

    Args:
        num_positions: Positions of the text, and attributes beside it.
        num_classes: Classes of a position, or the most that one has.
        mask: (positions, classes), True where the position has the class; None: all have all.
        block: "v1" (batch norm and ReLU after the convolutions) or "v2" (before them).
        channel_scale: Multiplies all channel counts, 64 to 512; must give whole channels.
        last_channels: Channels of the last stage before scaling.
        in_channels: 1 (grey) or 3.
        stem: Stride of the first convolution, 1 or 2; whether pooling by 2 follows it.
        image_size: Height and width of all images, for scores that are made of all places of the last map
            instead of its mean.
        channels: Of each stage, and behind it between the convolutions of its two blocks, 12 numbers, in
            place of those of `channel_scale`; () for these.

    Inputs:
        images (N, C, H, W) float32.

    Returns:
        scores (T, N, K) float32, not normalised.

    Raises:
        UserError: If block, channel scale or mask cannot be built.
    """

    def __init__(
        self,
        num_positions: int,
        num_classes: int,
        mask: ClassMask | None = None,
        block: str = "v1",
        channel_scale: float = 1.0,
        last_channels: int = STAGE_CHANNELS[-1],
        in_channels: int = 3,
        stem: Stem = (2, True),
        image_size: tuple[int, int] | None = None,
        channels: Sequence[int] = (),
    ) -> None:
        if block not in BLOCKS:
            raise UserError(f"resnet_block is {block!r}, must be one of {', '.join(BLOCKS)}")
        if stem[0] not in STEM_STRIDES:
            raise UserError(f"stem_stride is {stem[0]!r}, must be 1 or 2")
        if in_channels not in IN_CHANNELS:
            raise UserError(f"in_channels is {in_channels}, must be 1 or 3")
        if channels:
            per_stage = 1 + BLOCKS_PER_STAGE
            widths = tuple(channels[::per_stage])
            inner = tuple(count for i, count in enumerate(channels) if i % per_stage)
        else:
            widths = scale_channels((*STAGE_CHANNELS[:-1], last_channels), channel_scale)
            inner = tuple(width for width in widths for _ in range(BLOCKS_PER_STAGE))
        super().__init__(["features"], (None, in_channels, None, None))
        self.features = ResNetFeatures(in_channels, widths, inner, block, stem)
        self.features_shape = None if image_size is None else (-1, widths[-1] * _places(image_size, stem))
        features = widths[-1] if self.features_shape is None else self.features_shape[1]
        self.head = PositionScores(features, num_positions, num_classes, mask)
        fit_tiles(self)

    def construct(self, images: Tensor) -> Tensor:
        x = self.features(images)  # (N,C,H,W) -> (N,F,H/32,W/32)
        if self.has_frozen_features:
            x = ops.stop_gradient(x)
        x = x.astype(ms.float32)
        return self.head(x.mean((2, 3)) if self.features_shape is None else x.reshape(self.features_shape))


def _places(image_size: tuple[int, int], stem: Stem) -> int:
    """Places of the last map."""
    reduction = 8 * stem[0] * (2 if stem[1] else 1)
    height, width = (-(-side // reduction) for side in image_size)
    return height * width
