"""CTC decoding with a prior over texts: what the image shows, weighed with what people write."""

from collections.abc import Callable, Sequence
from copy import copy
from itertools import chain

import numpy as np

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ctc import Floats, log_softmax, text_log_probabilities
from crnn_mindspore.text.decoder import Decoded, Decoder, ImageLexicons
from crnn_mindspore.text.decoders.beam import BeamDecoder
from crnn_mindspore.text.decoders.ctc_decoder import CtcDecoder, best_paths
from crnn_mindspore.text.decoders.greedy import GreedyDecoder
from crnn_mindspore.text.decoders.word_tree import WordTree
from crnn_mindspore.text.word_prior import WordPrior, fold

PRIOR_WEIGHT, LENGTH_BONUS = 0.5, 1.2
BEAM_WIDTH = 16  # prefixes of each beam

_Candidates = list[tuple[list[tuple[int, ...]], Floats]]  # of each image: texts as ids, and their scores


class PriorDecoder(CtcDecoder):
    """The text with the highest

        log P(text | image) + 0.5 log P(text) + 1.2 x characters

    among the candidates: the greedy reading, what is left of a beam search without a language model, and of
    one within the listed words. P(text | image) is the exact CTC probability,
    P(text) that of `WordPrior`; a prior alone prefers short texts, hence the bonus.

    The confidence is the share of a text in the sum over the candidates of exp(score / temperature).

    Args:
        charset: The alphabet of the network.
        prior: P(text).
        time_steps: Of the network; longer words are not looked for.
        name: Printed beside figures.

    Raises:
        UserError: If the alphabet can write no listed word.
    """

    def __init__(self, charset: Charset, prior: WordPrior, time_steps: int, name: str = "prior") -> None:
        super().__init__(charset)
        self.name = name
        self.prior = prior
        self._of_scores = 1.0
        words, frequencies = _writable(charset, prior, time_steps)
        if not words:
            raise UserError(f"{name}: the alphabet can write none of its words")
        tree = WordTree(words, np.array(frequencies), charset.num_classes)
        self._greedy = GreedyDecoder(charset)
        self._free = BeamDecoder(charset, BEAM_WIDTH)
        self._listed = BeamDecoder(charset, BEAM_WIDTH, tree, PRIOR_WEIGHT, LENGTH_BONUS)

    def at_temperature(self, temperature: float) -> Decoder:
        """The same readings; the temperature divides the scores of the candidates."""
        other = copy(self)
        other._of_scores = temperature
        return other

    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """The up to `count` best candidates of each of N images from logits (T, N, C)."""
        del lexicons
        log_probs = log_softmax(logits)
        raws = best_paths(log_probs, self.charset)
        readings = []
        for raw, (texts, scores) in zip(raws, self._candidates(log_probs), strict=True):
            shares = _shares(scores, self._of_scores)
            order = np.argsort(-scores, kind="stable")[:count]
            readings.append(
                [Decoded(self.charset.decode(texts[k]), float(shares[k]), raw, texts[k]) for k in order]
            )
        return readings

    def confidences(self, logits: Floats, targets: Sequence[Sequence[int]]) -> Callable[[float], Floats]:
        """Temperature -> (N,) confidences of one reading each of N images."""
        found = self._candidates(log_softmax(logits))
        places = [texts.index(tuple(target)) for (texts, _), target in zip(found, targets, strict=True)]

        def at(temperature: float) -> Floats:
            return np.array(
                [_shares(scores, temperature)[k] for (_, scores), k in zip(found, places, strict=True)]
            )

        return at

    def _candidates(self, log_probs: Floats) -> _Candidates:
        """Of each image its candidates, all different, with their scores."""
        greedy = [[tuple(self._greedy.target(reading))] for reading in self._greedy(log_probs)]
        sources = greedy, self._free.survivors(log_probs), self._listed.survivors(log_probs)
        texts = [list(dict.fromkeys(chain(*own))) for own in zip(*sources, strict=True)]
        rows = [n for n, own in enumerate(texts) for _ in own]
        flat = [list(text) for own in texts for text in own]
        exact = text_log_probabilities(log_probs[:, rows], flat, self.charset.blank)
        before = np.array([self.prior.log_probability(self.charset.decode(text)) for text in flat])
        scores = exact + PRIOR_WEIGHT * before + LENGTH_BONUS * np.array([len(text) for text in flat])
        ends = np.cumsum([len(own) for own in texts])[:-1]
        return list(zip(texts, np.split(scores, ends), strict=True))


def _writable(charset: Charset, prior: WordPrior, time_steps: int) -> tuple[list[list[int]], list[float]]:
    """The listed words that the alphabet can write, as ids, and their shares; also in capitals."""
    forms: dict[tuple[int, ...], float] = {}
    for word, share in prior.words.items():
        for form in (word, word.upper(), word.capitalize()) if charset.case_sensitive else (word,):
            classes = charset.split(form)
            ids, text = charset.ids_of(classes), "".join(classes)
            if ids is not None and (text == word or fold(text) == word) and len(text) <= time_steps:
                forms.setdefault(ids, share)
    return [list(ids) for ids in forms], list(forms.values())


def _shares(scores: Floats, temperature: float) -> Floats:
    """Shares of candidates by their scores, best about 1 where it stands alone."""
    weights = np.exp((scores - scores.max()) / temperature)
    shares: Floats = weights / weights.sum()
    return shares
