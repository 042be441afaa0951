"""Where in time the characters of a text stand: the most probable path of a text under CTC."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.text.ctc import Floats


@dataclass(frozen=True)
class Span:
    """The time steps of one character.

    Attributes:
        first: Its first step.
        last: Its last step, included.
        probability: The network's for this character, at the step where it is highest.
    """

    first: int
    last: int
    probability: float


def align(log_probs: Floats, target: Sequence[int], blank: int) -> list[Span]:
    """The steps of each character on the most probable of all paths that collapse to a text.

    Args:
        log_probs: (T, C) log-probabilities of one image.
        target: Class ids of the text, without blanks.
        blank: Class id of the blank.

    Raises:
        ValueError: If the text does not fit into T steps.

    Source: the recursion of Graves et al. 2006, section 4.1, with the maximum in place of the sum (Viterbi).
    """
    states = np.full(2 * len(target) + 1, blank, dtype=np.int64)  # blank, l1, blank, l2, ..., blank
    states[1::2] = target
    can_skip = np.zeros(len(states), dtype=bool)
    can_skip[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    emitted = log_probs[:, states]
    scores = np.full(len(states), -np.inf)
    scores[:2] = emitted[0, :2]
    moves = np.zeros(emitted.shape, dtype=np.int64)  # states passed since the step before: 0, 1 or 2
    for t in range(1, len(emitted)):
        one, two = np.full_like(scores, -np.inf), np.full_like(scores, -np.inf)
        one[1:], two[2:] = scores[:-1], scores[:-2]
        two[~can_skip] = -np.inf
        candidates = np.stack([scores, one, two])
        moves[t] = candidates.argmax(axis=0)
        scores = candidates.max(axis=0) + emitted[t]

    state = len(states) - 1
    if target and scores[-2] > scores[-1]:
        state -= 1
    if scores[state] == -np.inf:
        raise ValueError(f"a text of {len(target)} characters does not fit into {len(emitted)} steps")
    path = np.empty(len(emitted), dtype=np.int64)
    for t in reversed(range(len(emitted))):
        path[t] = state
        state -= moves[t, state]
    spans = []
    for place, character in enumerate(target):
        steps = np.flatnonzero(path == 2 * place + 1)
        peak = float(np.exp(log_probs[steps, character].max()))
        spans.append(Span(int(steps[0]), int(steps[-1]), min(peak, 1.0)))
    return spans
