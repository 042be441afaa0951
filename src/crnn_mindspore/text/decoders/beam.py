"""CTC prefix beam search, with a character language model if there is one."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ctc import Floats, log_softmax, text_log_probabilities
from crnn_mindspore.text.decoder import Decoded, ImageLexicons
from crnn_mindspore.text.decoders.ctc_decoder import CtcDecoder, best_paths

_BEYOND, _DEAD = -1, -2  # what follows the end of a prefix; what fills the place of none


class LanguageModel(Protocol):
    """How probable the next character is; a history, an integer, stands for the characters before it."""

    @property
    def start(self) -> int:
        """The history at the beginning of a text."""
        ...

    def advance(
        self, histories: npt.NDArray[np.int64], symbols: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.int64]:
        """The histories after one more symbol each."""
        ...

    def log_probabilities(self, histories: npt.NDArray[np.int64]) -> Floats:
        """Log-probability of each next symbol, (..., C); the last column is the end of the text."""
        ...


@dataclass(frozen=True)
class _Beams:
    """B prefixes of each of N images, all different.

    Attributes:
        prefixes: (N, B, T) class ids; `_BEYOND` behind the end, `_DEAD` where there is no prefix.
        lengths: (N, B) characters.
        ends_blank: (N, B) log-probability of the paths of the prefix so far that end in a blank.
        ends_label: (N, B) the same for those that end in its last character.
        language: (N, B) what the language model and the length bonus add to the score.
        histories: (N, B) the language model's.
    """

    prefixes: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    ends_blank: Floats
    ends_label: Floats
    language: Floats
    histories: npt.NDArray[np.int64]

    def texts(self) -> list[list[int]]:
        """The prefixes as class ids, those of one image side by side."""
        return [
            row[:length].tolist()
            for rows, lengths in zip(self.prefixes, self.lengths, strict=True)
            for row, length in zip(rows, lengths, strict=True)
        ]

    def last(self) -> npt.NDArray[np.int32]:
        """(N, B) the last character of each prefix, negative where there is none."""
        place = np.maximum(self.lengths - 1, 0)
        return np.take_along_axis(self.prefixes, place[:, :, None], axis=2)[:, :, 0]

    def children(self) -> tuple[npt.NDArray[np.int64], ...]:
        """(image, prefix, its parent) wherever both a prefix and the prefix without its end are held."""
        longest = max(1, int(self.lengths.max(initial=0)))
        shown = self.prefixes[:, :, :longest]
        shortened = shown.copy()
        place = np.maximum(self.lengths - 1, 0)[:, :, None]
        np.put_along_axis(shortened, place, _BEYOND, axis=2)
        is_child = (shortened[:, :, None] == shown[:, None]).all(axis=3)
        return np.nonzero(is_child & (self.last() >= 0)[:, :, None])


class BeamDecoder(CtcDecoder):
    """The most probable text among those a beam search over prefixes finds.

    A prefix gathers the probability of all its paths, so the result is the best text rather than the best
    path; only pruning makes it approximate. Every step keeps the `beam_width` prefixes with the highest

        log P(prefix | image) + language_weight * log P(prefix) + length_bonus * characters

    and the survivors' probabilities are computed anew at the end, over all paths: what is returned as the
    confidence is exact and does not contain the language model.

    Args:
        charset: The alphabet of the network.
        beam_width: Prefixes kept at every step.
        language_model: Gives P(prefix), and P(end of the word) at the end; None for none.
        language_weight: See above; 0 ignores the language model.
        length_bonus: Added for each character; a language model alone prefers short texts.
        name: Printed beside figures.

    Source: Graves 2012, section 7.5; Hannun et al. 2014, algorithm 1, with the bonus of its equation 2.
    """

    def __init__(
        self,
        charset: Charset,
        beam_width: int = 10,
        language_model: LanguageModel | None = None,
        language_weight: float = 0.0,
        length_bonus: float = 0.0,
        name: str = "",
    ) -> None:
        super().__init__(charset)
        if beam_width < 1:
            raise ValueError(f"beam_width is {beam_width}, must be at least 1")
        self.beam_width = beam_width
        self.language_model = language_model
        self.language_weight = language_weight
        self.length_bonus = length_bonus
        self.name = name or f"beam {beam_width}"

    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """The up to `count` best readings of each image that are left at the end, by descending score."""
        del lexicons
        log_probs = log_softmax(logits)
        beams = self._searched(log_probs)
        images, width = beams.lengths.shape
        targets = beams.texts()
        exact = text_log_probabilities(log_probs, targets, self.charset.blank)
        exact = exact.reshape(images, width)
        alive = beams.prefixes[:, :, 0] != _DEAD
        scores = np.where(alive, exact + beams.language + self._gains(beams)[:, :, -1], -np.inf)
        readings = []
        for n, raw in enumerate(best_paths(log_probs, self.charset)):
            order = [int(k) for k in np.argsort(-scores[n], kind="stable") if alive[n, k]][:count]
            found = [targets[n * width + k] for k in order]
            probabilities = [float(min(np.exp(exact[n, k]), 1.0)) for k in order]
            readings.append(
                [
                    Decoded(self.charset.decode(ids), p, raw, tuple(ids))
                    for ids, p in zip(found, probabilities, strict=True)
                ]
            )
        return readings

    def survivors(self, log_probs: Floats) -> list[list[tuple[int, ...]]]:
        """The texts that are left at the end of each of N images, from log-probabilities (T, N, C)."""
        beams = self._searched(log_probs)
        texts, width = beams.texts(), beams.lengths.shape[1]
        alive = beams.prefixes[:, :, 0] != _DEAD
        return [[tuple(texts[n * width + k]) for k in range(width) if alive[n, k]] for n in range(len(alive))]

    def _searched(self, log_probs: Floats) -> _Beams:
        beams = self._start(*log_probs.shape)
        for step in log_probs:
            beams = self._extended(beams, step)
        return beams

    def _start(self, time_steps: int, images: int, _: int) -> _Beams:
        """The empty prefix of each image, before the first step."""
        one = (images, 1)
        return _Beams(
            prefixes=np.full((images, 1, time_steps), _BEYOND, dtype=np.int32),
            lengths=np.zeros(one, dtype=np.int64),
            ends_blank=np.zeros(one),
            ends_label=np.full(one, -np.inf),
            language=np.zeros(one),
            histories=np.full(one, self.language_model.start if self.language_model else 0, dtype=np.int64),
        )

    def _gains(self, beams: _Beams) -> Floats:
        """(N, B, C) what each next character adds to the score, in the last column the end of the word."""
        classes = self.charset.num_classes
        bonus = np.full(classes, self.length_bonus)
        bonus[-1] = 0.0
        if self.language_model is None or not self.language_weight:
            return np.broadcast_to(bonus, (*beams.lengths.shape, classes))
        return self.language_weight * self.language_model.log_probabilities(beams.histories) + bonus

    def _extended(self, beams: _Beams, step: Floats) -> _Beams:
        """The best prefixes after one more time step with log-probabilities (N, C)."""
        blank = self.charset.blank
        last = beams.last()
        total = np.logaddexp(beams.ends_blank, beams.ends_label)
        repeated = np.take_along_axis(step, np.maximum(last, 0), axis=1)
        ends_blank = total + step[:, blank, None]
        ends_label = np.where(last >= 0, beams.ends_label + repeated, -np.inf)

        # (N, B, C): each prefix with each character appended; the last column is for the prefix as it is.
        paths = np.repeat(total[:, :, None], blank + 1, axis=2)
        n, b = np.nonzero(last >= 0)
        paths[n, b, last[n, b]] = beams.ends_blank[n, b]  # the same character again needs a blank between
        paths += step[:, None]
        # An appended prefix that is held already joins it: one prefix, all its paths.
        n, child, parent = beams.children()
        character = last[n, child]
        ends_label[n, child] = np.logaddexp(ends_label[n, child], paths[n, parent, character])
        paths[n, parent, character] = -np.inf
        paths[:, :, blank] = np.logaddexp(ends_blank, ends_label)

        gains = self._gains(beams).copy()
        gains[:, :, blank] = 0.0  # no character is appended, and the word does not end yet
        return self._pruned(replace(beams, ends_blank=ends_blank, ends_label=ends_label), paths, gains)

    def _pruned(self, beams: _Beams, paths: Floats, gains: Floats) -> _Beams:
        """The best of all candidates: prefixes as they are (last column) and with a character appended."""
        blank = self.charset.blank
        images, width, classes = paths.shape
        scores = (paths + beams.language[:, :, None] + gains).reshape(images, width * classes)
        count = min(self.beam_width, width * classes)
        kept = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        source, symbol = kept // classes, kept % classes
        appended = symbol != blank
        rows = np.arange(images)[:, None]

        prefixes, lengths = beams.prefixes[rows, source], beams.lengths[rows, source]
        n, b = np.nonzero(appended)
        prefixes[n, b, lengths[n, b]] = symbol[n, b]
        dead = np.take_along_axis(scores, kept, axis=1) == -np.inf
        prefixes[dead] = _DEAD
        histories = beams.histories[rows, source]
        if self.language_model is not None:
            histories = np.where(appended, self.language_model.advance(histories, symbol), histories)
        return _Beams(
            prefixes=prefixes,
            lengths=np.where(dead, 0, lengths + appended),
            ends_blank=np.where(appended, -np.inf, beams.ends_blank[rows, source]),
            ends_label=np.where(appended, paths[rows, source, symbol], beams.ends_label[rows, source]),
            language=beams.language[rows, source] + gains[rows, source, symbol],
            histories=histories,
        )
