"""The alphabet."""

import itertools

import numpy as np
import pytest
from reference import collapse

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import DEFAULT_CHARACTERS, Charset, required_time_steps


def test_default_charset_has_37_classes_and_the_blank_last() -> None:
    charset = Charset()
    assert charset.characters == DEFAULT_CHARACTERS == "abcdefghijklmnopqrstuvwxyz0123456789"
    assert (len(charset), charset.blank, charset.num_classes) == (36, 36, 37)


def test_encode_gives_positions_in_the_alphabet_after_folding_case() -> None:
    ids = Charset().encode("AbZ09")
    assert ids.tolist() == [0, 1, 25, 26, 35]
    assert ids.dtype == np.int32


def test_decode_is_the_inverse_of_encode() -> None:
    charset = Charset("中文字aB", case_sensitive=True)
    assert charset.decode(charset.encode("字中Ba")) == "字中Ba"


def test_a_charset_with_upper_case_tells_cases_apart_unless_told_otherwise() -> None:
    assert Charset("aA").encode("Aa").tolist() == [1, 0]
    assert not Charset("abc").case_sensitive
    assert Charset("abc", case_sensitive=True).covers("A") is False
    with pytest.raises(UserError, match="upper-case 'A'"):
        Charset("aA", case_sensitive=False)


def test_encode_names_the_characters_outside_each_once() -> None:
    with pytest.raises(UserError, match=r"'c-a!-t' holds '-!'"):
        Charset().encode("c-a!-t")


@pytest.mark.parametrize(("characters", "message"), [("", "empty"), ("abca1b", "repeats 'ab'")])
def test_an_impossible_alphabet_is_refused(characters: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Charset(characters)


def test_decomposed_characters_are_composed_before_encoding() -> None:
    decomposed = "e\N{COMBINING ACUTE ACCENT}"
    assert Charset("aé").encode(decomposed).tolist() == [1]
    assert Charset("aé").covers(decomposed)
    assert Charset().unknown_characters(decomposed) == "é"


def test_whatever_decode_gives_can_be_encoded() -> None:
    charset = Charset("e\u0301\u2126")  # NFC has one character for the first two, another for the last
    assert charset.encode(charset.decode([0, 1, 2, 0])).tolist() == [0, 1, 2, 0]
    assert Charset("e\u0301\u00e9").encode("e\u0301").tolist() == [2]


def test_restrict_keeps_what_the_charset_can_write() -> None:
    assert Charset().restrict("It's 5!") == "its5"


def test_charsets_are_equal_by_alphabet_and_case() -> None:
    assert Charset("ab") == Charset("ab")
    assert hash(Charset("ab")) == hash(Charset("ab"))
    assert Charset("ab") != Charset("ba")
    assert Charset("ab") != Charset("ab", case_sensitive=True)


@pytest.mark.parametrize("length", range(5))
def test_required_time_steps_is_the_shortest_path_that_collapses_to_the_text(length: int) -> None:
    shortest: dict[tuple[int, ...], int] = {}
    for steps in range(8):
        for path in itertools.product(range(3), repeat=steps):
            shortest.setdefault(collapse(path, blank=2), steps)
    for text in itertools.product(range(2), repeat=length):
        assert required_time_steps("".join("ab"[i] for i in text)) == shortest[text]
