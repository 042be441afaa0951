"""Reading with a word prior, against sums written out and against every text there is."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ctc import log_softmax, text_log_probabilities
from crnn_mindspore.text.decoders.greedy import GreedyDecoder
from crnn_mindspore.text.decoders.prior_decoder import LENGTH_BONUS, PRIOR_WEIGHT, PriorDecoder
from crnn_mindspore.text.decoders.word_tree import WordTree
from crnn_mindspore.text.decoding import AUTO_DECODING, Decoding
from crnn_mindspore.text.word_frequencies import read_table, word_prior, write_table
from crnn_mindspore.text.word_prior import WordPrior

FREQUENCIES = {"cat": 6.0, "Car": 3.0, "do-g": 1.0, "route66": 5.0, "…": 2.0}


def spelling(prior: WordPrior, word: str) -> float:
    letters, model = prior._letters
    return math.exp(model.text_log_probability(letters.encode(word)))


def test_the_parts_of_five_words_by_hand() -> None:
    prior = WordPrior(FREQUENCIES)  # cat 0.6, car 0.3, dog 0.1; with a digit, or marks alone: no word
    log = prior.log_probability
    assert log("Cat") == pytest.approx(math.log(0.88 * (0.95 * 0.6 + 0.05 * spelling(prior, "cat"))))
    assert log("act") == pytest.approx(math.log(0.88 * 0.05 * spelling(prior, "act")))
    assert log("2024") == pytest.approx(math.log(0.02 * 10**-4))
    assert log("b4") == pytest.approx(math.log(0.02 * 10**-2))
    expected = math.log(0.05 * 0.88 * (0.95 * 0.1 + 0.05 * spelling(prior, "dog")))
    assert log("do-g") == pytest.approx(expected)
    assert log("cat 7") == pytest.approx(log("cat") + log("7"))
    assert math.isfinite(log("")) and log("") < log("?!") < log("cat")


def test_a_word_outside_the_letters_of_all_words_can_still_be_read() -> None:
    assert math.isfinite(WordPrior(FREQUENCIES).log_probability("zzz"))


def test_the_tree_gives_the_share_of_words_that_go_on() -> None:
    charset = Charset("abc")
    words = {"a": 1.0, "ab": 2.0, "abc": 3.0, "ca": 4.0}
    tree = WordTree(
        [charset.encode(w).tolist() for w in words], np.array(list(words.values())), charset.num_classes
    )
    assert len(tree) == 6
    start = np.array([tree.start])

    def shares(history: np.ndarray) -> list[float]:
        return np.exp(tree.log_probabilities(history))[0].tolist()

    assert shares(start) == pytest.approx([0.6, 0, 0.4, 0])
    after_a = tree.advance(start, np.array([0]))
    assert shares(after_a) == pytest.approx([0, 5 / 6, 0, 1 / 6])
    after_ab = tree.advance(after_a, np.array([1]))
    assert shares(after_ab) == pytest.approx([0, 0, 0.6, 0.4])
    nowhere = tree.advance(after_ab, np.array([0]))
    assert shares(nowhere) == [0, 0, 0, 0]
    assert shares(tree.advance(nowhere, np.array([0]))) == [0, 0, 0, 0]


def scores_of(decoder: PriorDecoder, logits: np.ndarray, texts: list[str]) -> np.ndarray:
    """The score of texts for one image, from its definition."""
    ids = [decoder.charset.encode(text).tolist() for text in texts]
    exact = text_log_probabilities(
        np.repeat(log_softmax(logits)[:, None], len(ids), axis=1), ids, decoder.charset.blank
    )
    before = np.array([decoder.prior.log_probability(text) for text in texts])
    return exact + PRIOR_WEIGHT * before + LENGTH_BONUS * np.array([len(text) for text in texts])


@pytest.mark.parametrize("seed", range(12))
def test_the_best_of_all_texts_is_found(seed: int) -> None:
    charset = Charset("act")
    decoder = PriorDecoder(charset, WordPrior({"cat": 5.0, "act": 2.0, "at": 1.0}), 5)
    logits = np.random.default_rng(seed).normal(size=(5, 3, charset.num_classes)) * 1.5
    texts = ["".join(t) for n in range(1, 4) for t in itertools.product("act", repeat=n)]
    for n, (reading, *_) in enumerate(decoder.best(logits, 3)):
        scores = scores_of(decoder, logits[:, n], texts)
        longer = len(reading.text) > 3
        assert longer or reading.text == texts[int(scores.argmax())]


def test_confidences_are_shares_of_the_scores_and_follow_the_temperature() -> None:
    charset = Charset("act")
    decoder = PriorDecoder(charset, WordPrior({"cat": 5.0, "act": 2.0}), 6)
    logits = np.random.default_rng(3).normal(size=(6, 4, charset.num_classes))
    readings = decoder.best(logits, 100)
    for n, own in enumerate(readings):
        scores = scores_of(decoder, logits[:, n], [r.text for r in own])
        assert np.all(np.diff(scores) <= 1e-9)
        shares = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose([r.confidence for r in own], shares, rtol=1e-9)
    cooled = decoder.at_temperature(2.0)
    found = [own[0] for own in cooled.best(logits, 1)]
    assert [r.text for r in found] == [own[0].text for own in readings]
    at = decoder.confidences(logits, [decoder.target(r) for r in found])
    np.testing.assert_allclose(at(2.0), [r.confidence for r in found])
    np.testing.assert_allclose(at(1.0), [own[0].confidence for own in readings])


def test_an_image_reads_the_same_alone_and_among_others() -> None:
    charset = Charset()
    decoder = PriorDecoder(charset, WordPrior({"house": 3.0, "mouse": 2.0, "x": 1.0}), 12)
    logits = np.random.default_rng(5).normal(size=(12, 5, charset.num_classes)) * 3
    together = decoder.best(logits, 2)
    for n, own in enumerate(together):
        alone = decoder.best(logits[:, n : n + 1], 2)[0]
        assert [r.text for r in alone] == [r.text for r in own]
        assert [r.confidence for r in alone] == pytest.approx([r.confidence for r in own])


def test_a_doubtful_letter_is_settled_by_the_words() -> None:
    charset = Charset()
    decoder = PriorDecoder(charset, word_prior("en"), 16)
    logits = np.full((16, 1, charset.num_classes), -8.0)
    for place, letters in enumerate(["h", "ou", "u", "s", "e"]):
        logits[2 * place, 0, [charset.encode(c)[0] for c in letters]] = 4.0, *([4.3] * (len(letters) - 1))
        logits[2 * place + 1, 0, -1] = 6.0
    logits[10:, 0, -1] = 6.0
    assert GreedyDecoder(charset)(logits)[0].text == "huuse"
    reading = decoder(logits)[0]
    assert reading.text == "house"
    assert reading.confidence > 0.9


def test_capitals_are_read_as_words_too() -> None:
    charset = Charset("catCATx")
    decoder = PriorDecoder(charset, WordPrior({"cat": 5.0, "tax": 1.0}), 8)
    logits = np.full((8, 1, charset.num_classes), -6.0)
    for place, letters in enumerate(["C", "Ax", "T"]):
        logits[2 * place, 0, [charset.encode(c)[0] for c in letters]] = 3.0, *([3.3] * (len(letters) - 1))
        logits[2 * place + 1, 0, -1] = 4.0
    logits[6:, 0, -1] = 4.0
    assert decoder(logits)[0].text == "CAT"


def test_the_table_that_ships_and_one_of_a_user(tmp_path: Path) -> None:
    english = word_prior("en")
    assert len(english.words) == 100_000
    assert english.words["the"] > 1000 * english.words["serendipity"] > 0
    own = tmp_path / "words.txt"
    own.write_text("Straße\t3\nWeg\t1\nWeg\t2\n", encoding="utf-8")
    assert word_prior(str(own)).words == {"strasse": 0.5, "weg": 0.5}
    write_table({"b": 0.01, "a": 0.01, "c": 0.0001}, tmp_path / "t.gz")
    assert read_table(tmp_path / "t.gz") == {"a": 0.01, "b": 0.01, "c": 0.0001}


def test_another_language_comes_from_wordfreq() -> None:
    german = word_prior("de")
    assert german.log_probability("Straße") > german.log_probability("Strafßi")
    with pytest.raises(UserError, match="prior 'xx': wordfreq has no such language"):
        word_prior("xx")


def test_what_cannot_be_a_prior_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none with letters"):
        WordPrior({"66": 1.0})
    with pytest.raises(UserError, match=r"gone\.txt"):
        word_prior(str(tmp_path / "gone.txt"))
    with pytest.raises(UserError, match="can write none of its words"):
        PriorDecoder(Charset("xyz"), WordPrior({"cat": 1.0}), 24)
    with pytest.raises(UserError, match="prior 'de' needs --decoder=prior"):
        Decoding("beam", prior="de").check()


def test_what_the_description_says_holds_where_nobody_says_otherwise() -> None:
    reading = {"decoder": "prior", "prior": "de"}
    assert AUTO_DECODING.settled(reading) == Decoding("prior", prior="de")
    assert AUTO_DECODING.settled({}) == Decoding("greedy")
    assert Decoding("greedy").settled(reading) == Decoding("greedy")
    assert Decoding("prior").settled({}) == Decoding("prior", prior="en")
    assert AUTO_DECODING.measuring == Decoding("greedy")
