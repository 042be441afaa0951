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


@pytest.mark.parametrize("classes", ["", (), ("", "")])
def test_an_empty_alphabet_is_refused(classes: str | tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="empty"):
        Charset(classes)


def test_a_class_that_comes_twice_keeps_both_ids_and_the_first_is_used() -> None:
    charset = Charset("abca")
    assert (len(charset), charset.blank, charset.repeated) == (4, 4, {"a": [0, 3]})
    assert charset.encode("aba").tolist() == [0, 1, 0]
    assert charset.decode([3, 1]) == "ab"
    empty = Charset(("a", "", "b"))
    assert (empty.encode("ab").tolist(), empty.decode([0, 1, 2]), empty.repeated) == ([0, 2], "ab", {})


def test_texts_are_split_by_the_longest_class_that_fits() -> None:
    serbian = Charset(("d", "ž", "dž", "n", "j", "nj", "a"))
    assert serbian.encode("Džanj").tolist() == [2, 6, 5]
    assert serbian.split("nnjdaž") == ["n", "nj", "d", "a", "ž"]
    assert serbian.decode([2, 6, 5]) == "džanj"
    flags = Charset(("\U0001f1e9\U0001f1ea", "\U0001f1ec\U0001f1e7", "a"))
    assert flags.encode("\U0001f1ec\U0001f1e7a\U0001f1e9\U0001f1ea").tolist() == [1, 2, 0]
    assert flags.unknown_characters("\U0001f1e9a") == "\U0001f1e9"
    malayalam = Charset(("ക", "കു", "ക്ക", "ക്കു"))
    assert malayalam.encode("ക്കുകുക").tolist() == [3, 1, 0]
    assert required_time_steps(malayalam.split("കകു")) == 2
    assert required_time_steps(malayalam.split("കുകു")) == 3


@pytest.mark.parametrize(
    ("classes", "text", "spelled"),
    [
        ("\uf92c\u90ce", "\uf92c\u90ce", ["\uf92c", "\u90ce"]),  # both are there: both stay
        ("\u90ce", "\uf92c", ["\u90ce"]),
        ("\uf92c", "\u90ce", ["\uf92c"]),
        ("\u0958\u0915", "\u0958\u0915\u093c\u0915", ["\u0958", "\u0958", "\u0915"]),
        ("\u0915\u093c", "\u0958", ["\u0915", "\u093c"]),
        ("\u00e9e", "e\u0301e", ["\u00e9", "e"]),
        ("e\u0301", "\u00e9", ["e", "\u0301"]),
        (("e\u0301", "a"), "a\u00e9", ["a", "e\u0301"]),
        ("\u00ea\u0301", "\u1ebf", ["\u00ea", "\u0301"]),
        ("\u212b\u00c5", "A\u030a\u212b", ["\u00c5", "\u212b"]),
        ("\u1100\u1161", "\uac00", ["\u1100", "\u1161"]),
        ("a", "\ufb01a", ["\ufb01", "a"]),  # a ligature is a character of its own
    ],
)
def test_texts_are_composed_to_what_the_alphabet_holds(
    classes: str | tuple[str, ...], text: str, spelled: list[str]
) -> None:
    charset = Charset(classes)
    assert list(charset.split(text)) == spelled
    assert charset.normalize(charset.normalize(text)) == charset.normalize(text) == "".join(spelled)


TURKISH = "abcçdefgğhıijklmnoöprsştuüvyz"


@pytest.mark.parametrize(
    ("text", "folded", "unknown"),
    [
        ("İSTANBUL", "istanbul", ""),
        ("ISPARTA", "isparta", ""),
        ("Straße", "straße", "ß"),
        ("STRAẞE", "straße", "ß"),
        ("ﬁn", "ﬁn", "ﬁ"),
        ("Ａｂ１", "ａｂ１", "ａｂ１"),
        ("٣", "٣", "٣"),
    ],
)
def test_what_folding_makes_of_letters_and_digits_that_are_not_plain(
    text: str, folded: str, unknown: str
) -> None:
    charset = Charset(TURKISH)
    assert charset.normalize(text) == folded
    assert charset.unknown_characters(text) == unknown
    assert Charset(TURKISH + "ßﬁａｂ１٣").covers(text)


def test_the_mark_that_unicode_leaves_of_the_turkish_i_is_used_where_it_is_a_class() -> None:
    assert Charset(TURKISH + "\u0307").normalize("İ") == "i\u0307"
    assert Charset().covers("İSTANBUL")
    assert Charset("İi").normalize("İ") == "İ"


@pytest.mark.parametrize(("text", "lower"), [("ΜΑΪ\u0301ΟΥ", "μα\u0390ου"), ("J\u030cA", "\u01f0a")])
def test_lower_case_is_composed_where_upper_case_has_no_composed_form(text: str, lower: str) -> None:
    charset = Charset("αμου\u0390\u01f0a")
    assert charset.normalize(text) == lower
    assert charset.covers(text)
    assert charset.normalize(charset.normalize("İ\u0301")) == charset.normalize("İ\u0301")


def test_an_alphabet_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(UserError, match=r"'ab\\udce9' is not UTF-8"):
        Charset("ab\udce9")


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
