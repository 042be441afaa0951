"""Characters that are taken for one: full- and half-width forms, and those that look alike in an image."""

import unicodedata
from functools import cache

_BLOCKS = ((0x3000, 0x3001), (0xFE50, 0xFE70), (0xFF00, 0xFFF0))
_TAGS = ("<wide>", "<narrow>", "<small>")


@cache
def width_table() -> dict[int, str]:
    """Code point -> the character of the usual width, as `str.translate` takes it.

    Those that Unicode says are wide, narrow or small forms of another: `，` of `,`, `￥` of `¥`, the
    ideographic space of the space, `ｱ` of `ア`. Signs that are merely alike, such as `。` and `.`, stay.

    Source: https://www.unicode.org/reports/tr44/#Character_Decomposition_Mappings
    """
    table = {}
    for start, end in _BLOCKS:
        for code in range(start, end):
            tag, _, mapped = unicodedata.decomposition(chr(code)).partition(" ")
            if tag in _TAGS:
                table[code] = "".join(chr(int(part, 16)) for part in mapped.split())
    return table


def fold_width(text: str) -> str:
    """The text with every full- or half-width form in its usual width."""
    return text.translate(width_table())


def wide_form(character: str) -> str:
    """The full-width form of an ASCII character; other characters as they are."""
    if character == " ":
        return "\u3000"
    return chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character


# Of each group the first stands for all: no image of one alone tells them apart, or only by its size.
LOOK_ALIKE = (
    *("0Oo", "1lI", "cC", "kK", "pP", "sS", "uU", "vV", "wW", "xX", "zZ"),
    *("一—-_", "二=", "十+", ".·", "'\u2018\u2019", '"\u201c\u201d'),  # quotation marks
)


@cache
def look_alike_table() -> dict[int, str]:
    """Code point -> the first of those it looks like, as `str.translate` takes it."""
    return {ord(c): group[0] for group in LOOK_ALIKE for c in group[1:]}


def fold_look_alikes(text: str) -> str:
    """The text with one character for all that look like it, whatever their width: `O` and `o` as `0`."""
    return fold_width(text).translate(look_alike_table())
