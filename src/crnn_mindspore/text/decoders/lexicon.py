"""Lexicon decoding: the word of a given list that is the most probable under CTC, exactly."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset, required_time_steps
from crnn_mindspore.text.ctc import Floats, log_softmax, text_log_probabilities
from crnn_mindspore.text.decoder import Decoded, ImageLexicons
from crnn_mindspore.text.decoders.ctc_decoder import CtcDecoder, best_paths
from crnn_mindspore.text.decoders.trie import LEAST_LOG_PROBABILITY, Trie

_SCORED_ONE_BY_ONE = 64  # words; below, one forward pass for all images costs less than a search for each
_LEXICONS_KEPT = 128
_EXAMPLES_SHOWN = 3


class Lexicon:
    """The words of a list that can be read, ready to be searched.

    Args:
        words: As the user spells them; of two that the charset writes alike the first counts.
        ids: Class ids of each word.
        blank: Class id of the blank.
    """

    def __init__(self, words: Sequence[str], ids: Sequence[tuple[int, ...]], blank: int) -> None:
        spelling: dict[tuple[int, ...], str] = {}
        for word, word_ids in zip(words, ids, strict=True):
            spelling.setdefault(word_ids, word)
        self.words = list(spelling.values())
        self.ids = list(spelling)
        self._blank = blank
        self._trie = Trie(self.ids) if len(self.ids) > _SCORED_ONE_BY_ONE else None

    def best(self, log_probs: Floats, count: int) -> list[list[tuple[str, tuple[int, ...], float]]]:
        """The up to `count` most probable words of each of N images, their ids and log-probabilities.

        Args:
            log_probs: (T, N, C).
            count: Words wanted.
        """
        count = min(count, len(self.words))
        if self._trie is None:
            numbers, values = self._scored(log_probs, count)
        else:
            numbers, values = self._trie.most_probable(log_probs, self._blank, count)
            for n in np.flatnonzero(
                values[:, -1] < LEAST_LOG_PROBABILITY
            ):  # the image shows nothing like them
                numbers[n : n + 1], values[n : n + 1] = self._scored(log_probs[:, n : n + 1], count)
        return [
            [(self.words[k], self.ids[k], float(value)) for k, value in zip(*row, strict=True)]
            for row in zip(numbers, values, strict=True)
        ]

    def _scored(self, log_probs: Floats, count: int) -> tuple[npt.NDArray[np.int64], Floats]:
        """Numbers and log-probabilities (N, count) of the best words by scoring every word."""
        images, words = log_probs.shape[1], len(self.ids)
        scores = text_log_probabilities(log_probs, self.ids * images, self._blank).reshape(images, words)
        numbers = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return numbers, np.take_along_axis(scores, numbers, axis=1)


class LexiconDecoder(CtcDecoder):
    """The word of the lexicon with the highest CTC probability, summed over all its paths.

    The result is the maximum over the whole lexicon whatever its size. The paper approximates it for 50,000
    words by those within an edit distance of 3 from the greedy reading, found with a BK-tree; searching the
    words' prefixes instead (see `Trie`) is exact and needs no rule for readings far from every word. It takes
    milliseconds where the network is fairly sure; where it knows nothing, as before training, hardly a word
    can be ruled out, and 50,000 take about half a second. The confidence is the probability of the word among
    all texts, not among the lexicon: it is low where the image shows none of the words.

    Args:
        charset: The alphabet of the network.
        time_steps: Of the network's output: words that need more are left out.
        words: The lexicon of all images; None: every image brings its own.
        name: Printed beside figures.

    Raises:
        UserError: If no word of the list can be read.

    Source: Shi et al. 2015, section 2.3.2.
    """

    def __init__(
        self, charset: Charset, time_steps: int, words: Sequence[str] | None = None, name: str = "lexicon"
    ) -> None:
        super().__init__(charset)
        self.time_steps = time_steps
        self.name = name
        self._ids: dict[str, tuple[int, ...] | None] = {}
        self._outside: list[str] = []
        self._too_long: list[str] = []
        self._images_without = 0
        self._lexicons: dict[tuple[str, ...], Lexicon] = {}
        self._common = None if words is None else self._compile(words)
        if self._common is not None and not self._common.words:
            raise UserError(f"{name}: none of the {len(words or ())} words can be read; {self._left_out()}")

    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """The up to `count` most probable words of each of N images from logits (T, N, C).

        An image whose own lexicon has no word that can be read is read as "" with confidence 0.

        Raises:
            ValueError: If neither the decoder nor the image has a lexicon.
        """
        log_probs = log_softmax(logits)
        nothing: tuple[str, tuple[int, ...], float] = ("", (), -np.inf)
        readings = [[nothing]] * log_probs.shape[1]
        for lexicon, images in self._groups(log_probs.shape[1], lexicons):
            if not lexicon.words:
                self._images_without += len(images)
                continue
            for n, found in zip(images, lexicon.best(log_probs[:, images], count), strict=True):
                readings[n] = found
        return [
            [Decoded(text, float(min(np.exp(value), 1.0)), raw, ids) for text, ids, value in found]
            for found, raw in zip(readings, best_paths(log_probs, self.charset), strict=True)
        ]

    def notes(self) -> list[str]:
        """Which words were left out so far and why, and how many images had none left."""
        lines = [f"{self.name}: {self._left_out()}"] if self._outside or self._too_long else []
        if self._images_without:
            lines.append(f"{self.name}: {self._images_without:,} images without a word that can be read")
        return lines

    def _groups(
        self, count: int, lexicons: ImageLexicons | None
    ) -> list[tuple[Lexicon, npt.NDArray[np.int64]]]:
        """Each lexicon with the images that are read with it."""
        if self._common is not None:
            return [(self._common, np.arange(count))]
        if lexicons is None:
            raise ValueError("lexicon decoding without a lexicon")
        images: dict[tuple[str, ...], list[int]] = {}
        for n, words in enumerate(lexicons):
            if words is None:
                raise ValueError(f"image {n} of the batch has no lexicon")
            images.setdefault(tuple(words), []).append(n)
        return [(self._lexicon(words), np.array(members)) for words, members in images.items()]

    def _lexicon(self, words: tuple[str, ...]) -> Lexicon:
        lexicon = self._lexicons.get(words)
        if lexicon is None:
            if len(self._lexicons) >= _LEXICONS_KEPT:
                self._lexicons.clear()
            lexicon = self._lexicons[words] = self._compile(words)
        return lexicon

    def _compile(self, words: Sequence[str]) -> Lexicon:
        encoded = [(word, self._encode(word)) for word in words]
        usable = [(word, ids) for word, ids in encoded if ids is not None]
        return Lexicon([word for word, _ in usable], [ids for _, ids in usable], self.charset.blank)

    def _encode(self, word: str) -> tuple[int, ...] | None:
        """Class ids of a word, None if it cannot be read; each distinct word is judged once."""
        if word in self._ids:
            return self._ids[word]
        ids: tuple[int, ...] | None = None
        classes = self.charset.split(word)
        if not classes or not self.charset.covers(word):
            self._outside.append(word)
        elif required_time_steps(classes) > self.time_steps:
            self._too_long.append(word)
        else:
            ids = tuple(self.charset.encode(word).tolist())
        self._ids[word] = ids
        return ids

    def _left_out(self) -> str:
        reasons = {
            "the charset cannot write": self._outside,
            f"need more than {self.time_steps} time steps": self._too_long,
        }
        parts = [
            f"{len(words):,} {reason} (e.g. {', '.join(map(repr, words[:_EXAMPLES_SHOWN]))})"
            for reason, words in reasons.items()
            if words
        ]
        return f"words left out: {', '.join(parts)}"
