"""What the labels of a training set give reason to say before the first step."""

import numpy as np
import pytest

from crnn_mindspore.data.checking.findings import Hint
from crnn_mindspore.data.checking.training_labels import dropped_label_hints, kept_label_hints
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.sources.samples import ListSource, WordSample
from crnn_mindspore.text.charset import Charset

ALL = "the quick brown fox jumps over a lazy dog 0123456789"  # every character of the default charset


def source(texts: list[str]) -> ListSource:
    return ListSource([WordSample(f"{i}.png", text) for i, text in enumerate(texts)], "here")


def dropped(texts: list[str], charset: str | None = None, **options: int) -> dict[str, Hint]:
    alphabet = Charset(charset) if charset else Charset()
    hints = dropped_label_hints(source(texts), alphabet, Preprocessing(), 23, **options)
    return {hint.key: hint for hint in hints}


def kept(texts: list[str], charset: str | None = None) -> dict[str, Hint]:
    hints = kept_label_hints(source(texts), Charset(charset) if charset else Charset())
    return {hint.key: hint for hint in hints}


def test_good_labels_give_no_hint() -> None:
    assert dropped(ALL.split() * 3) == {}
    assert kept(ALL.split() * 3) == {}
    assert dropped([]) == {}


def test_missing_characters_are_named_with_the_options_that_help() -> None:
    texts = ["word"] * 10 + ["Don't"] * 3 + ["naïve"] * 2 + ["x-y"]
    hint = dropped(texts)["outside_charset"]
    # 6 of 16
    assert hint.message.startswith("38% of the labels hold characters outside the charset of 36")
    assert "The most frequent: \"'\" 3 times, 'ï' 2 times, '-' 1 times." in hint.message
    assert "--label_dict=auto" in hint.advice
    assert 'add to --label_dict: "\'ï-".' in hint.advice
    assert "Upper case is read as lower case and is not missing." in hint.advice


def test_a_charset_in_upper_case_is_told_that_case_counts() -> None:
    hint = dropped(["word", "WORD"], "DORW")["outside_charset"]
    assert "case counts" in hint.advice
    assert "is not missing" not in hint.advice


@pytest.mark.parametrize(("bad", "is_said"), [(4, False), (5, True)])
def test_a_small_share_is_left_to_the_report(bad: int, is_said: bool) -> None:
    assert ("outside_charset" in dropped(["fine"] * (100 - bad) + ["naïve"] * bad)) == is_said
    assert ("too_long_for_steps" in dropped(["fine"] * (100 - bad) + ["a" * 14] * bad)) == is_said
    assert ("too_long" in dropped(["fine"] * (100 - bad) + ["ab" * 12] * bad)) == is_said


def test_over_long_labels_name_the_width_that_holds_them() -> None:
    # 14 equal letters need 27 steps, 15 need 29; a width of W gives W / 4 - 1.
    texts = ["fine"] * 1000 + ["a" * 14] * 998 + ["a" * 15]
    hint = dropped(texts)["too_long_for_steps"]
    assert hint.message.startswith("50% of the labels need more than the 24 time steps of image_width 100")
    assert "--image_width=120 would hold all" in hint.advice
    assert "--image_width=112 99.9 % of them" in hint.advice
    assert "99.9" not in dropped(["fine", "a" * 14])["too_long_for_steps"].advice
    hint = dropped(["fine", "ab" * 15])["too_long"]
    assert "--max_text_length=30 would admit all. --image_width=124 would hold all" in hint.advice


def test_of_a_large_set_some_labels_are_looked_at_and_that_is_said() -> None:
    texts = ["fine", "naïve"] * 500
    hint = dropped(texts, most_labels=101)["outside_charset"]
    assert "of the labels (101 of 1,000 looked at)" in hint.message
    share = int(hint.message.partition("%")[0])
    assert 40 <= share <= 60
    assert dropped(texts, most_labels=1000)["outside_charset"].message.startswith("50% of the labels hold")


def test_one_repeated_label_is_named() -> None:
    hint = kept(["cat"] * 5)["one_label"]
    assert hint.message == "All 5 samples have the same label, 'cat'."
    hint = kept(ALL.split() + ["cat"] * 12)["one_label"]
    assert hint.message == "12 of 22 samples have the same label, 'cat'."
    assert "one_label" not in kept(ALL.split() + ["cat"] * 10)
    assert "one_label" not in kept(["cat", "cat", "dog"])  # too few to tell
    assert "one_label" not in kept(["cat"])


def test_labels_that_are_numbers_are_named_and_single_characters_are_not() -> None:
    assert kept(list("abcdefghijklmnopqrstuvwxyz0123456789")) == {}
    numbers = [str(n) for n in range(100, 140)]
    assert set(kept(numbers)) == {"digits_only", "unused_characters"}
    assert kept(numbers, "0123456789") == {}
    assert "digits_only" not in kept([*numbers, "a1"])
    assert set(kept(numbers[:19])) == {"unused_characters"}  # too few to tell


def test_characters_without_a_label_are_listed() -> None:
    hint = kept(["Cat", "dog"], "abcdéogtz")["unused_characters"]  # upper case is folded
    assert hint.message == "3 of 9 characters of the charset are in no training label: 'béz'."
    assert "cannot be learnt" in hint.advice
    many = "".join(chr(0x4E00 + i) for i in range(100))
    hint = kept(["cat", "dog"], "acdgot" + many)["unused_characters"]
    assert f"{many[:40]!r} and 60 more." in hint.message


def test_a_character_in_one_label_of_many_is_not_listed() -> None:
    words = [f"{i:05d}" for i in range(25_000)]
    assert "unused_characters" not in kept([*words, "x"], "0123456789x")
    assert "unused_characters" in kept([*words, "y"], "0123456789x")


def test_only_labels_that_are_kept_count() -> None:
    samples = source(["cat", "cät", "a" * 14 + "z", "dog"])
    dataset = WordDataset(samples, Charset("acdgotz"), Preprocessing(), 23)
    assert [dataset.kept.text(i) for i in range(len(dataset.kept))] == ["cat", "dog"]
    (hint,) = kept_label_hints(dataset.kept, dataset.codec)
    assert "in no training label: 'z'" in hint.message
    everything = WordDataset(source(["cat", "dog"]), Charset("acdgotz"), Preprocessing(), 23)
    assert everything.kept is everything.source
    _, ids = dataset.kept.distinct_texts()
    assert ids.dtype == np.int32
