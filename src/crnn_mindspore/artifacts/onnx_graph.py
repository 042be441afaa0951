"""The ONNX graph of the CRNN, written from the parameters: any batch size and width, or fixed ones.

MindSpore's own ONNX exporter fixes the batch size in the LSTM's start states, so the graph is built here.
"""

import numpy as np
import onnx

from crnn_mindspore.artifacts.artifact import METADATA_KEY
from crnn_mindspore.artifacts.onnx_digest import DIGEST_KEY, PLACEHOLDER, fill_in_digest
from crnn_mindspore.artifacts.onnx_pieces import INPUT_NAME, GraphPieces
from crnn_mindspore.artifacts.weights import Arrays
from crnn_mindspore.tasks.interface import Model

# Pooling window after the convolution of this number; None: no pooling.
_POOLING: dict[int, list[int]] = {1: [2, 2], 2: [2, 2], 4: [2, 1], 6: [2, 1]}


def build_onnx(weights: Arrays, artifact: Model) -> onnx.ModelProto:
    """An ONNX model with input `images` (N, C, H, W) and output `logits` (T, N, C), float32.

    Args:
        weights: The network's parameters by name.
        artifact: Decides the version; stored as JSON in the model's metadata.

    Raises:
        UserError: If a parameter is missing.
    """
    graph = GraphPieces(weights)
    x = INPUT_NAME
    for number in range(1, 8):
        # ReLU and max-pooling commute; in this order ONNX Runtime fuses convolution and ReLU.
        x = graph.relu(graph.convolution(x, f"vgg.conv{number}"))
        x = graph.max_pool(x, _POOLING[number]) if number in _POOLING else x
    x = graph.node("Squeeze", [x, graph.constant("height_axis", np.array([2]))])  # (N,F,1,T) -> (N,F,T)
    x = graph.node("Transpose", [x], perm=[2, 0, 1])  # -> (T,N,F)
    if artifact.network.version == "V1":
        x = graph.lstm(x, "rnn.lstm1")
        x = graph.lstm(x, "rnn.lstm2")
        x = graph.dense(x, "rnn.fc")
    else:
        for block in ("rnn.0", "rnn.1"):
            x = graph.lstm(x, f"{block}.rnn")
            x = graph.dense(x, f"{block}.embedding")
    images = ("N", artifact.preprocessing.channels, artifact.preprocessing.height, "W")
    logits = ("T", "N", artifact.codec.num_classes)
    return graph.model("crnn", images, logits, {METADATA_KEY: artifact.to_json()})


def fix_size(model: onnx.ModelProto, batch: int, width: int, steps: int) -> None:
    """Gives a model one batch size, one width, or both, for engines that take no others; 0 leaves it free.

    Args:
        model: Is changed.
        batch: Images.
        width: Pixels.
        steps: That the network gives of that width.
    """
    images, logits = model.graph.input[0], model.graph.output[0]
    fixed = [(images, 0, batch), (logits, 1, batch), (images, 3, width)]
    if width and logits.type.tensor_type.shape.dim[0].dim_param:  # positions have a number of their own
        fixed.append((logits, 0, steps))
    for value, axis, size in fixed:
        if size:
            value.type.tensor_type.shape.dim[axis].dim_value = size


def serialize(model: onnx.ModelProto) -> bytes:
    """The content of the model's file, with the digest that `check_digest` looks at in the metadata.

    Raises:
        onnx.checker.ValidationError: If it is not valid ONNX.
    """
    described = onnx.ModelProto()
    described.CopyFrom(model)
    described.metadata_props.add(key=DIGEST_KEY, value=PLACEHOLDER)
    onnx.checker.check_model(described, full_check=True)
    return fill_in_digest(described.SerializeToString())
