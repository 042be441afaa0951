"""Full- and half-width forms."""

import sys
import unicodedata

import pytest

from crnn_mindspore.text.folding import fold_width, wide_form, width_table


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ＡＢｃ１２", "ABc12"),
        ("（，．：；！？）～＋％", "(,.:;!?)~+%"),
        ("￥￠", "¥¢"),
        ("中\u3000国", "中 国"),
        ("﹐﹕﹖", ",:?"),
        ("ｱﾞ", "ア\u3099"),
        ("。、“”《》—…·①Ⅱ℃½", "。、“”《》—…·①Ⅱ℃½"),
        ("", ""),
    ],
)
def test_forms(text: str, folded: str) -> None:
    assert fold_width(text) == folded
    assert fold_width(folded) == folded


def test_the_table_is_that_of_unicodes_east_asian_widths() -> None:
    """Every character that is full-width or half-width (F, H) and has a mapping, and the small forms."""
    found = {
        code: unicodedata.normalize("NFKC", chr(code))
        for code in range(sys.maxunicode + 1)
        if unicodedata.decomposition(chr(code)).startswith(("<wide>", "<narrow>", "<small>"))
    }
    assert set(width_table()) == set(found)
    ascii_forms = {code: text for code, text in found.items() if text.isascii()}
    assert len(ascii_forms) >= 95
    assert {code: width_table()[code] for code in ascii_forms} == ascii_forms


def test_wide_form_is_the_inverse_in_ascii() -> None:
    for code in range(0x20, 0x7F):
        assert fold_width(wide_form(chr(code))) == chr(code)
    assert wide_form("中") == "中"
