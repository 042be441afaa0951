"""Full- and half-width forms."""

import re
import sys
import unicodedata
from pathlib import Path

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


@pytest.mark.parametrize("guide", ["docs/lines.md", "docs/zh/lines.md"])
def test_the_table_in_the_guide_is_what_is_compared(guide: str) -> None:
    """Rows that name as many forms as usual characters, one by one; a range by its ends."""
    text = (Path(__file__).resolve().parents[2] / guide).read_text(encoding="utf-8")
    rows = [row.split("|")[1:3] for row in text.splitlines() if row.startswith("| `") and row.count("|") == 3]
    pairs = []
    for forms, usual in ([re.findall("`(.)`", cell) for cell in row] for row in rows):
        pairs += list(zip(forms, usual, strict=False)) if usual else []
    assert len(pairs) >= 20
    assert {form: fold_width(form) for form, _ in pairs} == dict(pairs)


def test_wide_form_is_the_inverse_in_ascii() -> None:
    for code in range(0x20, 0x7F):
        assert fold_width(wide_form(chr(code))) == chr(code)
    assert wide_form("中") == "中"
