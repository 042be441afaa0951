"""Texts under CTC, in NumPy: their probabilities, and which time steps gave which character."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

_VALUES_AT_ONCE = 1 << 21  # of the scores that a sum over all classes is computed from
_EXACT_CLASSES = (
    1024  # with more, exponentials are taken in single precision: off by 1e-7, four times as fast
)


def log_softmax(logits: Floats) -> Floats:
    """Log-probabilities over the last axis, float64; the normalisation every decoder starts from."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def text_log_probabilities(log_probs: Floats, targets: Sequence[Sequence[int]], blank: int) -> Floats:
    """Log-probabilities of texts, each summed over all the paths that collapse to it.

    Args:
        log_probs: (T, N, C) log-probabilities.
        targets: Class ids without blanks of N k texts, k for each image, those of one image side by side; a
            text may be empty.
        blank: Class id of the blank.

    Returns:
        (N k,) float64; -inf where the text does not fit into T steps.

    Source: Graves et al. 2006, section 4.1, the forward variables alpha, here for all images at once.
    """
    time_steps, images, _ = log_probs.shape
    count = len(targets)
    lengths = np.array([len(t) for t in targets], dtype=np.int64)
    width = 2 * int(lengths.max(initial=0)) + 1
    labels = np.full((count, width), blank, dtype=np.int64)  # blank, l1, blank, l2, ..., blank
    for row, target in zip(labels, targets, strict=True):
        row[1 : 2 * len(target) : 2] = target
    can_skip = np.zeros((count, width), dtype=bool)  # alpha may come from two to the left
    can_skip[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])

    rows = np.arange(count)
    by_image = labels.reshape(1, images, count // max(images, 1) * width)
    emitted = np.take_along_axis(log_probs, by_image, axis=2).reshape(time_steps, count, width)
    alpha = np.full((count, width), -np.inf)
    alpha[:, :2] = emitted[0, :, :2]
    alpha[lengths == 0, 1:] = -np.inf
    stay = np.full((count, width + 2), -np.inf)  # two columns of -inf to the left
    for t in range(1, time_steps):
        stay[:, 2:] = alpha
        skipped = np.where(can_skip, stay[:, :-2], -np.inf)
        alpha = np.logaddexp(np.logaddexp(alpha, stay[:, 1:-1]), skipped) + emitted[t]
    last = 2 * lengths
    ends_in_label = np.where(lengths > 0, alpha[rows, np.maximum(last - 1, 0)], -np.inf)
    return np.logaddexp(alpha[rows, last], ends_in_label)


class TargetScores:
    """Log-probabilities of one text an image at any temperature, without those of all other classes.

    Of an alphabet of thousands a text needs few classes; of the others only their sum counts.

    Args:
        logits: (T, N, C).
        targets: Class ids without blanks of N texts.
        blank: Class id of the blank.
    """

    def __init__(self, logits: Floats, targets: Sequence[Sequence[int]], blank: int) -> None:
        self._logits = logits
        self._highest = logits.max(axis=-1, keepdims=True)
        own = [list(dict.fromkeys([blank, *target])) for target in targets]
        columns = np.full((len(own), max(map(len, own), default=1)), blank, dtype=np.int64)
        for row, classes in zip(columns, own, strict=True):
            row[: len(classes)] = classes
        self._targets = [[ids.index(c) for c in target] for ids, target in zip(own, targets, strict=True)]
        found = np.take_along_axis(logits, columns[None], axis=2)
        self._found = found.astype(np.float64) - self._highest  # (T,N,K), the blank first

    def log_probabilities(self, temperature: float = 1.0) -> Floats:
        """(N,) float64, of logits divided by a temperature; see `text_log_probabilities`."""
        totals = np.empty(self._logits.shape[:2])
        kind = np.float64 if self._logits.shape[2] <= _EXACT_CLASSES else self._logits.dtype
        at_once = max(1, _VALUES_AT_ONCE // max(self._logits[:, :1].size, 1))
        for first in range(0, self._logits.shape[1], at_once):
            part = slice(first, first + at_once)
            values = self._logits[:, part].astype(kind) - self._highest[:, part]
            values /= temperature
            np.exp(values, out=values)
            totals[:, part] = values.sum(axis=-1, dtype=np.float64)
        log_probs = self._found / temperature - np.log(totals)[..., None]
        return text_log_probabilities(log_probs, self._targets, 0)


def align(log_probs: Floats, target: Sequence[int], blank: int) -> list[tuple[int, int]]:
    """The (first, last) step of each character on the most probable path that spells a text.

    Args:
        log_probs: (T, C) log-probabilities of one image.
        target: Class ids without blanks.
        blank: Class id of the blank.

    Raises:
        ValueError: If the text needs more than T steps.

    Source: Graves et al. 2006, section 4.1, with the maximum in place of the sum (Viterbi 1967).
    """
    if not target:
        return []
    states = np.full(2 * len(target) + 1, blank)  # blank, l1, blank, l2, ..., blank
    states[1::2] = target
    can_skip = np.zeros(len(states), dtype=bool)  # a path may come from two to the left
    can_skip[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    emitted = log_probs[:, states]
    scores = np.full(len(states), -np.inf)
    scores[:2] = emitted[0, :2]
    origins = np.zeros(emitted.shape, dtype=np.int64)
    padded = np.full(len(states) + 2, -np.inf)
    for t in range(1, len(emitted)):
        padded[2:] = scores
        candidates = np.stack([scores, padded[1:-1], np.where(can_skip, padded[:-2], -np.inf)])
        origins[t] = candidates.argmax(axis=0)
        scores = candidates.max(axis=0) + emitted[t]
    state = len(states) - 2 + int(scores[-1] > scores[-2])
    if scores[state] == -np.inf:
        raise ValueError(f"{len(target)} characters do not fit into {len(emitted)} steps")
    spans: dict[int, tuple[int, int]] = {}
    for t in range(len(emitted) - 1, -1, -1):
        _, last = spans.get(state, (t, t))
        spans[state] = t, last
        state -= int(origins[t, state])
    return [spans[2 * k + 1] for k in range(len(target))]
