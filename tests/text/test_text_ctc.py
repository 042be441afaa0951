"""Greedy decoding and text probabilities against sums over all paths."""

import itertools
import tracemalloc

import numpy as np
import pytest
from reference import collapse as brute_force_collapse
from reference import log_probabilities, text_probabilities

from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ctc import log_softmax, text_log_probabilities
from crnn_mindspore.text.decoders.beam import BeamDecoder
from crnn_mindspore.text.decoders.greedy import GreedyDecoder, collapse
from crnn_mindspore.text.decoders.lexicon import LexiconDecoder

NUM_CLASSES, BLANK = 4, 3


@pytest.mark.parametrize("time_steps", [1, 2, 3, 4, 5, 6])
def test_collapse_equals_merging_runs_and_dropping_blanks_for_every_path(time_steps: int) -> None:
    for path in itertools.product(range(NUM_CLASSES), repeat=time_steps):
        assert tuple(collapse(path, BLANK)) == brute_force_collapse(path, BLANK)


def test_collapse_parts_equal_neighbours_only_at_a_blank() -> None:
    assert collapse([0, 0, 3, 0, 1, 1, 3, 3], BLANK) == [0, 0, 1]
    assert collapse([3, 3], BLANK) == []


@pytest.mark.parametrize("time_steps", [1, 2, 3, 5])
def test_text_log_probabilities_equal_the_sum_over_all_paths_for_every_text(time_steps: int) -> None:
    rng = np.random.default_rng(time_steps)
    log_probs = log_probabilities(rng.normal(0, 2, (time_steps, 1, NUM_CLASSES)))
    expected = text_probabilities(log_probs[:, 0], BLANK)
    texts = [t for n in range(time_steps + 1) for t in itertools.product(range(BLANK), repeat=n)]
    found = text_log_probabilities(np.repeat(log_probs, len(texts), axis=1), texts, BLANK)
    for text, value in zip(texts, found, strict=True):
        if text in expected:
            assert np.exp(value) == pytest.approx(expected[text], rel=1e-9)
        else:  # equal neighbours need a blank between them, and there is no step for it
            assert value == -np.inf
    assert np.exp(found).sum() == pytest.approx(1)


def test_text_log_probabilities_of_a_batch_are_those_of_each_image_alone() -> None:
    rng = np.random.default_rng(7)
    log_probs = log_probabilities(rng.normal(0, 3, (12, 5, 37)))
    texts = [[], [4], [1, 1], list(range(6)), [0, 5, 5, 0, 30, 2, 2]]
    together = text_log_probabilities(log_probs, texts, 36)
    for n, text in enumerate(texts):
        assert together[n] == text_log_probabilities(log_probs[:, n : n + 1], [text], 36)[0]


def test_several_texts_of_each_image_are_scored_at_once() -> None:
    log_probs = log_probabilities(np.random.default_rng(8).normal(0, 3, (12, 2, 37)))
    texts = [[], [4], [1, 1], [9, 8, 7], [0, 5], [2]]
    together = text_log_probabilities(log_probs, texts, 36)
    for k, text in enumerate(texts):
        assert together[k] == text_log_probabilities(log_probs[:, k // 3 : k // 3 + 1], [text], 36)[0]
    assert text_log_probabilities(log_probs[:, :0], [], 36).shape == (0,)
    with pytest.raises(ValueError, match="reshape"):
        text_log_probabilities(log_probs, texts[:3], 36)


@pytest.mark.parametrize("kind", ["beam", "lexicon"])
def test_decoding_a_large_alphabet_takes_no_copy_of_the_output_for_every_text(kind: str) -> None:
    charset = Charset("".join(map(chr, range(0x4E00, 0x4E00 + 1999))))
    logits = np.random.default_rng(9).normal(0, 3, (30, 8, 2000)).astype(np.float32)
    words = [charset.characters[i : i + 2] for i in range(40)]
    decoder = BeamDecoder(charset, 10) if kind == "beam" else LexiconDecoder(charset, 30, words)
    tracemalloc.start()
    decoder(logits)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The output takes 4 MB in float64, a copy for each of 10 prefixes or 40 words 40 or 150 MB.
    assert peak < 30e6


def test_text_log_probabilities_are_minus_infinity_for_a_text_longer_than_the_steps() -> None:
    log_probs = np.log(np.full((2, 1, NUM_CLASSES), 0.25))
    assert text_log_probabilities(log_probs, [[0, 1, 2]], BLANK)[0] == -np.inf
    assert text_log_probabilities(log_probs, [[0, 0]], BLANK)[0] == -np.inf
    assert text_log_probabilities(log_probs, [[0, 1]], BLANK)[0] == pytest.approx(np.log(1 / 16))


def test_log_softmax_survives_large_logits() -> None:
    found = log_softmax(np.array([[1000.0, 1000.0, -1000.0]], dtype=np.float32))
    assert found[0, :2] == pytest.approx(np.log(0.5))
    assert np.exp(found).sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(20))
def test_greedy_reads_the_best_path_and_its_confidence_is_the_texts_probability(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, rng.uniform(0.1, 5), (rng.integers(1, 6), rng.integers(1, 4), NUM_CLASSES))
    readings = GreedyDecoder(Charset("abc"))(logits.astype(np.float32))
    for n, reading in enumerate(readings):
        log_probs = log_probabilities(logits[:, n].astype(np.float32))
        paths = list(itertools.product(range(NUM_CLASSES), repeat=len(log_probs)))
        best = max(paths, key=lambda path: sum(log_probs[t, c] for t, c in enumerate(path)))
        text = brute_force_collapse(best, BLANK)
        assert reading.text == "".join("abc"[i] for i in text)
        assert reading.raw == "".join("abc-"[i] for i in best)
        assert reading.confidence == pytest.approx(text_probabilities(log_probs, BLANK)[text], rel=1e-9)


def test_greedy_reads_nothing_in_an_image_of_blanks() -> None:
    logits = np.zeros((5, 1, NUM_CLASSES), dtype=np.float32)
    logits[:, :, BLANK] = 20
    (reading,) = GreedyDecoder(Charset("abc"))(logits)
    assert (reading.text, reading.raw) == ("", "-----")
    assert reading.confidence == pytest.approx(1, abs=1e-6)
