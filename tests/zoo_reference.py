"""Checkpoints as the MindSpore model zoo writes them, and its V1 in NumPy, from its definition."""

from pathlib import Path

import mindspore as ms
import numpy as np
from conftest import TINY_HIDDEN, TINY_SCALE
from reference import features, random_weights

from crnn_mindspore.networks.crnn import scaled_channels

Arrays = dict[str, np.ndarray]

CLASSES = 37
CHANNELS = scaled_channels(TINY_SCALE)
NOT_THE_NETWORKS = {
    "vgg.bn1.gamma": np.ones(CHANNELS[-1], np.float32),
    "vgg.bn1.moving_mean": np.ones(CHANNELS[-1], np.float32),
    "moments.fc.weight": np.ones(3, np.float32),
    "learning_rate": np.ones(2, np.float32),
    "global_step": np.ones(1, np.int32),
    "labels_indices": np.ones((2, 2), np.int64),
}


def zoo_v1(seed: int = 3) -> Arrays:
    """Random parameters by the names and shapes of the zoo's class CRNNV1."""
    rng = np.random.default_rng(seed)
    hidden, inputs = TINY_HIDDEN, CHANNELS[-1]
    convolutions = random_weights(CLASSES, hidden, CHANNELS, "V1", seed)
    arrays: Arrays = {name: a for name, a in convolutions.items() if name.startswith("vgg.")}
    for layer, width in (("1", inputs), ("2", 2 * hidden)):
        for direction in ("", "_bw"):
            arrays[f"w{layer}{direction}"] = rng.normal(0, 0.4, (width + hidden, 4 * hidden))
            arrays[f"b{layer}{direction}"] = rng.normal(0, 0.4, 4 * hidden)
    arrays["fc.weight"] = rng.normal(0, 1, (CLASSES, hidden))
    arrays["fc.bias"] = rng.normal(0, 0.3, CLASSES)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def dynamic_rnn(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Ascend's `DynamicRNN`: input and state side by side times one matrix; gates i, g, f, o."""

    def sigmoid(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-z))

    hidden = cell = np.zeros((x.shape[1], len(b) // 4))
    outputs = []
    for step in x:
        i, g, f, o = np.split(np.hstack([step, hidden]) @ w + b, 4, axis=1)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
        outputs.append(hidden)
    return np.stack(outputs)


def zoo_v1_logits(images: np.ndarray, arrays: Arrays) -> np.ndarray:
    """The zoo's CRNNV1 line by line: its second layer runs forward only."""
    w = {name: array.astype(np.float64) for name, array in arrays.items()}
    x = features(images, w)
    forward = dynamic_rnn(x, w["w1"], w["b1"])
    backward = dynamic_rnn(x[::-1], w["w1_bw"], w["b1_bw"])[::-1]
    second = dynamic_rnn(np.concatenate([forward, backward], axis=2), w["w2"], w["b2"])
    return second @ w["fc.weight"].T + w["fc.bias"]


def zoo_v2() -> Arrays:
    return random_weights(CLASSES, TINY_HIDDEN, CHANNELS, "V2", seed=4)


def write_zoo(path: Path, arrays: Arrays) -> Path:
    entries = {**arrays, **NOT_THE_NETWORKS}
    ms.save_checkpoint([{"name": n, "data": ms.Tensor(a)} for n, a in entries.items()], str(path))
    return path
