"""Greedy (best path) CTC decoding with the probability of the decoded text."""

from collections.abc import Sequence

import numpy as np

from crnn_mindspore.text.ctc import Floats, TargetScores
from crnn_mindspore.text.decoder import Decoded, ImageLexicons
from crnn_mindspore.text.decoders.beam import BeamDecoder
from crnn_mindspore.text.decoders.ctc_decoder import CtcDecoder, written_paths

_BEAM_WIDTH = 10


def collapse(path: Sequence[int], blank: int) -> list[int]:
    """Class ids of a path with repeats merged, then blanks removed (Graves et al. 2006, the map B)."""
    ids = np.asarray(path)
    keep = ids != blank
    keep[1:] &= ids[1:] != ids[:-1]
    return ids[keep].tolist()


class GreedyDecoder(CtcDecoder):
    """The most probable class at every step, collapsed.

    The confidence is the probability of the text, summed over all its paths, not that of the one best path:
    it answers "how sure is this reading", between 0 and 1.
    """

    name = "greedy"

    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """The greedy reading of each image, then the most probable other texts that a beam search finds."""
        del lexicons
        readings = [[reading] for reading in self._read(logits)]
        if count > 1:
            beam = BeamDecoder(self.charset, max(2 * count, _BEAM_WIDTH))
            for own, found in zip(readings, beam.best(logits, count), strict=True):
                others = [other for other in found if other.text != own[0].text]
                own.extend(others[: count - 1])
        return readings

    def _read(self, logits: Floats) -> list[Decoded]:
        blank = self.charset.blank
        paths = logits.argmax(axis=2).T  # (T,N,C) -> (N,T)
        ids = [collapse(path, blank) for path in paths]
        confidences = np.exp(TargetScores(logits, ids, blank).log_probabilities())
        return [
            Decoded(self.charset.decode(text_ids), float(min(confidence, 1.0)), raw, tuple(text_ids))
            for text_ids, confidence, raw in zip(
                ids, confidences, written_paths(paths, self.charset), strict=True
            )
        ]
