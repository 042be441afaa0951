"""The networks for positions written out in NumPy, in the papers' order: what tests compare with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from reference import batch_norm, convolution

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.onnx_graph import serialize
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork

Array = npt.NDArray[np.floating]
Weights = Mapping[str, Array]


class Reference:
    """Scores of a network from its parameters, float64; counts the multiplications of an image."""

    def __init__(self, weights: Weights, is_training: bool = False) -> None:
        self.w = {name: np.asarray(array, np.float64) for name, array in weights.items()}
        self.is_training = is_training
        self.macs = 0  # in convolutions and dense layers

    def resnet18(self, images: Array, num_positions: int, stem: tuple[int, bool] = (2, True)) -> Array:
        """(N, C, H, W) -> (T, N, K), without a mask."""
        is_v2 = "features.bn.gamma" in self.w
        stride, has_pooling = stem
        x = self.conv(images, "features.stem", stride)
        x = x if is_v2 else relu(self.bn(x, "features.stem.bn"))
        x = max_pool(x, rounds_up=True) if has_pooling else x
        for stage in range(1, 5):
            for block in (0, 1):
                run = self.block_v2 if is_v2 else self.block_v1
                x = run(x, f"features.stage{stage}.{block}", 2 if stage > 1 and block == 0 else 1)
        x = relu(self.bn(x, "features.bn")) if is_v2 else x
        return self.head(x.mean(axis=(2, 3)), num_positions)

    def block_v1(self, x: Array, name: str, stride: int) -> Array:
        """He et al. 2015, figure 5, left; where the size changes, option B."""
        y = relu(self.bn(self.conv(x, f"{name}.conv1", stride), f"{name}.conv1.bn"))
        y = self.bn(self.conv(y, f"{name}.conv2"), f"{name}.conv2.bn")
        if f"{name}.shortcut.conv.weight" in self.w:
            x = self.bn(self.conv(x, f"{name}.shortcut", stride), f"{name}.shortcut.bn")
        return relu(y + x)

    def block_v2(self, x: Array, name: str, stride: int) -> Array:
        """He et al. 2016, figure 4e: batch norm, ReLU, convolution, twice, and the sum as it is."""
        prepared = relu(self.bn(x, f"{name}.bn"))
        y = self.conv(prepared, f"{name}.conv1", stride)
        y = self.conv(relu(self.bn(y, f"{name}.conv1.bn")), f"{name}.conv2")
        is_projected = f"{name}.shortcut.conv.weight" in self.w
        return y + (self.conv(prepared, f"{name}.shortcut", stride) if is_projected else x)

    def character_net(self, images: Array, num_positions: int, keep: Array | float = 1.0) -> Array:
        """(N, C, H, W) -> (T, N, K), without a mask; `keep` multiplies the dense layer's units."""
        x = images
        for number in range(1, 6):
            x = relu(self.bn(self.conv(x, f"features.conv{number}"), f"features.conv{number}.bn"))
            x = x if number == 4 else max_pool(x)
        x = self.dense(x.reshape(len(x), -1), "dense.dense")
        x = relu(self.bn(x[:, :, None, None], "dense.bn")[:, :, 0, 0])
        return self.head(x * keep, num_positions)

    def conv(self, x: Array, name: str, stride: int = 1) -> Array:
        """A strided convolution as every so manieth value of one with stride 1."""
        kernel = self.w[f"{name}.conv.weight"]
        y = convolution(x, kernel, kernel.shape[2] // 2)[:, :, ::stride, ::stride]
        self.macs += kernel.size * y.shape[2] * y.shape[3]
        return y

    def bn(self, x: Array, name: str) -> Array:
        return batch_norm(x, self.w, name, self.is_training)

    def dense(self, x: Array, name: str) -> Array:
        self.macs += self.w[f"{name}.weight"].size
        return x @ self.w[f"{name}.weight"].T + self.w.get(f"{name}.bias", 0.0)

    def head(self, x: Array, num_positions: int) -> Array:
        return self.dense(x, "head.dense").reshape(len(x), num_positions, -1).transpose(1, 0, 2)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def max_pool(x: Array, rounds_up: bool = False) -> Array:
    """2x2 windows; what is left over at the ends is dropped or a window of its own."""
    height, width = x.shape[2:]
    if rounds_up:
        ends = ((0, 0), (0, 0), (0, height % 2), (0, width % 2))
        x = np.pad(x, ends, constant_values=-np.inf)
    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    return np.max([x[:, :, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)], axis=0)


def randomize(network: Any, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Gives a network random parameters, batch norm included, with scores of the order of 1; returns them."""
    import mindspore as ms

    rng = np.random.default_rng(seed)
    weights = {}
    for parameter in network.get_parameters():
        shape, last = tuple(parameter.shape), parameter.name.rsplit(".", 1)[1]
        if last in ("gamma", "moving_variance"):
            values = rng.uniform(0.5, 1.5, shape)
        elif last == "weight":
            values = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        else:
            values = rng.normal(0, 0.3, shape)
        weights[parameter.name] = values.astype(np.float32)
        parameter.set_data(ms.Tensor(weights[parameter.name]))
    return weights


def write_positions_model(path: Path, layout: Mapping[str, Any], task: str = "positions") -> Path:
    """An ONNX file of a small network with random parameters, for images 48 x 32."""
    initialize("CPU")
    codec, network = PositionsCodec(layout_of(layout)), PositionsNetwork("character_net", 0.125)
    artifact = Artifact(codec, Preprocessing(32, 48), network, task=task, weights_sha256="ab")
    weights = randomize(artifact.kind.learner().create_network(artifact, False))
    path.write_bytes(serialize(artifact.kind.onnx(weights, artifact)))
    return path
