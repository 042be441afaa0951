"""The ONNX graphs of the networks for positions, written from the parameters, batch norm folded in.

Any batch size; ResNet-18 takes any image size where none is fixed.
"""

from collections.abc import Mapping

import numpy as np
import onnx

from crnn_mindspore.artifacts.class_mask import ClassMask, score_offsets
from crnn_mindspore.artifacts.onnx_pieces import INPUT_NAME, GraphPieces
from crnn_mindspore.artifacts.weights import Arrays

_POOL = [2, 2]


def build_resnet18(
    weights: Arrays,
    num_positions: int,
    mask: ClassMask | None,
    properties: Mapping[str, str],
    image_size: tuple[int, int] | None = None,
    stem: tuple[int, bool] = (2, True),
    map_mean: bool = True,
) -> onnx.ModelProto:
    """An ONNX model with input `images` (N, C, H, W) and output `logits` (T, N, K), float32.

    Args:
        weights: The parameters of `ResNet18`, by name; block, widths and classes follow from them.
        num_positions: T.
        mask: As the network has it.
        properties: The model's metadata.
        image_size: Height and width; None: any.
        stem: As the network has it.
        map_mean: As the network has it; without, the image size must be fixed.

    Raises:
        UserError: If a parameter is missing, or the mask does not fit.
    """
    graph = GraphPieces(weights)
    is_v2 = "features.bn.gamma" in weights
    # ReLU and max-pooling commute; in this order ONNX Runtime fuses convolution and ReLU.
    stem_stride, has_pooling = stem
    x = graph.convolution(INPUT_NAME, "features.stem", stem_stride)
    x = x if is_v2 else graph.relu(x)
    x = graph.max_pool(x, _POOL, rounds_up=True) if has_pooling else x
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            stride = 2 if block == 0 and stage > 1 else 1
            x = (_block_v2 if is_v2 else _block_v1)(graph, x, f"features.stage{stage}.{block}", stride)
    if is_v2:
        x = graph.relu(graph.batch_norm(x, "features.bn"))
    channels = weights["features.stem.conv.weight"].shape[1]
    images = ("N", channels, *(image_size or ("H", "W")))
    x = graph.global_mean(x) if map_mean else graph.flatten(x)
    return _finish(graph, x, "resnet18", images, num_positions, mask, properties)


def build_character_net(
    weights: Arrays,
    num_positions: int,
    mask: ClassMask | None,
    properties: Mapping[str, str],
    image_size: tuple[int, int] = (64, 64),
) -> onnx.ModelProto:
    """An ONNX model with input `images` (N, C, H, W) and output `logits` (T, N, K), float32.

    Args:
        weights: The parameters of `CharacterNet`, by name; widths and classes follow from them.
        num_positions: T.
        mask: As the network has it.
        properties: The model's metadata.
        image_size: Height and width that the network was made for.

    Raises:
        UserError: If a parameter is missing, or the mask does not fit.
    """
    graph = GraphPieces(weights)
    x = INPUT_NAME
    for number in range(1, 6):
        x = graph.relu(graph.convolution(x, f"features.conv{number}"))
        x = graph.max_pool(x, _POOL) if number != 4 else x
    x = graph.relu(graph.dense_batch_norm(graph.flatten(x), "dense"))
    images = ("N", weights["features.conv1.conv.weight"].shape[1], *image_size)
    return _finish(graph, x, "character_net", images, num_positions, mask, properties)


def _block_v1(graph: GraphPieces, x: str, name: str, stride: int) -> str:
    y = graph.relu(graph.convolution(x, f"{name}.conv1", stride))
    y = graph.convolution(y, f"{name}.conv2")
    return graph.relu(graph.add(y, _shortcut(graph, x, x, name, stride)))


def _block_v2(graph: GraphPieces, x: str, name: str, stride: int) -> str:
    prepared = graph.relu(graph.batch_norm(x, f"{name}.bn"))
    y = graph.relu(graph.convolution(prepared, f"{name}.conv1", stride))
    y = graph.convolution(y, f"{name}.conv2")
    return graph.add(y, _shortcut(graph, x, prepared, name, stride))


def _shortcut(graph: GraphPieces, plain: str, projected: str, name: str, stride: int) -> str:
    """The block's input, through the 1x1 convolution where there is one."""
    if not graph.has(f"{name}.shortcut.conv.weight"):
        return plain
    return graph.convolution(projected, f"{name}.shortcut", stride)


def _finish(
    graph: GraphPieces,
    x: str,
    name: str,
    images: tuple[int | str, ...],
    num_positions: int,
    mask: ClassMask | None,
    properties: Mapping[str, str],
) -> onnx.ModelProto:
    """From the features of an image, (N,F), to the scores, (T,N,K)."""
    num_classes = graph.weight("head.dense.bias").size // num_positions
    shape = graph.constant("head.shape", np.array([-1, num_positions, num_classes]))
    x = graph.node("Reshape", [graph.dense(x, "head.dense"), shape])  # (N,T*K) -> (N,T,K)
    x = graph.node("Transpose", [x], perm=[1, 0, 2])  # -> (T,N,K)
    if mask is not None:
        x = graph.add(x, graph.constant("head.mask", score_offsets(mask, num_positions, num_classes)))
    return graph.model(name, images, (num_positions, "N", num_classes), properties)
