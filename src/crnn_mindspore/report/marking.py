"""Truth and reading side by side: which of their characters differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from crnn_mindspore.report.edits import Pair

_CONTEXT = 8  # characters on each side of a mistake
_CUT = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True)
class Mark:
    """A piece of one side: a single character where the sides differ.

    Attributes:
        text: The characters; empty where the side has none for one of the other.
        differs: Whether the other side has something else here.
    """

    text: str
    differs: bool


def marks(pairs: Sequence[Pair], side: int) -> list[Mark]:
    """One side of an alignment, from the left.

    Args:
        pairs: The alignment.
        side: 0 for the truth, 1 for the reading.
    """
    found: list[Mark] = []
    for differs, run in groupby(pairs, key=lambda pair: pair[0] != pair[1]):
        texts = [pair[side] for pair in run]
        found += [Mark(text, True) for text in texts] if differs else [Mark("".join(texts), False)]
    return found


def excerpts(pairs: Sequence[Pair], mistake: Pair) -> tuple[list[Mark], list[Mark]]:
    """Both sides of an alignment around the first place of a mistake; "…" for what is cut."""
    place = pairs.index(mistake)
    first, end = max(0, place - _CONTEXT), min(len(pairs), place + _CONTEXT + 1)
    before = [Mark(_CUT, False)] if first > 0 else []
    after = [Mark(_CUT, False)] if end < len(pairs) else []
    shown = pairs[first:end]
    return before + marks(shown, 0) + after, before + marks(shown, 1) + after
