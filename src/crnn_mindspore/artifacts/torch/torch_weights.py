"""Weights as PyTorch's networks have them, in safetensors files, and the names of both sides.

A network in PyTorch whose modules are called like ours has the parameters of ours, but for batch norm, where
PyTorch calls them otherwise; the gates of an LSTM are stored as input, forget, cell, output in both. Another
program's weights have other names and orders: a further function in `_LAYOUTS` tells them by their names and
turns them into ours.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact, hash_weights
from crnn_mindspore.artifacts.torch.safetensors_file import ENDING, read_safetensors, write_safetensors
from crnn_mindspore.artifacts.torch.torch_names import COUNTER, our_names, torch_name
from crnn_mindspore.errors import UserError

Weights = dict[str, npt.NDArray[np.generic]]

_PIECE = re.compile(r"(.+)-(\d+)-of-(\d+)")
_PICKLES = (".pth", ".pt", ".bin", ".tar", ".pkl")


@dataclass(frozen=True)
class TorchWeights:
    """What a file of PyTorch holds.

    Attributes:
        weights: By our names.
        artifact: The description; None where the file has none.
    """

    weights: Weights
    artifact: Artifact | None


def read_torch_weights(path: str) -> TorchWeights:
    """Reads weights; of several files `NAME-1-of-3.safetensors` any is given, and all are read.

    Raises:
        UserError: If the file is missing, damaged, of another format, or holds no network of this project.
    """
    if path.lower().endswith(_PICKLES):
        raise UserError(
            f"{path}: holds Python objects, which are not opened; write its weights with "
            "safetensors.torch.save_file(model.state_dict(), 'FILE.safetensors')"
        )
    arrays: Weights = {}
    texts: list[dict[str, str]] = []
    for piece in _pieces(Path(path)):
        more, its_texts = read_safetensors(piece)
        arrays |= more
        texts.append(its_texts)
    if any(text != texts[0] for text in texts):
        raise UserError(f"{path}: its {len(texts)} files are not of one saving")
    arrays = {name: array for name, array in arrays.items() if not name.endswith(f".{COUNTER}")}
    if METADATA_KEY not in texts[0]:
        weights = next((found for layout in _LAYOUTS if (found := layout(arrays)) is not None), None)
        if weights is None:
            raise UserError(
                f"{path}: is no network known here; it holds {', '.join(sorted(arrays)[:3])}, ..."
            )
        return TorchWeights(weights, None)
    weights = _by_our_names(arrays)
    artifact = Artifact.from_json(texts[0][METADATA_KEY], path)
    if artifact.weights_sha256 != hash_weights(weights):
        raise UserError(f"{path}: its parameters do not have the hash of its description: damaged or changed")
    return TorchWeights(weights, artifact)


def write_torch_weights(
    path: str, weights: Mapping[str, npt.NDArray[np.generic]], artifact: Artifact
) -> Artifact:
    """Writes weights with their description; returns it as stored.

    Raises:
        UserError: If the name does not end in .safetensors, or the file cannot be written.
    """
    if not path.lower().endswith(ENDING):
        raise UserError(f"{path}: must end in {ENDING}")
    stored = replace(artifact, weights_sha256=hash_weights(weights))
    named = {torch_name(name): array for name, array in weights.items()}
    try:
        write_safetensors(path, named, {METADATA_KEY: stored.to_json(), "format": "pt"})
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None
    return stored


def _pieces(path: Path) -> list[Path]:
    """The file, or all that belong together with it."""
    match = _PIECE.fullmatch(path.stem)
    if match is None:
        return [path]
    stem, _, count = match.groups()
    return [path.with_name(f"{stem}-{number}-of-{count}{path.suffix}") for number in range(1, int(count) + 1)]


def _by_our_names(arrays: Weights) -> Weights:
    names = our_names(arrays)
    return {names[name]: array for name, array in arrays.items()}


def _crnn_of_this_project(arrays: Weights) -> Weights | None:
    """V1 or V2 as `benchmarks/torch_twin.py` has them: our names, but for batch norm."""
    return _by_our_names(arrays) if "vgg.conv7.conv.weight" in arrays else None


# For files without a description: arrays by their names -> by ours; None where they are another program's.
_LAYOUTS: tuple[Callable[[Weights], Weights | None], ...] = (_crnn_of_this_project,)
