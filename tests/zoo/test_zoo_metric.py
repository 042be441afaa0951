"""`src.metric`: words read right, from scores and padded labels."""

import mindspore as ms
import numpy as np
import pytest
from zoo_options import options

from crnn_mindspore.errors import UserError
from src.metric import CRNNAccuracy

BLANK = 36


def scores(*paths: str) -> np.ndarray:
    """(T, N, 37), largest at each character of a path; '-' is the blank."""
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-"
    array = np.zeros((len(paths[0]), len(paths), 37), np.float32)
    for n, path in enumerate(paths):
        for t, character in enumerate(path):
            array[t, n, alphabet.index(character)] = 1
    return array


def label(text: str) -> list[int]:
    ids = ["abcdefghijklmnopqrstuvwxyz0123456789".index(c) for c in text]
    return ids + [BLANK] * (8 - len(ids))


def test_words_are_counted_over_batches_and_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    metric = CRNNAccuracy(options(), print_flag=False)
    logits = ms.Tensor(scores("-ccaa-t-", "b-ooo-ok", "-------9"))
    metric.update(logits, ms.Tensor(np.array([label("cat"), label("bok"), label("9")], np.int32)))
    metric.update(scores("a-------"), np.array([label("b")], np.int32))
    assert metric.eval() == 0.5  # cat and 9; "book" was read where "bok" stands, "a" for "b"
    assert capsys.readouterr().out == "correct num: 2 , total num: 4\n"
    metric.clear()
    with pytest.raises(UserError, match="no word"):
        metric.eval()


def test_every_word_is_printed_unless_told_not_to(capsys: pytest.CaptureFixture[str]) -> None:
    metric = CRNNAccuracy(options())
    metric.update(scores("-ccaa-t-"), ["Cat"])
    assert metric.eval() == 1
    assert capsys.readouterr().out == "cat  ::  Cat\ncorrect num: 1 , total num: 1\n"


def test_a_word_with_nothing_to_compare_is_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    metric = CRNNAccuracy(options(), print_flag=False)
    metric.update(scores("--------", "a-------"), np.array([label(""), label("a")], np.int32))
    assert metric.eval() == 1
    assert "1 words left out" in capsys.readouterr().out


def test_the_alphabet_is_that_of_the_options() -> None:
    metric = CRNNAccuracy(options("--label_dict=Ab"), print_flag=False)
    logits = np.zeros((2, 1, 3), np.float32)
    logits[0, 0, 0] = logits[1, 0, 1] = 1
    metric.update(logits, np.array([[0, 1, 2, 2]], np.int32))
    metric.update(logits, ["AB"])  # case counts where the alphabet has it
    assert metric.eval() == 0.5


def test_scores_and_labels_are_both_needed() -> None:
    with pytest.raises(ValueError, match="got 1 inputs"):
        CRNNAccuracy(options()).update(scores("a"))
