"""The pieces that the ONNX graph of any network is made of, written from the parameters by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from crnn_mindspore.artifacts.artifact import BATCH_NORM_EPSILON
from crnn_mindspore.artifacts.weights import Arrays
from crnn_mindspore.errors import UserError

OPSET = 17
IR_VERSION = 8  # what opset 17 came with; newer runtimes read it, older ones would refuse a newer one
INPUT_NAME = "images"
OUTPUT_NAME = "logits"

Shape = Sequence[int | str]  # an axis without a fixed size has a name


class GraphPieces:
    """Collects nodes and initialisers; every method returns the name of its output.

    Args:
        weights: The network's parameters by name, batch norm statistics included.
        epsilon: Of batch norm.
    """

    def __init__(self, weights: Arrays, epsilon: float = BATCH_NORM_EPSILON) -> None:
        self._weights = weights
        self._epsilon = epsilon
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def model(
        self, name: str, images: Shape, scores: Shape, properties: Mapping[str, str]
    ) -> onnx.ModelProto:
        """The whole model: input `images`, and as output `logits` what the last node gives, float32.

        Args:
            name: Of the graph.
            images: Shape of the input.
            scores: Shape of the output.
            properties: The model's metadata.
        """
        self.nodes[-1].output[0] = OUTPUT_NAME
        given = helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, images)
        result = helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, scores)
        model = helper.make_model(
            helper.make_graph(self.nodes, name, [given], [result], self.initializers),
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="crnn",
            ir_version=IR_VERSION,
        )
        helper.set_model_props(model, dict(properties))
        return model

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """One node of any kind."""
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        """An array of the graph."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def has(self, name: str) -> bool:
        """Whether the network has a parameter of that name."""
        return name in self._weights

    def weight(self, name: str) -> npt.NDArray[np.float64]:
        """A parameter of the network.

        Raises:
            UserError: If there is none of that name.
        """
        if name not in self._weights:
            raise UserError(f"the network has no parameter {name}; the ONNX graph needs it")
        return self._weights[name].astype(np.float64)

    def convolution(self, x: str, name: str, stride: int = 1) -> str:
        """`ConvBatchNorm` of that name, or `Convolution`, which has no batch norm; 3x3 kernels are padded."""
        kernel = self.weight(f"{name}.conv.weight")  # (out, in, kh, kw)
        padding = 1 if kernel.shape[2] == 3 else 0
        inputs = [x]
        if self.has(f"{name}.bn.gamma"):
            scale, bias = self._scale_and_bias(f"{name}.bn")
            kernel = kernel * scale[:, None, None, None]
            inputs += [self.constant(f"{name}.weight", kernel.astype(np.float32))]
            inputs += [self.constant(f"{name}.bias", bias.astype(np.float32))]
        else:
            inputs += [self.constant(f"{name}.weight", kernel.astype(np.float32))]
        strides = {"strides": [stride] * 2} if stride != 1 else {}
        sizes = {"kernel_shape": list(kernel.shape[2:]), "pads": [padding] * 4}
        return self.node("Conv", inputs, **sizes, **strides)

    def biased_convolution(self, x: str, name: str, norm: str) -> str:
        """A convolution, with bias or without; then batch norm, where there is one of the name `norm`."""
        kernel = self.weight(f"{name}.weight")  # (out, in, kh, kw)
        bias = self.weight(f"{name}.bias") if self.has(f"{name}.bias") else np.zeros(len(kernel))
        if self.has(f"{norm}.gamma"):
            scale, summand = self._scale_and_bias(norm)
            kernel, bias = kernel * scale[:, None, None, None], bias * scale + summand
        inputs = [x, self.constant(f"{name}.weight", kernel.astype(np.float32))]
        inputs += [self.constant(f"{name}.bias", bias.astype(np.float32))]
        padding = 1 if kernel.shape[2] == 3 else 0
        return self.node("Conv", inputs, kernel_shape=list(kernel.shape[2:]), pads=[padding] * 4)

    def batch_norm(self, x: str, name: str) -> str:
        """Batch norm that follows no convolution: a factor and a summand a channel, (N,C,H,W)."""
        scale, bias = self._scale_and_bias(name)
        factor = self.constant(f"{name}.scale", scale.astype(np.float32)[:, None, None])
        summand = self.constant(f"{name}.bias", bias.astype(np.float32)[:, None, None])
        return self.node("Add", [self.node("Mul", [x, factor]), summand])

    def relu(self, x: str) -> str:
        """max(x, 0)."""
        return self.node("Relu", [x])

    def max_pool(self, x: str, window: list[int], rounds_up: bool = False) -> str:
        """Windows side by side; what is left at the ends is dropped, or makes windows of its own."""
        ends = {"ceil_mode": 1} if rounds_up else {}
        return self.node("MaxPool", [x], kernel_shape=window, strides=window, **ends)

    def add(self, x: str, y: str) -> str:
        """The sum of two outputs of one shape."""
        return self.node("Add", [x, y])

    def global_mean(self, x: str) -> str:
        """(N,C,H,W) -> (N,C)."""
        return self.flatten(self.node("GlobalAveragePool", [x]))

    def flatten(self, x: str) -> str:
        """(N,...) -> (N,F)."""
        return self.node("Flatten", [x], axis=1)

    def dense(self, x: str, name: str) -> str:
        """`nn.Dense` of that name."""
        return self._matrix(x, name, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"))

    def dense_batch_norm(self, x: str, name: str) -> str:
        """`DenseBatchNorm` of that name."""
        scale, bias = self._scale_and_bias(f"{name}.bn")
        return self._matrix(x, name, self.weight(f"{name}.dense.weight") * scale[:, None], bias)

    def lstm(self, x: str, name: str) -> str:
        """A bidirectional LSTM of one layer: (T,N,in) -> (T,N,2*hidden)."""
        # MindSpore keeps the gates as input, forget, cell, output; ONNX as input, output, forget, cell.
        return self._recurrent("LSTM", x, name, (0, 3, 1, 2))

    def gru(self, x: str, name: str) -> str:
        """A bidirectional GRU of one layer: (T,N,in) -> (T,N,2*hidden)."""
        # MindSpore keeps the gates as reset, update, new; ONNX as update, reset, new. The reset gate comes
        # behind the matrix product.
        return self._recurrent("GRU", x, name, (1, 0, 2), linear_before_reset=1)

    def _recurrent(self, kind: str, x: str, name: str, order: Sequence[int], **attributes: int) -> str:
        """A bidirectional layer; `order` has the place of each of ONNX's gates among ours."""

        def gates(part: str) -> npt.NDArray[np.float64]:
            own = np.split(self.weight(f"{name}.{part}"), len(order))
            return np.concatenate([own[place] for place in order])

        directions = ("l0", "l0_reverse")
        weight = np.stack([gates(f"weight_ih_{d}") for d in directions])
        recurrence = np.stack([gates(f"weight_hh_{d}") for d in directions])
        bias = np.stack([np.concatenate([gates(f"bias_{p}_{d}") for p in ("ih", "hh")]) for d in directions])
        inputs = [
            x,
            self.constant(f"{name}.W", weight.astype(np.float32)),
            self.constant(f"{name}.R", recurrence.astype(np.float32)),
            self.constant(f"{name}.B", bias.astype(np.float32)),
        ]
        hidden = recurrence.shape[2]
        y = self.node(kind, inputs, hidden_size=hidden, direction="bidirectional", **attributes)  # (T,2,N,H)
        y = self.node("Transpose", [y], perm=[0, 2, 1, 3])  # (T,2,N,H) -> (T,N,2,H)
        shape = self.constant(f"{name}.shape", np.array([0, 0, 2 * hidden]))
        return self.node("Reshape", [y, shape])  # (T,N,2,H) -> (T,N,2H)

    def _matrix(
        self, x: str, name: str, weight: npt.NDArray[np.float64], bias: npt.NDArray[np.float64]
    ) -> str:
        kernel = self.constant(f"{name}.weight", weight.T.astype(np.float32))
        summand = self.constant(f"{name}.bias", bias.astype(np.float32))
        return self.node("Add", [self.node("MatMul", [x, kernel]), summand])

    def _scale_and_bias(self, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """What batch norm does to a channel in evaluation: times the first, plus the second."""
        scale = self.weight(f"{name}.gamma") / np.sqrt(self.weight(f"{name}.moving_variance") + self._epsilon)
        return scale, self.weight(f"{name}.beta") - self.weight(f"{name}.moving_mean") * scale
