"""The character model against numbers made by hand and against a recursion over strings."""

from collections import Counter

import numpy as np
import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.text import ngram
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ngram import NgramModel

WORDS = ["ab", "abc", "cab", "aab", "ccc", "b", "abca"]
END = 3  # of the charset "abc": the class of the blank


def reference_probability(words: list[str], history: str, symbol: str, order: int, symbols: int) -> float:
    """P(symbol | history) by Witten-Bell over strings; '#' is the boundary, the history begins with it."""
    grams: Counter[str] = Counter()
    for word in words:
        marked = f"#{word}#"
        for end in range(2, len(marked) + 1):
            for start in range(max(0, end - order), end):
                grams[marked[start:end]] += 1

    def probability(before: str) -> float:
        after = [n for gram, n in grams.items() if len(gram) == len(before) + 1 and gram.startswith(before)]
        lower = probability(before[1:]) if before else 1 / symbols
        if not after:
            return lower
        return (grams[before + symbol] + len(after) * lower) / (sum(after) + len(after))

    return probability(history[len(history) - min(len(history), order - 1) :])


def history_of(model: NgramModel, ids: list[int]) -> np.ndarray:
    history = np.array(model.start, dtype=np.int64)
    for symbol in ids:
        history = model.advance(history, np.array(symbol))
    return history


def test_bigrams_of_two_words_by_hand() -> None:
    model = NgramModel(["ab", "ac"], Charset("abc"), order=2)
    # Alone: a 2, b 1, c 1, end 2 of 6, 4 different: (n + 4 / 4) / 10.
    start = np.exp(model.log_probabilities(np.array(model.start)))
    np.testing.assert_allclose(start, [2.3 / 3, 0.2 / 3, 0.2 / 3, 0.3 / 3])
    after_a = np.exp(model.log_probabilities(history_of(model, [0])))
    np.testing.assert_allclose(after_a, [0.6 / 4, 1.4 / 4, 1.4 / 4, 0.6 / 4])
    after_b = np.exp(model.log_probabilities(history_of(model, [0, 1])))
    np.testing.assert_allclose(after_b, [0.3 / 2, 0.2 / 2, 0.2 / 2, 1.3 / 2])
    assert np.exp(model.text_log_probability([0, 1])) == pytest.approx(2.3 / 3 * 1.4 / 4 * 1.3 / 2)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
def test_every_history_equals_the_recursion_over_strings(order: int) -> None:
    model = NgramModel(WORDS, Charset("abc"), order)
    for text in ("", "a", "ab", "abc", "cc", "bbb", "abcab"):
        row = np.exp(model.log_probabilities(history_of(model, ["abc".index(c) for c in text])))
        assert row.sum() == pytest.approx(1)
        for symbol in range(4):
            expected = reference_probability(WORDS, f"#{text}", "abc#"[symbol], order, 4)
            assert row[symbol] == pytest.approx(expected), (text, symbol)


def test_many_histories_at_once_are_each_alone() -> None:
    model = NgramModel(WORDS, Charset("abc"), 3)
    histories = np.array([[int(history_of(model, ids)) for ids in row] for row in ([[], [0]], [[0, 1], [0]])])
    together = model.log_probabilities(histories)
    assert together.shape == (2, 2, 4)
    for place in np.ndindex(2, 2):
        np.testing.assert_array_equal(together[place], model.log_probabilities(histories[place]))


def test_words_are_folded_count_once_and_unwritable_ones_are_counted() -> None:
    model = NgramModel(["ab", "AB", "ab", "a-b", "", "é"], Charset("abc"), 3)
    assert (model.num_words, model.left_out) == (1, 3)
    same = NgramModel(["ab"], Charset("abc"), 3)
    np.testing.assert_array_equal(
        model.log_probabilities(np.array(model.start)), same.log_probabilities(np.array(same.start))
    )


def test_a_list_without_a_usable_word_and_an_impossible_order_are_refused() -> None:
    with pytest.raises(UserError, match="holds no word that the charset can write"):
        NgramModel(["x", "-"], Charset("abc"))
    for order in (0, 60):
        with pytest.raises(ValueError, match=f"order {order}"):
            NgramModel(["a"], Charset("abc"), order)


def test_a_large_alphabet_has_room_for_the_default_order() -> None:
    characters = "".join(chr(0x4E00 + i) for i in range(7000))
    model = NgramModel([characters[6990:6996]], Charset(characters))
    ids = list(range(6990, 6996))
    assert model.log_probabilities(history_of(model, ids[:5]))[ids[5]] > np.log(0.5)


def test_a_service_that_reads_for_ever_keeps_a_bounded_number_of_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ngram, "_KEPT_NUMBERS", 40)  # ten rows of four classes
    model, fresh = NgramModel(WORDS, Charset("abc"), order=4), NgramModel(WORDS, Charset("abc"), order=4)
    dice = np.random.default_rng(3)
    for _ in range(50):
        histories = history_of(model, dice.integers(0, 3, 3).tolist())[None].repeat(2)
        np.testing.assert_array_equal(
            model.log_probabilities(histories)[0], np.log(fresh._probabilities(int(histories[0])))
        )
        assert len(model._rows) <= 11
