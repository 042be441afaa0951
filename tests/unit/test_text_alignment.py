"""The alignment of a text: against all paths, one by one."""

import itertools

import numpy as np
import pytest
from reference import collapse, log_probabilities

from src.text.alignment import Span, align

BLANK = 2


def best_path(log_probs: np.ndarray, target: tuple[int, ...]) -> tuple[int, ...]:
    """The most probable of all paths that collapse to the target."""
    paths = [
        path
        for path in itertools.product(range(BLANK + 1), repeat=len(log_probs))
        if collapse(path, BLANK) == target
    ]
    return max(paths, key=lambda path: log_probs[range(len(path)), path].sum())


def spans_of(path: tuple[int, ...], log_probs: np.ndarray) -> list[tuple[int, int, float]]:
    """First step, last step and highest probability of each run that is not blank."""
    spans, start = [], 0
    for label, run in itertools.groupby(path):
        end = start + len(list(run))
        if label != BLANK:
            spans.append((start, end - 1, float(np.exp(log_probs[start:end, label]).max())))
        start = end
    return spans


@pytest.mark.parametrize("seed", range(8))
def test_characters_stand_where_the_best_of_all_paths_of_the_text_has_them(seed: int) -> None:
    log_probs = log_probabilities(np.random.default_rng(seed).normal(0, 2, (6, BLANK + 1)))
    for target in [(), (0,), (1, 0), (0, 0), (0, 1, 1), (1, 0, 1, 0, 1, 0)]:
        found = [(s.first, s.last, s.probability) for s in align(log_probs, target, BLANK)]
        expected = spans_of(best_path(log_probs, target), log_probs)
        assert [f[:2] for f in found] == [e[:2] for e in expected]
        assert [f[2] for f in found] == pytest.approx([e[2] for e in expected])


def test_a_text_of_one_step_has_one_span() -> None:
    log_probs = np.log([[0.25, 0.5, 0.25]])
    assert align(log_probs, [0], BLANK) == [Span(0, 0, pytest.approx(0.25))]


def test_a_text_that_needs_more_steps_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="2 characters does not fit into 2 steps"):
        align(np.log(np.full((2, 3), 1 / 3)), [0, 0], BLANK)
