"""Lexicon decoding against scoring every word over all its paths."""

import itertools

import numpy as np
import pytest
from reference import log_probabilities, text_probabilities

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset, required_time_steps
from crnn_mindspore.text.ctc import text_log_probabilities
from crnn_mindspore.text.decoders import lexicon, trie
from crnn_mindspore.text.decoders.lexicon import LexiconDecoder
from crnn_mindspore.text.decoders.trie import Trie

CHARSET = Charset("abc")
BLANK = 3
TEXTS = ["".join(t) for n in range(1, 6) for t in itertools.product("abc", repeat=n)]


def words_that_fit(rng: np.random.Generator, count: int, time_steps: int) -> list[str]:
    fitting = [text for text in TEXTS if required_time_steps(text) <= time_steps]
    return [fitting[i] for i in rng.choice(len(fitting), min(count, len(fitting)), replace=False)]


@pytest.mark.parametrize("one_by_one", [0, 1000], ids=["searched", "scored one by one"])
@pytest.mark.parametrize("seed", range(15))
def test_the_word_is_the_best_of_the_list_over_all_paths(
    seed: int, one_by_one: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexicon, "_SCORED_ONE_BY_ONE", one_by_one)
    rng = np.random.default_rng(seed)
    time_steps = int(rng.integers(1, 7))
    words = words_that_fit(rng, int(rng.integers(1, 40)), time_steps)
    logits = rng.normal(0, rng.uniform(0.1, 4), (time_steps, 4, 4)).astype(np.float32)
    for n, reading in enumerate(LexiconDecoder(CHARSET, time_steps, words)(logits)):
        expected = text_probabilities(log_probabilities(logits[:, n]), BLANK)
        scores = {word: expected[tuple(CHARSET.encode(word).tolist())] for word in words}
        assert reading.text == max(scores, key=lambda word: scores[word])
        assert reading.confidence == pytest.approx(scores[reading.text], rel=1e-9)


@pytest.mark.parametrize("piece", [1, 5, 4096])
@pytest.mark.parametrize("dive_width", [1, 8])
def test_the_search_equals_the_full_forward_algorithm_however_it_is_divided(
    piece: int, dive_width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trie, "_PIECE", piece)
    monkeypatch.setattr(trie, "_DIVE_WIDTH", dive_width)
    rng = np.random.default_rng(piece)
    words = [tuple(rng.integers(0, 9, rng.integers(1, 8)).tolist()) for _ in range(150)]
    words = list(dict.fromkeys(words))
    log_probs = log_probabilities(rng.normal(0, 3, (14, 5, 10)))
    log_probs[:, 0] = log_probabilities(np.zeros((14, 10)))  # nothing can be ruled out
    for count in (1, 4, len(words)):
        numbers, values = Trie(words).most_probable(log_probs, 9, count)
        assert numbers.shape == values.shape == (5, count)
        for n in range(5):
            repeated = np.repeat(log_probs[:, n : n + 1], len(words), axis=1)
            scores = text_log_probabilities(repeated, words, 9)
            assert values[n] == pytest.approx(np.sort(scores)[::-1][:count], rel=1e-12)
            assert scores[numbers[n]] == pytest.approx(values[n], rel=1e-12)
            assert len(set(numbers[n].tolist())) == count


def test_the_tree_shares_prefixes() -> None:
    assert len(Trie([(0, 1, 2), (0, 1), (0, 2), (1,), (0, 1, 1)])) == 1 + 2 + 2 + 2
    assert len(Trie([(5,)])) == 2


def test_a_prefix_that_is_a_word_and_a_doubled_letter_are_words_of_their_own() -> None:
    words = ["a", "ab", "aab", "abc", "aabc"]
    for word in words:
        path = [BLANK] * 9
        path[: 2 * len(word) : 2] = CHARSET.encode(word).tolist()
        logits = np.zeros((9, 1, 4))
        logits[range(9), 0, path] = 8
        tree = Trie([tuple(CHARSET.encode(w).tolist()) for w in words])
        ((number,),), _ = tree.most_probable(log_probabilities(logits), BLANK)
        assert words[number] == word
        assert LexiconDecoder(CHARSET, 9, words)(logits)[0].text == word


def test_a_reading_far_from_every_word_is_still_the_best_word() -> None:
    words = [text for text in TEXTS if "a" not in text and required_time_steps(text) <= 9]
    path = [0, BLANK] * 4 + [0]  # "aaaaa": five edits from every word
    logits = np.zeros((9, 1, 4))
    logits[range(9), 0, path] = 12
    (reading,) = LexiconDecoder(CHARSET, 9, words)(logits)
    log_probs = np.repeat(log_probabilities(logits), len(words), axis=1)
    scores = text_log_probabilities(log_probs, [CHARSET.encode(w).tolist() for w in words], BLANK)
    assert reading.confidence == pytest.approx(np.exp(scores.max()), rel=1e-9)
    assert np.exp(scores[words.index(reading.text)]) == pytest.approx(reading.confidence)
    assert reading.confidence < 1e-6


