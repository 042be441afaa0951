"""What decoders of CTC share: the alphabet, probabilities over all paths, which step gave which character."""

from collections.abc import Sequence

import numpy as np

from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ctc import Floats, align, log_softmax, text_log_probabilities
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


def best_paths(log_probs: Floats, charset: Charset) -> list[str]:
    """The most probable class at every step, '-' for the blank: N strings of T classes."""
    symbols = [*charset.classes, "-"]
    return ["".join(symbols[i] for i in path) for path in log_probs.argmax(axis=2).T]  # (T,N,C) -> (N,T)
