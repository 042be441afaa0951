"""Other classes for a trained network: those it knows keep their scores, new ones start at the mean of these.

The score of a class is a row of the last layer. The row of a new class is the mean of the rows kept at its
position, and so is its bias: its score is then the mean of their scores, never above the best of them, and
the network reads as before until it is trained.

Source: Hewitt, "Initializing New Word Embeddings for Pretrained Language Models" (2021), for the mean.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.weights import Arrays, take
from crnn_mindspore.tasks.positions.layout import Layout, Position

_SHOWN = 60


def grow_positions(
    weights: Arrays, fresh: Arrays, layer: str, old: Layout, new: Layout, origin: str
) -> dict[str, npt.NDArray[np.generic]]:
    """The weights of a trained network for another layout.

    Positions are matched by their names; one that the old layout lacks starts anew.

    Args:
        weights: Of the trained network, by name.
        fresh: Of a freshly initialised one with the new layout; only the last layer is used.
        layer: Name of the last layer.
        old: The layout that the network was trained with.
        new: The one it is to be trained with.
        origin: The file of `weights`, for messages.

    Returns:
        All weights, those of the last layer for the new layout.

    Raises:
        UserError: If the last layer is missing or has another shape than its layout and inputs need.
    """
    weight_name, bias_name = f"{layer}.weight", f"{layer}.bias"
    inputs = fresh[weight_name].shape[1]
    rows = len(old) * old.num_classes
    old_weight = take(weights, weight_name, (rows, inputs), origin).reshape(len(old), old.num_classes, inputs)
    old_bias = take(weights, bias_name, (rows,), origin).reshape(len(old), old.num_classes)
    shape = len(new), new.num_classes
    weight = np.array(fresh[weight_name]).reshape(*shape, inputs)
    bias = np.array(fresh[bias_name]).reshape(shape)
    places = {position.name: t for t, position in enumerate(old.positions)}
    for t, position in enumerate(new.positions):
        if position.name not in places:
            continue
        place = places[position.name]
        sources = _sources(old.positions[place], position)
        kept = np.flatnonzero(sources >= 0)
        if not kept.size:
            continue
        known_weight, known_bias = old_weight[place][sources[kept]], old_bias[place][sources[kept]]
        weight[t], bias[t] = known_weight.mean(axis=0), known_bias.mean()
        weight[t][kept], bias[t][kept] = known_weight, known_bias
    return {**weights, weight_name: weight.reshape(-1, inputs), bias_name: bias.reshape(-1)}


def growth_lines(old: Layout, new: Layout) -> list[str]:
    """For the log: which classes of each position are kept, new and dropped, where it changes."""
    before: Mapping[str, Position] = {position.name: position for position in old.positions}
    lines = []
    for position in new.positions:
        if position.name not in before:
            lines.append(f"position {position.name}: starts anew")
            continue
        known = before[position.name].classes
        if known == position.classes:
            continue
        added = [name for name in position.classes if name not in known]
        dropped = [name for name in known if name not in position.classes]
        kept = len(set(position.classes) & set(known))
        lines.append(
            f"position {position.name}: {kept} classes kept, new {_shown(added)}, dropped {_shown(dropped)}"
        )
    return lines


def _sources(old: Position, new: Position) -> npt.NDArray[np.intp]:
    """Of each new class its id at the old position, of a repeated one the first; -1 where that lacks it."""
    found = [old.id_of(name) if new.id_of(name) == i else None for i, name in enumerate(new.classes)]
    return np.array([-1 if i is None else i for i in found], dtype=np.intp)


def _shown(names: list[str]) -> str:
    if not names:
        return "0"
    text = ("" if all(len(name) == 1 for name in names) else " ").join(names)
    return f"{len(names)}: {text if len(text) <= _SHOWN else text[:_SHOWN] + '...'}"
