"""The networks of PyTorch's projects that are known here, told by their parameters' names, which become ours.

Of all, the blank is the first class where their projects trained them; ours is the last.

Source: https://github.com/meijieru/crnn.pytorch, models/crnn.py; https://github.com/baudm/parseq,
strhub/models/crnn/model.py; https://github.com/clovaai/deep-text-recognition-benchmark, model.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.torch.torch_names import COUNTER, our_names, torch_name
from crnn_mindspore.artifacts.weights import CLASS_LAYERS
from crnn_mindspore.errors import UserError

Weights = dict[str, npt.NDArray[np.generic]]

_DIGITS_FIRST = "0123456789abcdefghijklmnopqrstuvwxyz"
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SIGNS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_PREFIXES = ("module.", "model.", "net.", "network.", "crnn.")


@dataclass(frozen=True)
class Layout:
    """A class of a project.

    Attributes:
        name: Of the project.
        version: Our network.
        made_by: The class, for people.
        interpolation: How the project makes images smaller.
        width: Of its images, pixels.
        alphabets: That its models have unless they were trained otherwise.
    """

    name: str
    version: str
    made_by: str
    interpolation: str
    width: int
    alphabets: tuple[str, ...] = (_DIGITS_FIRST,)


CRNN_PYTORCH = Layout(
    "crnn.pytorch",
    "paper",
    "CRNN of models/crnn.py in github.com/meijieru/crnn.pytorch",
    "pillow-linear",
    100,
)
PARSEQ = Layout(
    "parseq",
    "paper",
    "CRNN of strhub/models/crnn/model.py in github.com/baudm/parseq",
    "pillow-cubic",
    128,
    (_DIGITS_FIRST, _DIGITS_FIRST + _CAPITALS, _DIGITS_FIRST + _CAPITALS + _SIGNS),
)
DEEP_TEXT = Layout(
    "deep-text-recognition-benchmark",
    "vgg",
    "Model of model.py in github.com/clovaai/deep-text-recognition-benchmark, with None-VGG-BiLSTM-CTC",
    "pillow-cubic",
    100,
    (_DIGITS_FIRST, _DIGITS_FIRST + _CAPITALS + _SIGNS),
)
LAYOUTS = (CRNN_PYTORCH, PARSEQ, DEEP_TEXT)

# What a name says of a network that is not known here; the first that fits is named.
_REFUSED = (
    (r"^Transformation\.|(^|\.)(tps|stn|localization)", "a transformation of the image (TPS)"),
    (r"attention|(^|\.)attn|^decoder\.|text_embed", "attention"),
    (r"wgf_u|GRCL", "a gated recurrent backbone (RCNN)"),
    (r"(^|\.)layer1\.|conv0_1|downsample", "a ResNet as its backbone"),
    (r"dense_?block", "a DenseNet as its backbone"),
    (r"^encoder\.|(^|\.)blocks\.0\.|self_attn", "a transformer"),
)
# deep-text's: place in its Sequential -> ours.
_CONV_NET = {
    "0": "conv0",
    "3": "conv1",
    "6": "conv2",
    "8": "conv3",
    "11": "conv4",
    "14": "conv5",
    "18": "conv6",
}
_CONV_NET |= {"12": "batchnorm4", "15": "batchnorm5"}
_PARTS = (
    *((f"FeatureExtraction.ConvNet.{place}.", f"cnn.{ours}.") for place, ours in _CONV_NET.items()),
    *((f"SequenceModeling.{n}.rnn.", f"rnn.{n}.rnn.") for n in (0, 1)),
    *((f"SequenceModeling.{n}.linear.", f"rnn.{n}.embedding.") for n in (0, 1)),
    ("Prediction.", "prediction."),
)


def without_prefix(arrays: Weights) -> Weights:
    """The arrays without what a training puts before every name, and without batch norm's counters."""
    arrays = {name: array for name, array in arrays.items() if name.rpartition(".")[2] != COUNTER}
    while prefix := next((p for p in _PREFIXES if arrays and all(n.startswith(p) for n in arrays)), ""):
        arrays = {name.removeprefix(prefix): array for name, array in arrays.items()}
    return arrays


def layout_of(arrays: Weights, origin: str) -> Layout:
    """Whose network the arrays are of.

    Raises:
        UserError: If it is none that is known here; what it has that is not known is named.
    """
    for pattern, what in _REFUSED:
        found = next((name for name in arrays if re.search(pattern, name)), None)
        if found is not None:
            raise UserError(f"{origin}: is a network with {what}, which is not known here: {found!a}")
    if "cnn.conv0.weight" in arrays and "rnn.1.embedding.weight" in arrays:
        is_parseq = "cnn.batchnorm2.weight" in arrays and "cnn.conv2.bias" not in arrays
        return PARSEQ if is_parseq else CRNN_PYTORCH
    if "FeatureExtraction.ConvNet.18.weight" in arrays:
        if "SequenceModeling.1.linear.weight" not in arrays:
            raise UserError(f"{origin}: is a VGG without BiLSTM, which is not known here")
        return DEEP_TEXT
    shown = ", ".join(ascii(name) for name in sorted(arrays)[:3])
    raise UserError(f"{origin}: is no network known here; it holds {shown}, ...")


def to_ours(arrays: Weights, layout: Layout, is_blank_first: bool) -> Weights:
    """Their arrays by our names, the blank as the last class."""
    if layout is DEEP_TEXT:
        arrays = {_with_parts(name, _PARTS): array for name, array in arrays.items()}
    names = our_names(arrays)
    weights = {names[name]: array for name, array in arrays.items()}
    if layout is PARSEQ:  # a bias before batch norm changes nothing
        for number in (2, 4, 6):
            mean = weights.get(f"cnn.batchnorm{number}.moving_mean")
            if mean is not None:
                weights[f"cnn.conv{number}.bias"] = np.zeros_like(mean)
    return _rolled(weights, layout.version, -1) if is_blank_first else weights


def to_theirs(
    weights: Mapping[str, npt.NDArray[np.generic]], layout: Layout, is_blank_first: bool
) -> Weights:
    """The inverse of `to_ours`."""
    found = dict(weights)
    if layout is PARSEQ:
        for number in (2, 4, 6):
            bias, mean = found.pop(f"cnn.conv{number}.bias"), f"cnn.batchnorm{number}.moving_mean"
            found[mean] = np.subtract(found[mean].astype(np.float32), bias.astype(np.float32)).astype(
                bias.dtype
            )
    if is_blank_first:
        found = _rolled(found, layout.version, 1)
    parts = [(ours, theirs) for theirs, ours in _PARTS] if layout is DEEP_TEXT else []
    return {_with_parts(torch_name(name), parts): array for name, array in found.items()}


def _with_parts(name: str, parts: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> str:
    for before, after in parts:
        if name.startswith(before):
            return after + name.removeprefix(before)
    return name


def _rolled(weights: Weights, version: str, places: int) -> Weights:
    """The classes moved by so many places, the one at the end to the other end."""
    layer = CLASS_LAYERS[version]
    names = [name for name in (f"{layer}.weight", f"{layer}.bias") if name in weights]
    return {**weights, **{name: np.roll(weights[name], places, axis=0) for name in names}}
