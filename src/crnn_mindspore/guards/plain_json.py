"""JSON of unknown origin: whatever is wrong with it is a ValueError, and what is made of it can be shown."""

import json
from pathlib import Path
from typing import Any, NoReturn

MOST_DEPTH = 64  # lists and mappings in one another


def parse_json(text: str | bytes, is_finite: bool = True) -> Any:
    """The value of a JSON text.

    Args:
        text: The text.
        is_finite: Whether NaN and Infinity, which Python writes and JSON has not, are refused.

    Raises:
        ValueError: If it is no JSON, has NaN or Infinity, a whole number of more than 4,300 digits, or lists
            and mappings in one another more than 64 deep.
    """
    try:
        value = json.loads(text, parse_constant=_refuse if is_finite else None)
    except RecursionError:
        raise ValueError("lists within lists without end") from None
    _check_depth(value)
    return value


def load_json(path: str | Path, is_finite: bool = True) -> Any:
    """The value of a JSON file; see `parse_json`.

    Raises:
        OSError: If it cannot be read.
        ValueError: As `parse_json` does.
    """
    return parse_json(Path(path).read_text(encoding="utf-8"), is_finite)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MOST_DEPTH):
        inner = (
            part.values() if isinstance(part, dict) else part
            for part in level
            if isinstance(part, dict | list)
        )
        level = [part for parts in inner for part in parts if isinstance(part, dict | list)]
        if not level:
            return
    raise ValueError(f"lists and mappings in one another more than {MOST_DEPTH} deep")
