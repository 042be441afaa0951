"""Names and labels as people are shown them: whatever could steer a terminal stands there as its code."""

import re

# Control characters; marks that turn the direction of writing; separators of lines; halves of characters,
# which are bytes of a file name that is no text.
_UNSAFE = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_LINES = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = re.compile("^[\\s\0-\x1f]*[=@+\\-\uff1d\uff20\uff0b\uff0d]")
_NUMBER = re.compile(r"[+-]?[0-9.,: %]*")
_MOST = 160  # characters of a value in a message
_BEFORE = 40  # of them before the first that differs


def shown(text: str) -> str:
    r"""A name or label for a terminal, a log or a table: `\u001b` stands for an escape character.

    Line ends and tabs are control characters too. The codes are those of JSON, so that JSON stays what it is.
    """
    return text if text.isprintable() else _UNSAFE.sub(_code, text)


def shown_lines(text: str) -> str:
    """The same for text of several lines: line feeds and tabs stay."""
    return text if text.isprintable() else _UNSAFE_IN_LINES.sub(_code, text)


def shortened(text: str, most: int = 200) -> str:
    """A message, cut where a name or a value from a file makes it long."""
    return text if len(text) <= most else f"{text[:most]}…"


def around_difference(one: str, other: str) -> tuple[str, str]:
    """Two texts, of long ones the part in which they first differ."""
    first = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    start = max(first - _BEFORE, 0)

    def part(text: str) -> str:
        end = "…" if len(text) > start + _MOST else ""
        return f"{'…' if start else ''}{text[start : start + _MOST]}{end}"

    return (one, other) if max(len(one), len(other)) <= _MOST else (part(one), part(other))


def as_cell(text: str) -> str:
    """A name or label for a file that people open in a spreadsheet, where `=1+2` would be a formula.

    An apostrophe is put before it, as people do who type such a text. Numbers stay numbers.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _code(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
