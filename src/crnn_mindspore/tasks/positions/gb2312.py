"""The Han characters of GB2312, computed from Python's codec."""

from functools import cache

_FIRST_ROW, _LAST_ROW = 0xB0, 0xD7
_FIRST_CELL, _END_CELL = 0xA1, 0xFF
_UNUSED = 5  # last cells of the last row


@cache
def level_one() -> str:
    """The 3,755 characters of level 1, the most common ones, in the order of the standard, by their sound.

    Source: GB/T 2312-1980, rows 16 to 55 (bytes B0A1 to D7F9).
    """
    codes = [
        bytes((row, cell))
        for row in range(_FIRST_ROW, _LAST_ROW + 1)
        for cell in range(_FIRST_CELL, _END_CELL)
    ]
    return b"".join(codes[:-_UNUSED]).decode("gb2312")
