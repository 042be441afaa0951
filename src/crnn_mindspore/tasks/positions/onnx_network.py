"""The networks of positions as ONNX graphs."""

from typing import Any

from crnn_mindspore.artifacts.artifact import METADATA_KEY
from crnn_mindspore.artifacts.onnx_positions import build_character_net, build_resnet18
from crnn_mindspore.tasks.interface import Arrays, Model
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.network_spec import RESNET18


def build_onnx(weights: Arrays, artifact: Model) -> Any:
    """An ONNX model with input `images` (N, C, H, W) and output `logits` (T, N, K), float32.

    Raises:
        UserError: If a parameter is missing.
    """
    assert isinstance(artifact.codec, PositionsCodec), artifact.codec
    layout, size = artifact.codec.layout, artifact.preprocessing
    network, image_size = artifact.network, (size.height, size.width)
    sizes = weights, len(layout), layout.mask, {METADATA_KEY: artifact.to_json()}, image_size
    if network.version == RESNET18:
        stem = network.stem_stride, network.stem_pooling
        return build_resnet18(*sizes, stem=stem, map_mean=network.map_mean)
    return build_character_net(*sizes)
