"""The ONNX graphs of the networks that PyTorch's projects have; any batch size and width."""

import numpy as np
import onnx

from crnn_mindspore.artifacts.artifact import METADATA_KEY, PYTORCH_EPSILON
from crnn_mindspore.artifacts.onnx_pieces import INPUT_NAME, GraphPieces
from crnn_mindspore.artifacts.weights import Arrays
from crnn_mindspore.tasks.interface import Model

_SQUARE = {"kernel_shape": [2, 2], "strides": [2, 2]}
_TALL = {"kernel_shape": [2, 1], "strides": [2, 1]}
_PADDED = {"kernel_shape": [2, 2], "strides": [2, 1], "pads": [0, 1, 0, 1]}
# Pooling after the convolution of this number, counted from 0.
_POOLING = {
    "paper": {0: _SQUARE, 1: _SQUARE, 3: _PADDED, 5: _PADDED},
    "vgg": {0: _SQUARE, 1: _SQUARE, 3: _TALL, 5: _TALL},
}


def build_pytorch_crnn(weights: Arrays, artifact: Model) -> onnx.ModelProto:
    """An ONNX model with input `images` (N, C, H, W) and output `logits` (T, N, K), float32.

    Args:
        weights: The parameters of `PyTorchCRNN`, by name.
        artifact: Decides version and activation; stored as JSON in the model's metadata.

    Raises:
        UserError: If a parameter is missing.
    """
    graph = GraphPieces(weights, PYTORCH_EPSILON)
    spec = artifact.network
    x = INPUT_NAME
    for number in range(7):
        x = graph.biased_convolution(x, f"cnn.conv{number}", f"cnn.batchnorm{number}")
        x = graph.node("LeakyRelu", [x], alpha=spec.leaky_slope) if spec.leaky_slope else graph.relu(x)
        if number in _POOLING[spec.version]:
            x = graph.node("MaxPool", [x], **_POOLING[spec.version][number])
    x = graph.node("Squeeze", [x, graph.constant("height_axis", np.array([2]))])  # (N,F,1,T) -> (N,F,T)
    x = graph.node("Transpose", [x], perm=[2, 0, 1])  # -> (T,N,F)
    recurrent = graph.gru if spec.rnn_type == "gru" else graph.lstm
    for block in ("rnn.0", "rnn.1"):
        x = graph.dense(recurrent(x, f"{block}.rnn"), f"{block}.embedding")
    if spec.version == "vgg":
        x = graph.dense(x, "prediction")
    images = ("N", artifact.preprocessing.channels, artifact.preprocessing.height, "W")
    logits = ("T", "N", artifact.codec.num_classes)
    return graph.model("crnn", images, logits, {METADATA_KEY: artifact.to_json()})
