"""Alignment against trying every path."""

import itertools

import numpy as np
import pytest
from reference import log_probabilities

from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ctc import align
from crnn_mindspore.text.decoders.greedy import GreedyDecoder, collapse

BLANK = 2


@pytest.mark.parametrize("seed", range(12))
def test_the_steps_are_those_of_the_best_path_that_spells_the_text(seed: int) -> None:
    rng = np.random.default_rng(seed)
    time_steps = int(rng.integers(1, 7))
    log_probs = log_probabilities(rng.normal(0, 2, (time_steps, 3)))
    best: dict[tuple[int, ...], tuple[float, tuple[int, ...]]] = {}
    for path in itertools.product(range(3), repeat=time_steps):
        text = tuple(collapse(path, BLANK))
        best[text] = max(best.get(text, (-np.inf, ())), (log_probs[range(time_steps), path].sum(), path))
    for text, (_, path) in best.items():
        runs = [(k, list(group)) for k, group in itertools.groupby(range(time_steps), key=lambda t: path[t])]
        expected = [(group[0], group[-1]) for symbol, group in runs if symbol != BLANK]
        assert align(log_probs, text, BLANK) == expected


def test_a_text_that_does_not_fit_is_refused() -> None:
    log_probs = log_probabilities(np.zeros((2, 3)))
    assert align(log_probs, [0, 1], BLANK) == [(0, 0), (1, 1)]
    with pytest.raises(ValueError, match="2 characters do not fit into 2 steps"):
        align(log_probs, [0, 0], BLANK)
    assert align(log_probs, [], BLANK) == []


def test_greedy_readings_come_first_and_the_most_probable_other_texts_follow() -> None:
    # The best path is "-", with 0.36; the text "a" has 0.64 over its three paths.
    logits = np.log(np.array([[[0.4, 0.6]], [[0.4, 0.6]]]))
    ((first, second),) = GreedyDecoder(Charset("a")).best(logits, 3)
    assert (first.text, second.text) == ("", "a")
    assert (first.confidence, second.confidence) == (pytest.approx(0.36), pytest.approx(0.64))
    ((only,),) = GreedyDecoder(Charset("a")).best(logits, 1)
    assert only == first
