"""Greedy (best path) CTC decoding with the probability of the decoded text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.text.charset import Charset
from src.text.ctc import Floats, log_softmax, text_log_probabilities


@dataclass(frozen=True)
class Decoded:
    """A reading: the text, the probability of the text, and the best path before collapsing."""

    text: str
    confidence: float
    raw: str


def collapse(path: Sequence[int], blank: int) -> list[int]:
    """Class ids of a path with repeats merged, then blanks removed (Graves et al. 2006, the map B)."""
    ids = np.asarray(path)
    keep = ids != blank
    keep[1:] &= ids[1:] != ids[:-1]
    return ids[keep].tolist()


class GreedyDecoder:
    """The most probable class at every step, collapsed.

    The confidence is the probability of the text, summed over all its paths, not that of the one best path:
    it answers "how sure is this reading", between 0 and 1.
    """

    name = "greedy"

    def __init__(self, charset: Charset) -> None:
        self.charset = charset

    def __call__(self, logits: Floats) -> list[Decoded]:
        """Readings of N images from logits or log-probabilities (T, N, C)."""
        log_probs = log_softmax(logits)
        blank = self.charset.blank
        paths = log_probs.argmax(axis=2).T  # (T,N,C) -> (N,T)
        ids = [collapse(path, blank) for path in paths]
        confidences = np.exp(text_log_probabilities(log_probs, ids, blank))
        symbols = self.charset.characters + "-"
        return [
            Decoded(
                text=self.charset.decode(text_ids),
                confidence=float(min(confidence, 1.0)),
                raw="".join(symbols[i] for i in path),
            )
            for text_ids, confidence, path in zip(ids, confidences, paths, strict=True)
        ]
