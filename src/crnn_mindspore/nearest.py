"""The nearest known name for an unknown one."""

import difflib
from collections.abc import Iterable


def unknown_message(kind: str, name: str, known: Iterable[str], nearness: float = 0.5) -> str:
    """`unknown KIND 'NAME', did you mean 'NEAREST'?`, the question only where something is near.

    Args:
        kind: What the name is of: "option", "key".
        name: The unknown name.
        known: What it could have been.
        nearness: Least similarity, 0 to 1; see `nearest`.
    """
    near = nearest(name, known, nearness)
    return f"unknown {kind} '{name}'" + (f", did you mean '{near}'?" if near else "")


def nearest(name: str, known: Iterable[str], nearness: float = 0.5) -> str:
    """The most similar known name, "" if none is as similar as `nearness` (0: any, 1: the same)."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=nearness)
    return found[0] if found else ""
