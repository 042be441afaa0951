"""Words with their frequencies as a tree of prefixes: how probable the next character of a listed word is."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from crnn_mindspore.text.ctc import Floats

Integers = npt.NDArray[np.int64]

_NOWHERE, _ROOT = 0, 1  # a history is a node; 0: no listed word begins like this


class WordTree:
    """A language model of a list of words, exact: P(c | prefix) is the share of words that go on with c.

    Everything else has the probability 0, so that a beam search with it finds listed words alone. A history
    is a node of the tree.

    Args:
        words: Class ids of each word; different, none empty.
        frequencies: (W,) of the words, positive.
        num_classes: Of the network, the blank included: it stands for the end of a word.
    """

    def __init__(self, words: Sequence[Sequence[int]], frequencies: Floats, num_classes: int) -> None:
        self._classes = num_classes
        lengths = np.array([len(word) for word in words])
        ids = np.full((len(words), int(lengths.max())), -1, dtype=np.int64)
        ids[np.arange(ids.shape[1]) < lengths[:, None]] = np.fromiter(chain.from_iterable(words), np.int64)
        order = np.lexsort(ids.T[::-1])
        ids, lengths, mass = ids[order], lengths[order], np.asarray(frequencies, dtype=np.float64)[order]
        is_new = ids >= 0  # where a row's prefix is not the prefix of the row before
        is_new[1:] &= np.logical_or.accumulate(ids[1:] != ids[:-1], axis=1)
        # Nodes are numbered by length, then by row: the children of one follow each other, by class.
        nodes = _ROOT + is_new.ravel(order="F").cumsum().reshape(ids.shape, order="F")
        count = int(nodes[-1, -1]) + 1 if len(words) else _ROOT + 1
        parents = np.full(count, _NOWHERE, dtype=np.int64)
        parents[nodes[:, 0]] = _ROOT
        inner = is_new[:, 1:]
        parents[nodes[:, 1:][inner]] = nodes[:, :-1][inner]
        self._labels = np.full(count, -1, dtype=np.int64)
        self._labels[nodes[is_new]] = ids[is_new]
        self._first_child = np.searchsorted(parents, np.arange(count))
        self._num_children = np.bincount(parents, minlength=count)
        self._mass = np.bincount(nodes[ids >= 0], np.repeat(mass, lengths), minlength=count)
        self._mass[_ROOT] = mass.sum()
        self._ends = np.zeros(count)
        self._ends[nodes[np.arange(len(ids)), lengths - 1]] = mass
        self._keys = parents * num_classes + self._labels  # ascending from the first child of the root
        self._rows: dict[int, Floats] = {}

    @property
    def start(self) -> int:
        """The history at the beginning of a word."""
        return _ROOT

    def __len__(self) -> int:
        """Number of prefixes, the empty one included."""
        return len(self._labels) - _ROOT

    def advance(self, histories: Integers, symbols: npt.NDArray[np.integer]) -> Integers:
        """The histories after one more symbol each."""
        keys = histories * self._classes + symbols
        first = _ROOT + 1
        places = first + np.searchsorted(self._keys[first:], keys)
        places = np.minimum(places, len(self._keys) - 1)
        found = (self._keys[places] == keys) & (histories != _NOWHERE)
        return np.where(found, places, _NOWHERE)

    def log_probabilities(self, histories: Integers) -> Floats:
        """Log-probability of each next symbol, (..., C); the last column is the end of the word."""
        distinct, positions = np.unique(histories, return_inverse=True)
        table = np.stack([self._row(node) for node in distinct.tolist()])
        return table[positions.reshape(histories.shape)]

    def _row(self, node: int) -> Floats:
        if node not in self._rows:
            row = np.full(self._classes, -np.inf)
            if node != _NOWHERE:
                first = self._first_child[node]
                children = np.arange(first, first + self._num_children[node])
                row[self._labels[children]] = np.log(self._mass[children] / self._mass[node])
                if self._ends[node]:
                    row[-1] = np.log(self._ends[node] / self._mass[node])
            self._rows[node] = row
        return self._rows[node]
