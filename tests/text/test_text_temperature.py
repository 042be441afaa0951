"""Calibration against numbers made by hand and against data whose temperature is known."""

import numpy as np
import pytest
from reference import collapse, log_probabilities, text_probabilities

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoders import ctc_decoder
from crnn_mindspore.text.decoders.greedy import GreedyDecoder
from crnn_mindspore.text.decoders.lexicon import LexiconDecoder
from crnn_mindspore.text.temperature import (
    CalibratedDecoder,
    coverage_at_accuracy,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)

CHARSET = Charset("abc")
BLANK = 3


def tempered_confidences(logits: np.ndarray, targets: list[list[int]], temperature: float) -> np.ndarray:
    return GreedyDecoder(CHARSET).probabilities(logits / temperature, targets)


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def flags(text: str) -> np.ndarray:
    return np.array([c == "1" for c in text])


def test_the_calibration_error_by_hand() -> None:
    confidences = array(0.9, 0.1, 0.9, 0.1)
    correct = flags("1011")  # of the two at 0.1 one is right, of the two at 0.9 both
    assert expected_calibration_error(confidences, correct, bins=2) == pytest.approx((0.4 + 0.1) / 2)
    assert expected_calibration_error(confidences, correct, bins=1) == pytest.approx(0.75 - 0.5)
    assert expected_calibration_error(array(0.2), flags("1")) == pytest.approx(0.8)


def test_bins_hold_equally_many_words() -> None:
    confidences = np.concatenate([np.full(90, 0.99), np.full(10, 0.5)])
    correct = np.array([True] * 90 + [False] * 10)
    assert expected_calibration_error(confidences, correct, bins=10) == pytest.approx(0.9 * 0.01 + 0.1 * 0.5)


def test_coverage_by_hand() -> None:
    confidences = array(0.2, 0.9, 0.8, 0.7, 0.6)
    assert coverage_at_accuracy(confidences, flags("01101"), 1.0) == (0.4, 0.8)
    assert coverage_at_accuracy(confidences, flags("01101"), 0.75) == (0.8, 0.6)  # 3 of 4
    assert coverage_at_accuracy(confidences, flags("11111"), 1.0) == (1.0, 0.2)
    assert coverage_at_accuracy(confidences, flags("00111"), 0.99) == (0.0, float("inf"))


def test_equal_confidences_are_accepted_together() -> None:
    assert coverage_at_accuracy(array(0.9, 0.5, 0.5), flags("110"), 1.0) == (pytest.approx(1 / 3), 0.9)


def test_ninety_nine_of_a_hundred_are_enough() -> None:
    correct = np.ones(200, dtype=bool)
    correct[[99, 150, 151]] = False
    confidences = np.linspace(1, 0, 200)
    share, lowest = coverage_at_accuracy(confidences, correct, 0.99)
    assert (share, lowest) == (150 / 200, confidences[149])


def test_the_likelihood_by_hand() -> None:
    found = negative_log_likelihood(array(0.8, 0.4, 1.0), flags("101"))
    assert found == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 3)
    assert negative_log_likelihood(array(1.0), flags("0")) == pytest.approx(-np.log(1e-12))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_tempered_confidences_are_sums_over_paths(
    temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctc_decoder, "_MOST_WORDS_AT_ONCE", 2)
    logits = np.random.default_rng(1).normal(0, 2, (4, 5, 4))
    targets = [[], [0], [1, 1], [0, 2], [2, 1, 0]]
    found = tempered_confidences(logits, targets, temperature)
    for n, target in enumerate(targets):
        expected = text_probabilities(log_probabilities(logits[:, n] / temperature), BLANK)
        assert found[n] == pytest.approx(expected[tuple(target)])


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_the_temperature_of_synthetic_data_is_found(temperature: float) -> None:
    # Truths are drawn from the network's own distribution at a temperature: there, a reading is right with
    # exactly the probability that the distribution gives it.
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 3, (5, 2500, 4))
    probabilities = np.exp(log_probabilities(logits / temperature))
    draws = (probabilities.cumsum(axis=2) > rng.random((5, 2500, 1))).argmax(axis=2)
    truths = [collapse(path, BLANK) for path in draws.T.tolist()]
    readings = [collapse(path, BLANK) for path in logits.argmax(axis=2).T.tolist()]
    correct = np.array([a == b for a, b in zip(readings, truths, strict=True)])
    found = fit_temperature(lambda t: tempered_confidences(logits, readings, t), correct)
    assert found == pytest.approx(temperature, rel=0.1)

    def loss(t: float) -> float:
        return negative_log_likelihood(tempered_confidences(logits, readings, t), correct)

    assert loss(found) <= min(loss(found * 0.98), loss(found * 1.02), loss(temperature))
    if temperature != 1:
        before, after = (
            expected_calibration_error(tempered_confidences(logits, readings, t), correct)
            for t in (1.0, found)
        )
        assert after < 0.03 < before


@pytest.mark.parametrize(("right", "kind"), [("111", "right"), ("000", "wrong"), ("", "wrong")])
def test_readings_that_are_all_right_or_all_wrong_are_refused(right: str, kind: str) -> None:
    logits = np.zeros((2, len(right), 4))
    with pytest.raises(UserError, match=f"all {len(right)} of this data set are {kind}"):
        fit_temperature(lambda t: tempered_confidences(logits, [[0]] * len(right), t), flags(right))


def test_a_calibrated_decoder_changes_confidences_and_nothing_else() -> None:
    logits = np.random.default_rng(2).normal(0, 2, (5, 6, 4)).astype(np.float32)
    plain, tempered = GreedyDecoder(CHARSET), CalibratedDecoder(GreedyDecoder(CHARSET), 2.0)
    assert (tempered.name, tempered.notes()) == ("greedy", [])
    for n, (a, b) in enumerate(zip(plain(logits), tempered(logits), strict=True)):
        assert (a.text, a.raw) == (b.text, b.raw)
        expected = text_probabilities(log_probabilities(logits[:, n] / 2), BLANK)
        assert b.confidence == pytest.approx(expected[tuple(CHARSET.encode(b.text).tolist())])


def test_an_image_without_a_word_of_its_lexicon_keeps_no_confidence() -> None:
    logits = np.zeros((4, 2, 37), dtype=np.float32)
    decoder = CalibratedDecoder(LexiconDecoder(Charset(), 4), 2.0)
    none, some = decoder(logits, [("x-ray",), ("a",)])
    assert (none.text, none.confidence) == ("", 0.0)
    # All classes are alike: 4 x 5 / 2 paths of 37 ** 4 collapse to one "a".
    assert (some.text, some.confidence) == ("a", pytest.approx(10 / 37**4))
