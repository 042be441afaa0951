"""V1 checkpoints of the MindSpore model zoo as parameters of this project's V1.

The zoo writes V1 with Ascend's `DynamicRNN`. One matrix (inputs + hidden, 4 * hidden) holds both kinds of
weights of an LSTM, input above recurrent, its columns in the order input gate, cell, forget gate, output
gate; `nn.LSTM` has them as two transposed matrices in the order input gate, forget gate, cell, output gate.
The first layer runs in both directions and joins forward and backward outputs, as here. Of the second layer
the zoo uses the forward direction alone: `fc` has `hidden` inputs, and the backward weights `w2_bw` and
`b2_bw` are in the file as they were drawn. Here they become the second layer's backward direction, with zeros
in `fc` for its outputs: the same logits, and a fine-tuning can make use of it.

Source: MindSpore model zoo, official/cv/CRNN/src/crnn.py, class CRNNV1; the order of the columns:
MindSpore, nn/layer/rnns.py, class _DynamicLSTMAscend, which makes this matrix from `nn.LSTM`'s parameters.
"""

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.weights import CLASS_LAYERS, Arrays, take
from crnn_mindspore.errors import UserError

Floats = npt.NDArray[np.float32]

# The zoo's entries that `convert_v1` turns into others.
V1_ENTRIES = ("w1", "b1", "w1_bw", "b1_bw", "w2", "b2", "w2_bw", "b2_bw", "fc.weight", "fc.bias")


def is_zoo_v1(entries: Arrays) -> bool:
    """Whether a checkpoint's entries have the zoo's names of V1."""
    return "w1" in entries and "w1_bw" in entries


def convert_v1(entries: Arrays, origin: str) -> dict[str, npt.NDArray[np.generic]]:
    """The recurrent part of the zoo's V1 under the names of this project.

    Args:
        entries: Of the checkpoint, convolutions included.
        origin: Its path, for messages.

    Returns:
        `rnn.*` by name, float32, made of `V1_ENTRIES`.

    Raises:
        UserError: If an entry is missing or has another shape than the others make necessary.
    """
    if "fc.weight" not in entries or entries["fc.weight"].ndim != 2:
        raise UserError(f"{origin}: holds no matrix fc.weight, (classes, hidden), of the model zoo's V1")
    if "vgg.conv7.conv.weight" not in entries:
        raise UserError(f"{origin}: holds no parameter vgg.conv7.conv.weight")
    classes, hidden = entries["fc.weight"].shape
    features = entries["vgg.conv7.conv.weight"].shape[0]
    converted: dict[str, npt.NDArray[np.generic]] = {}
    for layer, inputs in ((1, features), (2, 2 * hidden)):
        for theirs, ours in (("", ""), ("_bw", "_reverse")):
            weight = take(entries, f"w{layer}{theirs}", (inputs + hidden, 4 * hidden), origin)
            bias = take(entries, f"b{layer}{theirs}", (4 * hidden,), origin)
            lstm = f"rnn.lstm{layer}"
            converted[f"{lstm}.weight_ih_l0{ours}"] = _ifgo(weight[:inputs]).T.copy()
            converted[f"{lstm}.weight_hh_l0{ours}"] = _ifgo(weight[inputs:]).T.copy()
            converted[f"{lstm}.bias_ih_l0{ours}"] = _ifgo(bias)
            converted[f"{lstm}.bias_hh_l0{ours}"] = np.zeros_like(bias)
    forward = take(entries, "fc.weight", (classes, hidden), origin)
    dense = CLASS_LAYERS["V1"]
    converted[f"{dense}.weight"] = np.concatenate([forward, np.zeros_like(forward)], axis=1)
    converted[f"{dense}.bias"] = take(entries, "fc.bias", (classes,), origin)
    return converted


def _ifgo(igfo: Floats) -> Floats:
    """The last axis from the zoo's order of gates to `nn.LSTM`'s."""
    i, g, f, o = np.split(igfo, 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1)
