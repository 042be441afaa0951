"""Which time steps gave which character of a text."""

from collections.abc import Sequence

import numpy as np

from crnn_mindspore.text.ctc import Floats


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
