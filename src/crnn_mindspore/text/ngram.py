"""A character n-gram model of words: how probable the next character is after those before it."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ctc import Floats

Integers = npt.NDArray[np.int64]

_KEPT_NUMBERS = 4_000_000  # of rows kept for further use: 32 MB


class NgramModel:
    """Interpolated n-grams with Witten-Bell smoothing, estimated from a list of words.

        P(c | h) = (count(h c) + T(h) P(c | h')) / (count(h) + T(h))

    T(h) is the number of different characters seen after the history h, h' is h without its oldest
    character, and below the empty history all characters are equally probable. No character ever has the
    probability 0, so a word outside the list can still be read.

    A history is an integer, its last `order - 1` symbols as digits: histories of many hypotheses are one
    array. A word begins and ends with a boundary that has the id of the CTC blank, so that a row of
    probabilities has one column for every class of the network; the last is the end of the word.

    Args:
        words: Each word counts once, however often it is listed; those the charset cannot write are left
            out and counted in `left_out`.
        charset: Gives the symbols their ids.
        order: Longest n-gram, in characters.

    Raises:
        UserError: If no word can be used.

    Source: Witten and Bell 1991, method C; interpolated as in Chen and Goodman 1998, section 2.4.
    """

    def __init__(self, words: Iterable[str], charset: Charset, order: int = 5) -> None:
        if order < 1 or float(charset.num_classes + 1) ** (order - 1) >= 2**63:
            raise ValueError(f"order {order} is not possible with {charset.num_classes} classes")
        distinct = list(dict.fromkeys(charset.normalize(word) for word in words))
        found = (charset.ids_of(charset.split(word)) for word in distinct if word)
        encoded = [ids for ids in found if ids is not None]
        if not encoded:
            raise UserError("the language model's word list holds no word that the charset can write")
        self.order = order
        self.num_words = len(encoded)
        self.left_out = len(distinct) - len(encoded)
        self._symbols = charset.num_classes
        self._base = charset.num_classes + 1  # digit 0 is "no symbol", so histories of all lengths differ
        self._boundary = charset.blank
        self._histories, self._next, self._counts = self._count(encoded)
        self._rows: dict[int, Floats] = {}

    @property
    def start(self) -> int:
        """The history at the beginning of a word."""
        return 0 if self.order == 1 else self._boundary + 1

    def advance(self, histories: Integers, symbols: npt.NDArray[np.integer]) -> Integers:
        """The histories after one more symbol each."""
        return self._advanced(histories, symbols)

    def _advanced(self, history: Any, symbol: Any) -> Any:
        """Of integers and of arrays of them."""
        if self.order == 1:
            return history * 0
        kept = history % self._base ** (self.order - 2)  # without the oldest: its product would overflow
        return kept * self._base + symbol + 1

    def log_probabilities(self, histories: Integers) -> Floats:
        """Log-probability of each next symbol, (..., C); the last column is the end of the word."""
        distinct, positions = np.unique(histories, return_inverse=True)
        table = np.stack([self._row(history) for history in distinct.tolist()])
        return table[positions.reshape(histories.shape)]

    def text_log_probability(self, ids: Iterable[int]) -> float:
        """Log-probability of a whole word, its end included."""
        history, total = self.start, 0.0
        for symbol in [*ids, self._boundary]:
            total += float(self._row(history)[symbol])
            history = self._advanced(history, int(symbol))
        return total

    def _row(self, history: int) -> Floats:
        if history not in self._rows:
            if len(self._rows) > _KEPT_NUMBERS // self._symbols:
                self._rows.clear()
            self._rows[history] = np.log(self._probabilities(history))
        return self._rows[history]

    def _count(self, encoded: Sequence[Sequence[int]]) -> tuple[Integers, Integers, Integers]:
        """Every n-gram up to the longest: its history, its last symbol, how often; by ascending history."""
        symbols_of_words = chain.from_iterable((*ids, self._boundary) for ids in encoded)
        stream = np.fromiter(chain([self._boundary], symbols_of_words), np.int64)
        positions = np.arange(1, len(stream))
        word_start = np.maximum.accumulate(np.where(stream == self._boundary, np.arange(len(stream)), 0))
        available = positions - word_start[:-1]  # symbols of the same word before each position
        codes = np.zeros(len(positions), dtype=np.int64)
        histories, symbols = [], []
        for length in range(self.order):
            here = available >= length
            if length:
                codes[here] += (stream[positions[here] - length] + 1) * self._base ** (length - 1)
            histories.append(codes[here])
            symbols.append(stream[1:][here])
        history, symbol = np.concatenate(histories), np.concatenate(symbols)
        order = np.lexsort((symbol, history))
        history, symbol = history[order], symbol[order]
        is_new = (np.diff(history, prepend=-1) != 0) | (np.diff(symbol, prepend=-1) != 0)
        firsts = np.flatnonzero(is_new)
        return history[firsts], symbol[firsts], np.diff(firsts, append=len(order))

    def _probabilities(self, history: int) -> Floats:
        """(C,) probabilities of the next symbol, from the longest history to the shortest by recursion."""
        lower: Floats
        if history == 0:
            lower = np.full(self._symbols, 1 / self._symbols)
        else:
            digit = self._base  # the place of the oldest symbol
            while digit <= history:
                digit *= self._base
            lower = self._probabilities(history % (digit // self._base))
        first, last = np.searchsorted(self._histories, [history, history + 1])
        symbols, counts = self._next[first:last], self._counts[first:last]
        if not len(symbols):
            return lower
        probabilities = len(symbols) * lower
        probabilities[symbols] += counts
        return probabilities / (counts.sum() + len(symbols))
