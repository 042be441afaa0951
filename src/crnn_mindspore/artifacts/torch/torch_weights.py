"""Weights as PyTorch's networks have them, in safetensors files, and the names of both sides.

A network in PyTorch whose modules are called like ours has the parameters of ours, but for batch norm, where
PyTorch calls them otherwise; the gates of an LSTM are stored as input, forget, cell, output in both. Those of
other projects are in `torch_layouts.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact, hash_weights
from crnn_mindspore.artifacts.torch.pth_file import ENDINGS, read_pth
from crnn_mindspore.artifacts.torch.safetensors_file import ENDING, read_safetensors, write_safetensors
from crnn_mindspore.artifacts.torch.torch_layouts import (
    LAYOUTS,
    Layout,
    layout_of,
    to_ours,
    to_theirs,
    without_prefix,
)
from crnn_mindspore.artifacts.torch.torch_names import COUNTER, our_names, torch_name
from crnn_mindspore.artifacts.weights import require_finite
from crnn_mindspore.errors import UserError

Weights = dict[str, npt.NDArray[np.generic]]

_PIECE = re.compile(r"(.+)-(\d+)-of-(\d+)")
_MOST_DIGITS = 4  # of the number of files that a model lies in
_LAYOUT_KEY = "crnn_layout"  # in a file with a description: whose names it has


@dataclass(frozen=True)
class TorchWeights:
    """What a file of PyTorch holds.

    Attributes:
        weights: By our names; of another project's file without a description by its own.
        artifact: The description; None where the file has none.
        layout: The project's; None of this one.
    """

    weights: Weights
    artifact: Artifact | None
    layout: Layout | None = None


def read_torch_weights(path: str) -> TorchWeights:
    """Reads weights; of several files `NAME-1-of-3.safetensors` any is given, and all are read.

    Raises:
        UserError: If the file is missing, damaged, of another format, or holds no network of this project.
    """
    if path.lower().endswith(ENDINGS):
        arrays = read_pth(path)
        require_finite(arrays, path)
        return _foreign(arrays, path)
    pieces: Weights = {}
    texts: list[dict[str, str]] = []
    for piece in _pieces(Path(path)):
        more, its_texts = read_safetensors(piece)
        pieces |= more
        texts.append(its_texts)
    if any(text != texts[0] for text in texts):
        raise UserError(f"{path}: its {len(texts)} files are not of one saving")
    arrays = pieces
    require_finite(arrays, path)
    if METADATA_KEY not in texts[0]:
        return _foreign(arrays, path)
    arrays = {name: array for name, array in arrays.items() if not name.endswith(f".{COUNTER}")}
    layout = next((layout for layout in LAYOUTS if layout.name == texts[0].get(_LAYOUT_KEY)), None)
    weights = to_ours(arrays, layout, is_blank_first=True) if layout else _by_our_names(arrays)
    artifact = Artifact.from_json(texts[0][METADATA_KEY], path)
    if artifact.weights_sha256 != hash_weights(weights):
        raise UserError(f"{path}: its parameters do not have the hash of its description: damaged or changed")
    return TorchWeights(weights, artifact)


def _foreign(arrays: Weights, path: str) -> TorchWeights:
    """Arrays without a description: of V1 or V2 in `benchmarks/torch_twin.py`, or another project's."""
    arrays = without_prefix(arrays)
    if "vgg.conv7.conv.weight" in arrays:
        return TorchWeights(_by_our_names(arrays), None)
    return TorchWeights(arrays, None, layout_of(arrays, path))


def layout_for(artifact: Artifact) -> Layout | None:
    """Whose names a network's weights are written under; None for this project's.

    Those of the project that it came from, else of the first with such a network.
    """
    own = [layout for layout in LAYOUTS if layout.version == getattr(artifact.network, "version", "")]
    origin = artifact.training.get("layout")
    return next((layout for layout in own if layout.name == origin), own[0] if own else None)


def write_torch_weights(
    path: str, weights: Mapping[str, npt.NDArray[np.generic]], artifact: Artifact
) -> Artifact:
    """Writes weights with their description; returns it as stored.

    A network that another project has is written under its names, the blank as the first class.

    Raises:
        UserError: If the name does not end in .safetensors, or the file cannot be written.
    """
    if not path.lower().endswith(ENDING):
        raise UserError(f"{path}: must end in {ENDING}")
    layout = layout_for(artifact)
    texts = {"format": "pt"}
    if layout is not None:
        named = to_theirs(weights, layout, is_blank_first=True)
        texts[_LAYOUT_KEY] = layout.name
        weights = to_ours(named, layout, is_blank_first=True)  # parseq's have no bias before batch norm
    else:
        named = {torch_name(name): array for name, array in weights.items()}
    stored = replace(artifact, weights_sha256=hash_weights(weights))
    try:
        write_safetensors(path, named, {METADATA_KEY: stored.to_json(), **texts})
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None
    return stored


def _pieces(path: Path) -> list[Path]:
    """The file, or all that belong together with it."""
    match = _PIECE.fullmatch(path.stem)
    if match is None:
        return [path]
    stem, _, count = match.groups()
    if len(count) > _MOST_DIGITS:
        raise UserError(f"{path}: of {count} files, more than a model has")
    return [path.with_name(f"{stem}-{number}-of-{count}{path.suffix}") for number in range(1, int(count) + 1)]


def _by_our_names(arrays: Weights) -> Weights:
    names = our_names(arrays)
    return {names[name]: array for name, array in arrays.items()}
