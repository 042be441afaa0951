"""The ONNX graph, written from the parameters: any batch size and width, or fixed ones, batch norm folded in.

MindSpore's own ONNX exporter fixes the batch size in the LSTM's start states, so the graph is built here.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from crnn_mindspore.artifacts.artifact import BATCH_NORM_EPSILON, METADATA_KEY
from crnn_mindspore.artifacts.onnx_digest import DIGEST_KEY, PLACEHOLDER, fill_in_digest
from crnn_mindspore.artifacts.weights import Arrays
from crnn_mindspore.data.preprocess import time_steps_for_width
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.interface import Model

OPSET = 17
IR_VERSION = 8  # what opset 17 came with; newer runtimes read it, older ones would refuse a newer one
INPUT_NAME = "images"
OUTPUT_NAME = "logits"

# Pooling window after the convolution of this number; None: no pooling.
_POOLING: dict[int, list[int]] = {1: [2, 2], 2: [2, 2], 4: [2, 1], 6: [2, 1]}


def build_onnx(weights: Arrays, artifact: Model) -> onnx.ModelProto:
    """An ONNX model with input `images` (N, 3, H, W) and output `logits` (T, N, C), float32.

    Args:
        weights: The network's parameters by name.
        artifact: Decides the version; stored as JSON in the model's metadata.

    Raises:
        UserError: If a parameter is missing.
    """
    graph = _Graph(weights)
    x = INPUT_NAME
    for number in range(1, 8):
        x = graph.convolution(x, f"vgg.conv{number}", _POOLING.get(number))
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
    graph.nodes[-1].output[0] = OUTPUT_NAME

    height = artifact.preprocessing.height
    images = helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["N", 3, height, "W"])
    logits = helper.make_tensor_value_info(
        OUTPUT_NAME, TensorProto.FLOAT, ["T", "N", artifact.codec.num_classes]
    )
    model = helper.make_model(
        helper.make_graph(graph.nodes, "crnn", [images], [logits], graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="crnn",
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, {METADATA_KEY: artifact.to_json()})
    return model


def fix_size(model: onnx.ModelProto, batch: int = 0, width: int = 0) -> None:
    """Gives a model one batch size, one width, or both, for engines that take no others; 0 leaves it free."""
    images, logits = model.graph.input[0], model.graph.output[0]
    fixed = [(images, 0, batch), (logits, 1, batch), (images, 3, width)]
    if width and logits.type.tensor_type.shape.dim[0].dim_param:  # positions have a number of their own
        fixed.append((logits, 0, time_steps_for_width(width)))
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


class _Graph:
    """Collects nodes and initialisers; every method returns the name of its output."""

    def __init__(self, weights: Arrays) -> None:
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> npt.NDArray[np.float64]:
        if name not in self._weights:
            raise UserError(f"the network has no parameter {name}; the ONNX graph needs it")
        return self._weights[name].astype(np.float64)

    def convolution(self, x: str, name: str, pooling: list[int] | None) -> str:
        kernel = self.weight(f"{name}.conv.weight")  # (out, in, kh, kw)
        scale = self.weight(f"{name}.bn.gamma") / np.sqrt(
            self.weight(f"{name}.bn.moving_variance") + BATCH_NORM_EPSILON
        )
        bias = self.weight(f"{name}.bn.beta") - self.weight(f"{name}.bn.moving_mean") * scale
        padding = 1 if kernel.shape[2] == 3 else 0
        folded = (kernel * scale[:, None, None, None]).astype(np.float32)
        inputs = [
            x,
            self.constant(f"{name}.weight", folded),
            self.constant(f"{name}.bias", bias.astype(np.float32)),
        ]
        # ReLU and max-pooling commute; in this order ONNX Runtime fuses convolution and ReLU.
        x = self.node("Conv", inputs, kernel_shape=list(kernel.shape[2:]), pads=[padding] * 4)
        x = self.node("Relu", [x])
        return self.node("MaxPool", [x], kernel_shape=pooling, strides=pooling) if pooling else x

    def lstm(self, x: str, name: str) -> str:
        directions = ("", "_reverse")
        # MindSpore keeps the gates as input, forget, cell, output; ONNX as input, output, forget, cell.
        weight = np.stack([_iofc(self.weight(f"{name}.weight_ih_l0{d}")) for d in directions])
        recurrence = np.stack([_iofc(self.weight(f"{name}.weight_hh_l0{d}")) for d in directions])
        bias = np.stack(
            [
                np.concatenate([_iofc(self.weight(f"{name}.bias_{part}_l0{d}")) for part in ("ih", "hh")])
                for d in directions
            ]
        )
        inputs = [
            x,
            self.constant(f"{name}.W", weight.astype(np.float32)),
            self.constant(f"{name}.R", recurrence.astype(np.float32)),
            self.constant(f"{name}.B", bias.astype(np.float32)),
        ]
        hidden = recurrence.shape[2]
        y = self.node("LSTM", inputs, hidden_size=hidden, direction="bidirectional")  # (T,2,N,H)
        y = self.node("Transpose", [y], perm=[0, 2, 1, 3])  # (T,2,N,H) -> (T,N,2,H)
        shape = self.constant(f"{name}.shape", np.array([0, 0, 2 * hidden]))
        return self.node("Reshape", [y, shape])  # (T,N,2,H) -> (T,N,2H)

    def dense(self, x: str, name: str) -> str:
        kernel = self.constant(f"{name}.weight", self.weight(f"{name}.weight").T.astype(np.float32))
        bias = self.constant(f"{name}.bias", self.weight(f"{name}.bias").astype(np.float32))
        return self.node("Add", [self.node("MatMul", [x, kernel]), bias])


def _iofc(ifco: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    i, f, c, o = np.split(ifco, 4)
    return np.concatenate([i, o, f, c])
