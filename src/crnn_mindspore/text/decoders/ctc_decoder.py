"""What decoders of CTC share: the alphabet, probabilities over all paths, which step gave which character."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ctc import Floats, TargetScores, align, log_softmax, text_log_probabilities
from crnn_mindspore.text.decoder import Decoder, Part

_MOST_WORDS_AT_ONCE = 2048  # bounds the memory of the forward algorithm


class CtcDecoder(Decoder):
    """Turns CTC scores into texts.

    Attributes:
        charset: The alphabet of the network.
    """

    def __init__(self, charset: Charset) -> None:
        super().__init__(charset)
        self.charset = charset

    def probabilities(self, logits: Floats, targets: Sequence[Sequence[int]]) -> Floats:
        """(N k,) probabilities of texts, each summed over its paths, of logits (T, N, C)."""
        each = max(len(targets) // max(logits.shape[1], 1), 1)
        at_once = max(_MOST_WORDS_AT_ONCE // each, 1)
        parts = [np.empty(0)]
        for first in range(0, logits.shape[1], at_once):
            log_probs = log_softmax(logits[:, first : first + at_once])
            own = targets[first * each : (first + at_once) * each]
            parts.append(np.exp(text_log_probabilities(log_probs, own, self.charset.blank)))
        return np.minimum(np.concatenate(parts), 1.0)

    def confidences(self, logits: Floats, targets: Sequence[Sequence[int]]) -> Callable[[float], Floats]:
        """Temperature -> (N,) the probabilities of one text each of N images."""
        scores = TargetScores(logits, targets, self.charset.blank)
        return lambda temperature: np.minimum(np.exp(scores.log_probabilities(temperature)), 1.0)

    def parts(self, logits: Floats, target: Sequence[int]) -> list[Part]:
        """The characters of a text on its most probable path, logits (T, C)."""
        log_probs = log_softmax(logits)
        return [
            Part(
                self.charset.decode([class_id]),
                float(np.exp(log_probs[first : last + 1, class_id].max())),
                first,
                last,
            )
            for class_id, (first, last) in zip(
                target, align(log_probs, target, self.charset.blank), strict=True
            )
        ]


def best_paths(scores: Floats, charset: Charset) -> list[str]:
    """The most probable class at every step, '-' for the blank: N strings of T classes.

    Args:
        scores: (T, N, C) logits or log-probabilities.
        charset: The alphabet.
    """
    return written_paths(scores.argmax(axis=2).T, charset)  # (T,N,C) -> (N,T)


def written_paths(paths: Iterable[Iterable[int]], charset: Charset) -> list[str]:
    """Paths of class ids as strings, '-' for the blank."""
    symbols = [*charset.classes, "-"]
    return ["".join(symbols[i] for i in path) for path in paths]
