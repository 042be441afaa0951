"""Beam search against all texts and all paths."""

import numpy as np
import pytest
from reference import log_probabilities, text_probabilities

from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoders.beam import BeamDecoder
from crnn_mindspore.text.decoders.greedy import GreedyDecoder
from crnn_mindspore.text.ngram import NgramModel

CHARSET = Charset("abc")
BLANK = 3
UNPRUNED = 2000  # more than there are texts of five characters
MODEL = NgramModel(["ab", "abc", "cab", "aab"], CHARSET, 3)


def random_logits(seed: int, images: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, rng.uniform(0.1, 4), (rng.integers(1, 6), images, 4)).astype(np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_unpruned_search_finds_the_most_probable_texts_in_order(seed: int) -> None:
    logits = random_logits(seed)
    for n, readings in enumerate(BeamDecoder(CHARSET, UNPRUNED).best(logits, 5)):
        expected = text_probabilities(log_probabilities(logits[:, n]), BLANK)
        best = sorted(expected, key=lambda text: -expected[text])[:5]
        assert [r.text for r in readings] == [CHARSET.decode(text) for text in best]
        assert [r.confidence for r in readings] == pytest.approx([expected[t] for t in best], rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_language_model_and_the_length_bonus_enter_the_score_but_not_the_confidence(seed: int) -> None:
    logits = random_logits(seed)
    decoder = BeamDecoder(CHARSET, UNPRUNED, MODEL, language_weight=0.7, length_bonus=0.3)
    for n, readings in enumerate(decoder.best(logits, 5)):
        probabilities = text_probabilities(log_probabilities(logits[:, n]), BLANK)
        scores = {
            text: np.log(p) + 0.7 * MODEL.text_log_probability(text) + 0.3 * len(text)
            for text, p in probabilities.items()
        }
        best = sorted(scores, key=lambda text: -scores[text])[:5]
        assert [r.text for r in readings] == [CHARSET.decode(text) for text in best]
        assert [r.confidence for r in readings] == pytest.approx([probabilities[t] for t in best])


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_a_narrow_beam_gives_different_texts_with_their_exact_probabilities(width: int) -> None:
    logits = np.random.default_rng(width).normal(0, 2, (6, 8, 4))
    for n, readings in enumerate(BeamDecoder(CHARSET, width).best(logits, 100)):
        assert 1 <= len(readings) <= width
        assert len({r.text for r in readings}) == len(readings)
        expected = text_probabilities(log_probabilities(logits[:, n]), BLANK)
        for reading in readings:
            ids = tuple(CHARSET.encode(reading.text).tolist())
            assert reading.confidence == pytest.approx(expected[ids], rel=1e-9)
        assert sorted((r.confidence for r in readings), reverse=True) == [r.confidence for r in readings]


def test_the_best_text_need_not_be_on_the_best_path() -> None:
    # Graves's example: the best path is blank, blank (0.36), but "a" has three paths (0.24 + 0.24 + 0.16).
    logits = np.log(np.array([[[0.4, 0.6]], [[0.4, 0.6]]]))
    charset = Charset("a")
    assert [r.text for r in GreedyDecoder(charset)(logits)] == [""]
    first, second = BeamDecoder(charset, 3).best(logits, 2)[0]
    assert (first.text, second.text, first.raw) == ("a", "", "--")
    assert (first.confidence, second.confidence) == (pytest.approx(0.64), pytest.approx(0.36))


def test_the_language_model_decides_between_equal_characters() -> None:
    logits = np.full((3, 1, 4), -9.0)
    logits[0, 0, [0, 1]] = 1.0  # "a" or "b", then "b"
    logits[1, 0, BLANK] = 1.0
    logits[2, 0, 1] = 1.0
    assert BeamDecoder(CHARSET, 10, MODEL, language_weight=1.0)(logits)[0].text == "ab"
    other = NgramModel(["bb", "cbb"], CHARSET, 3)
    assert BeamDecoder(CHARSET, 10, other, language_weight=1.0)(logits)[0].text == "bb"


def test_an_image_does_not_depend_on_its_batch() -> None:
    logits = np.random.default_rng(3).normal(0, 2, (12, 6, 4))
    decoder = BeamDecoder(CHARSET, 5, MODEL, language_weight=0.5)
    together = decoder(logits)
    assert together == [decoder(logits[:, n : n + 1])[0] for n in range(6)]


def test_impossible_classes_are_never_read() -> None:
    logits = np.zeros((4, 1, 4))
    logits[:, :, [1, 2]] = -np.inf
    (readings,) = BeamDecoder(CHARSET, 50).best(logits, 50)
    assert {r.text for r in readings} == {"", "a", "aa"}
    assert sum(r.confidence for r in readings) == pytest.approx(1)


def test_a_beam_of_no_width_is_refused() -> None:
    with pytest.raises(ValueError, match="beam_width is 0"):
        BeamDecoder(CHARSET, 0)