def test_words_too_improbable_for_a_float_are_still_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "_SCORED_ONE_BY_ONE", 0)
    words = [text for text in TEXTS if "a" not in text and required_time_steps(text) <= 9]
    logits = np.zeros((9, 2, 4))
    logits[:, 0, 0] = 200  # the first image shows "a" with certainty, the second next to nothing
    logits[:, 0, 2] = np.linspace(0, 8, 9)
    log_probs = log_probabilities(logits)
    for n, readings in enumerate(LexiconDecoder(CHARSET, 9, words).best(logits, 3)):
        repeated = np.repeat(log_probs[:, n : n + 1], len(words), axis=1)
        scores = text_log_probabilities(repeated, [CHARSET.encode(w).tolist() for w in words], BLANK)
        best = np.sort(scores)[::-1][:3]
        assert [scores[words.index(r.text)] for r in readings] == pytest.approx(best, rel=1e-9)
    assert best[0] > -20


def test_every_image_is_read_with_its_own_lexicon() -> None:
    logits = np.zeros((5, 3, 4))
    logits[[0, 2], :, 0] = 5  # all three show "a.a" or, fainter, "a"
    logits[1, :, BLANK] = 5
    decoder = LexiconDecoder(CHARSET, 5)
    readings = decoder(logits, [("AA", "b"), ("b", "a"), ("c", "ba", "bb")])
    assert [r.text for r in readings] == ["AA", "a", "ba"]  # spelled as in the lexicon
    assert {r.raw for r in readings} == {"a-aaa"}
    assert decoder.notes() == []


@pytest.mark.parametrize("one_by_one", [0, 1000], ids=["searched", "scored one by one"])
def test_the_next_best_words_follow_in_order(one_by_one: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "_SCORED_ONE_BY_ONE", one_by_one)
    logits = np.random.default_rng(3).normal(0, 2, (5, 3, 4))
    words = ["a", "ab", "c", "bca", "B"]
    for n, readings in enumerate(LexiconDecoder(CHARSET, 5, words).best(logits, 3)):
        expected = text_probabilities(log_probabilities(logits[:, n]), BLANK)
        scores = {word: expected[tuple(CHARSET.encode(word).tolist())] for word in words}
        assert [r.text for r in readings] == sorted(words, key=lambda word: -scores[word])[:3]
        assert [r.confidence for r in readings] == pytest.approx([scores[r.text] for r in readings])
    everything = LexiconDecoder(CHARSET, 5, words).best(logits, 99)
    assert [len(readings) for readings in everything] == [5, 5, 5]


def test_words_that_cannot_be_read_are_left_out_counted_and_said_once() -> None:
    decoder = LexiconDecoder(CHARSET, 3, name="lexicon 50")
    logits = np.zeros((3, 2, 4))
    lists = [("ab", "x-ray", "abca", "aab", ""), ("x-ray", "abca")]
    assert [r.text for r in decoder(logits, lists)] == ["ab", ""]
    assert decoder(logits, lists)[1].confidence == 0
    assert decoder.notes() == [
        "lexicon 50: words left out: 2 the charset cannot write (e.g. 'x-ray', ''), "
        "2 need more than 3 time steps (e.g. 'abca', 'aab')",
        "lexicon 50: 2 images without a word that can be read",
    ]


def test_a_lexicon_without_a_usable_word_and_a_missing_one_are_refused() -> None:
    with pytest.raises(UserError, match=r"words\.txt: none of the 2 words can be read; .*'xx', 'yy'"):
        LexiconDecoder(CHARSET, 5, ["xx", "yy"], name="words.txt")
    logits = np.zeros((3, 1, 4))
    with pytest.raises(ValueError, match="without a lexicon"):
        LexiconDecoder(CHARSET, 3)(logits)
    with pytest.raises(ValueError, match="image 0 of the batch has no lexicon"):
        LexiconDecoder(CHARSET, 3)(logits, [None])


def test_more_lexicons_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "_LEXICONS_KEPT", 1)
    logits = np.zeros((3, 3, 4))
    decoder = LexiconDecoder(CHARSET, 3)
    for _ in range(2):
        assert [r.text for r in decoder(logits, [("a",), ("b",), ("c",)])] == ["a", "b", "c"]
