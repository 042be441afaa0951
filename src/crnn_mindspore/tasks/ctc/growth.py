"""Fine-tuning with another alphabet: classes are carried over by their characters, new ones start last.

A class that both alphabets have, and the blank, keep weights and bias as they are, so that their logits do
not change. A new class starts as the mean of the classes kept, plus a little of its fresh weights, minus as
much as these can add. Its logit is therefore below the mean of the others and never the largest, whatever the
image: the network reads as before until it is trained. The offset is small, and CTC's gradient for a
character that the text holds does not vanish with its probability, so new classes are learnt from the first
step on.

Source: Hewitt, "Initializing New Word Embeddings for Pretrained Language Models" (2021), for the mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.weights import Arrays, take
from crnn_mindspore.text.charset import Charset

# Of the fresh weights; they tell new classes apart. All of them would put a new class of 512 inputs 11 below
# the mean, which rare characters take long to make up for; a tenth puts it 1.1 below.
FRESH_SHARE = 0.1
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class CharsetChange:
    """What another alphabet means for the classes of a network.

    Attributes:
        old: The alphabet the network was trained with.
        new: The one it is to be trained with.
    """

    old: Charset
    new: Charset

    @property
    def kept(self) -> list[str]:
        """Classes of both, in the new order."""
        return [c for c in self.new.classes if c in self.old.classes]

    @property
    def added(self) -> list[str]:
        """Classes that the network has not seen."""
        return [c for c in self.new.classes if c not in self.old.classes]

    @property
    def dropped(self) -> list[str]:
        """Classes that the network will no longer read."""
        return [c for c in self.old.classes if c not in self.new.classes]

    def lines(self) -> list[str]:
        """For the log: which characters are kept, new and dropped, and what a change of case means."""
        groups = {"kept": self.kept, "new": self.added, "dropped": self.dropped}
        lines = [f"characters {name}: {_shown(characters)}" for name, characters in groups.items()]
        if self.new.case_sensitive and not self.old.case_sensitive:
            lines.append(
                "case_sensitive: the model read upper case as lower case; its upper-case letters start anew"
            )
        if self.old.case_sensitive and not self.new.case_sensitive:
            lines.append(
                "case_sensitive: the model told upper from lower case; lower-case letters must now learn both"
            )
        return lines


def grow_classes(
    weights: Arrays, fresh: Arrays, layer: str, change: CharsetChange, origin: str
) -> dict[str, npt.NDArray[np.generic]]:
    """The weights of a trained network for another alphabet.

    Args:
        weights: Of the trained network, by name.
        fresh: Of a freshly initialised one with the new alphabet; only the class layer is used.
        layer: Name of the class layer; its inputs must be from -1 to 1, as LSTM outputs are.
        change: Both alphabets.
        origin: The file of `weights`, for messages.

    Returns:
        All weights, those of the class layer for the new alphabet and its blank.

    Raises:
        UserError: If the class layer is missing or has another shape than its alphabet and inputs need.
    """
    weight_name, bias_name = f"{layer}.weight", f"{layer}.bias"
    classes, inputs = change.new.num_classes, fresh[weight_name].shape[1]
    old_weight = take(weights, weight_name, (change.old.num_classes, inputs), origin)
    old_bias = take(weights, bias_name, (change.old.num_classes,), origin)

    old_ids: dict[str, int] = {}
    for i, name in enumerate(change.old.classes):
        old_ids.setdefault(name, i)  # of a class that comes twice, the first was trained
    sources = np.array([*(old_ids.pop(c, -1) for c in change.new.classes), change.old.blank])
    is_kept = sources >= 0
    kept_weight, kept_bias = old_weight[sources[is_kept]], old_bias[sources[is_kept]]

    weight = FRESH_SHARE * take(fresh, weight_name, (classes, inputs), "the network")
    bias = kept_bias.mean() - np.abs(weight).sum(axis=1)
    weight += kept_weight.mean(axis=0)
    weight[is_kept], bias[is_kept] = kept_weight, kept_bias
    return {**weights, weight_name: weight, bias_name: bias}


def _shown(classes: Sequence[str]) -> str:
    if not classes:
        return "0"
    between = "" if all(len(name) == 1 for name in classes) else " "
    dots = "..." if len(classes) > _SHOWN_CHARACTERS else ""
    return f"{len(classes)}: {between.join(classes[:_SHOWN_CHARACTERS])}{dots}"
