"""Texts as HTML: what cannot be seen made visible, differing characters marked."""

from collections.abc import Sequence
from html import escape

from crnn_mindspore.report.edits import Pair

_CONTEXT = 8  # characters on each side of a mistake


def visible(text: str) -> str:
    """The text, escaped, with characters that cannot be seen replaced by signs or code points."""
    return "".join(
        "\N{OPEN BOX}" if c == " " else escape(c) if c.isprintable() else f"U+{ord(c):04X}" for c in text
    )


def marked(pairs: Sequence[Pair], side: int) -> str:
    """One side of an alignment as HTML: differing characters in <mark>, a gap where it has none."""
    parts = []
    for pair in pairs:
        text = visible(pair[side])
        if pair[0] == pair[1]:
            parts.append(text)
        else:
            parts.append(f"<mark>{text}</mark>" if text else '<mark class="gap">\N{MIDDLE DOT}</mark>')
    return "".join(parts)


def excerpts(pairs: Sequence[Pair], mistake: Pair) -> tuple[str, str]:
    """Both sides of an alignment, marked, around the first place of a mistake; "…" for what is cut."""
    place = pairs.index(mistake)
    first, end = max(0, place - _CONTEXT), min(len(pairs), place + _CONTEXT + 1)
    before, after = "…" if first > 0 else "", "…" if end < len(pairs) else ""
    shown = pairs[first:end]
    return f"{before}{marked(shown, 0)}{after}", f"{before}{marked(shown, 1)}{after}"
