"""The most probable word of a large list under CTC, found by branch and bound over its prefixes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn_mindspore.text.ctc import Floats

Integers = npt.NDArray[np.int64]

LEAST_LOG_PROBABILITY = -650.0  # float64 ends at -708, and its digits before that

_ROOT = 0
_DIVE_WIDTH = 8  # prefixes of an image that are followed first
_PIECE = 16384  # prefixes worked on at once: bounds the memory where nothing can be ruled out


@dataclass(frozen=True)
class _Open:
    """M prefixes, each of one image, whose probability as a word is not known yet.

    Attributes:
        nodes: (M,) the prefix: a node of the trie.
        images: (M,) the image.
        bounds: (M,) probability of all the texts that begin with the prefix.
        entries: (T, M) probability that the prefix without its last character has been emitted by the
            steps before t, so that its last character can begin at t.
    """

    nodes: Integers
    images: Integers
    bounds: Floats
    entries: Floats

    def select(self, which: npt.NDArray[np.generic]) -> "_Open":
        """Those at some positions, or where a mask is true."""
        return _Open(self.nodes[which], self.images[which], self.bounds[which], self.entries[:, which])


class Trie:
    """A list of words as a tree of prefixes; a node's children are numbered in a row.

    Args:
        words: Class ids of each word; different, none empty.
    """

    def __init__(self, words: Sequence[Sequence[int]]) -> None:
        order = sorted(range(len(words)), key=lambda i: tuple(words[i]))
        longest = max(len(word) for word in words)
        ids = np.full((len(words), longest), -1, dtype=np.int64)
        for row, i in zip(ids, order, strict=True):
            row[: len(words[i])] = words[i]
        is_new = ids >= 0  # where a row's prefix is not the prefix of the row before
        is_new[1:] &= np.logical_or.accumulate(ids[1:] != ids[:-1], axis=1)
        numbers = is_new.ravel(order="F").cumsum().reshape(ids.shape, order="F")  # by length, then by row
        count = int(numbers[-1, -1]) + 1
        parents = np.full(count, -1, dtype=np.int64)
        parents[numbers[:, 0]] = _ROOT
        parents[numbers[:, 1:][is_new[:, 1:]]] = numbers[:, :-1][is_new[:, 1:]]
        self._labels = np.full(count, -1, dtype=np.int64)
        self._labels[numbers[is_new]] = ids[is_new]
        self._first_child = np.searchsorted(parents, np.arange(count))
        self._num_children = np.bincount(parents[1:], minlength=count)
        self._words = np.full(count, -1, dtype=np.int64)
        ends = (ids >= 0).sum(axis=1) - 1
        self._words[numbers[np.arange(len(words)), ends]] = order

    def __len__(self) -> int:
        """Number of prefixes, the empty one included."""
        return len(self._labels)

    def most_probable(self, log_probs: Floats, blank: int, count: int = 1) -> tuple[Integers, Floats]:
        """The words with the highest probability of each image, the same as by scoring every word.

        The probability of all texts that begin with a prefix bounds that of every word below it. The most
        promising prefixes are followed first down to their words; after that only prefixes whose bound is
        above the last of the best words of the image are looked at.

        Probabilities themselves are computed with, several times as fast as their logarithms.

        Args:
            log_probs: (T, N, C) log-probabilities.
            blank: Class id of the blank.
            count: Words wanted of each image, at most as many as there are.

        Returns:
            The numbers of the words and their log-probabilities, (N, count) each, the best first. Below
            `LEAST_LOG_PROBABILITY` they mean nothing.

        Source: Graves et al. 2006, section 3.2 (prefix search), here over the words of a list.
        """
        time_steps, images, _ = log_probs.shape
        probabilities = np.exp(log_probs)
        best_words, best = np.zeros((images, count), dtype=np.int64), np.zeros((images, count))
        blanks = probabilities[:, :, blank]
        before = np.ones((time_steps, images))
        before[1:] = np.cumprod(blanks, axis=0)[:-1]  # the empty prefix: blanks only
        numbers = np.arange(images)
        stack = [self._children(np.full(images, _ROOT), numbers, before, before, probabilities)]
        while stack:
            opened = stack.pop()
            opened = opened.select(opened.bounds > best[opened.images, -1])
            if not len(opened.nodes):
                continue
            labels = self._labels[opened.nodes]
            ends_label, ends_blank = _forward(
                opened.entries, probabilities[:, opened.images, labels], blanks[:, opened.images]
            )
            self._update(opened, ends_label[-1] + ends_blank[-1], best_words, best)
            ready_blank, ready = np.zeros((2, *ends_label.shape))
            ready_blank[1:] = ends_blank[:-1]  # the same character again needs a blank between
            ready[1:] = ends_label[:-1] + ends_blank[:-1]
            children = self._children(opened.nodes, opened.images, ready, ready_blank, probabilities)
            stack += _divided(children.select(children.bounds > best[children.images, -1]))
        with np.errstate(divide="ignore"):
            return best_words, np.log(best)

    def _children(
        self, nodes: Integers, images: Integers, ready: Floats, ready_blank: Floats, probabilities: Floats
    ) -> _Open:
        """The prefixes one character longer.

        Args:
            nodes: (M,) the prefixes.
            images: (M,) the image of each.
            ready: (T, M) probability that the prefix has been emitted by the steps before t.
            ready_blank: (T, M) the same, the last of these steps a blank.
            probabilities: (T, N, C).
        """
        counts = self._num_children[nodes]
        parents = np.repeat(np.arange(len(nodes)), counts)
        first_of_parent = np.cumsum(counts) - counts
        children = self._first_child[nodes][parents] + np.arange(len(parents)) - first_of_parent[parents]
        labels = self._labels[children]
        entries = np.where(labels == self._labels[nodes][parents], ready_blank[:, parents], ready[:, parents])
        begins = entries * probabilities[:, images[parents], labels]
        return _Open(children, images[parents], begins.sum(axis=0), entries)

    def _update(self, opened: _Open, probabilities: Floats, best_words: Integers, best: Floats) -> None:
        """Takes over the words among the prefixes that are better than the best so far."""
        words = self._words[opened.nodes]
        wins = np.flatnonzero((words >= 0) & (probabilities > best[opened.images, -1]))
        for i in wins[np.argsort(-probabilities[wins], kind="stable")]:  # few of the later ones still win
            row, numbers = best[opened.images[i]], best_words[opened.images[i]]
            if probabilities[i] <= row[-1]:
                continue
            place = np.searchsorted(-row, -probabilities[i], side="right")
            row[place + 1 :] = row[place:-1].copy()
            numbers[place + 1 :] = numbers[place:-1].copy()
            row[place], numbers[place] = probabilities[i], words[i]


def _forward(entries: Floats, emitted: Floats, blanks: Floats) -> tuple[Floats, Floats]:
    """Probability that a prefix is emitted by step t, ending in its last character and in a blank.

    Args:
        entries: (T, M) that its last character can begin at t.
        emitted: (T, M) probability of that character at t.
        blanks: (T, M) probability of the blank at t.

    Returns:
        (T, M) twice.
    """
    ends_label, ends_blank = np.zeros((2, *entries.shape))
    ends_label[0] = entries[0] * emitted[0]
    for t in range(1, len(entries)):
        ends_label[t] = (ends_label[t - 1] + entries[t]) * emitted[t]
        ends_blank[t] = (ends_blank[t - 1] + ends_label[t - 1]) * blanks[t]
    return ends_label, ends_blank


def _divided(opened: _Open) -> list[_Open]:
    """In the order of a stack: the best few of each image last, before them the others in pieces."""
    order = np.lexsort((-opened.bounds, opened.images))
    images = opened.images[order]
    is_first = np.diff(images, prepend=-1) > 0
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
    is_best = np.arange(len(order)) - starts < _DIVE_WIDTH
    others, best = order[~is_best], order[is_best]
    pieces = [others[i : i + _PIECE] for i in range(0, len(others), _PIECE)]
    return [opened.select(piece) for piece in [*pieces, best] if len(piece)]
