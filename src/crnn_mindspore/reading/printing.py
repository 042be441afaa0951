"""Readings for people and for programs: a table, lines with tabs, JSON, JSON lines."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

from crnn_mindspore.reading.recognition import Alternative, Recognition
from crnn_mindspore.shown import shown

_BREAKS = re.compile(r"[\t\n\r]")


def table(results: Iterable[Recognition], shows_rejected: bool = False) -> Iterator[str]:
    """Aligned columns under a headline; attributes, alternatives, characters on lines of their own below.

    A tab or line break in a path or a text becomes a space, another control character its code.
    """
    del shows_rejected
    rows = list(results)
    names = max([len("path"), *(len(_one_cell(r.name)) for r in rows)])
    read = (_one_cell(text) for r in rows for text in (r.text, *(a.text for a in r.alternatives)))
    texts = max([len("text"), *map(len, read)])
    yield f"{'path':<{names}}  {'text':<{texts}}  confidence"
    for r in rows:
        confidence = "unreadable" if r.error else f"{r.confidence:.4f}{_class(r)}" + "  rejected" * r.rejected
        yield f"{_one_cell(r.name):<{names}}  {_one_cell(r.text):<{texts}}  {confidence}"
        for found in r.attributes:
            yield f"{'':<{names}}  {found.name} {_one_cell(found.value)}  {found.confidence:.4f}"
        for other in r.alternatives:
            yield f"{'':<{names}}  {_one_cell(other.text):<{texts}}  {other.confidence:.4f}{_class(other)}"
        for c in r.characters:
            yield f"{'':<{names}}  {_one_cell(c.text)}  {c.confidence:.4f}  {c.start:.0f} to {c.end:.0f} px"


def _class(found: Recognition | Alternative) -> str:
    """Class and code points, of a model that reads one class an image."""
    if found.class_id is None:
        return ""
    points = " ".join(f"U+{ord(character):04X}" for character in found.text)
    return f"  class {found.class_id}  {points}"


def tab_separated(results: Iterable[Recognition], shows_rejected: bool = False) -> Iterator[str]:
    """Path, text, confidence, with `shows_rejected` 0 or 1, then text and confidence of each alternative.

    At the end each attribute as `name=value` and its confidence. A tab or line break in a path or a text
    becomes a space.
    """
    for r in results:
        rejected = [str(int(r.rejected))] if shows_rejected else []
        others = [
            cell for other in r.alternatives for cell in (_one_cell(other.text), f"{other.confidence:.6f}")
        ]
        for found in r.attributes:
            others += [_one_cell(f"{found.name}={found.value}"), f"{found.confidence:.6f}"]
        yield "\t".join([_one_cell(r.name), _one_cell(r.text), f"{r.confidence:.6f}", *rejected, *others])


def _one_cell(text: str) -> str:
    return shown(_BREAKS.sub(" ", text))


def json_list(results: Iterable[Recognition], shows_rejected: bool = False) -> Iterator[str]:
    """One list of objects with the fields of `Recognition`."""
    del shows_rejected
    yield _json([_record(r) for r in results], indent=1)


def json_lines(results: Iterable[Recognition], shows_rejected: bool = False) -> Iterator[str]:
    """One object a line, each as soon as it is there."""
    del shows_rejected
    for r in results:
        yield _json(_record(r))


def _record(recognition: Recognition) -> dict[str, Any]:
    record = asdict(recognition)
    del record["strip"]  # for pages, not for lines
    if not recognition.attributes:
        del record["attributes"]
    for found in (record, *record["alternatives"]):
        if found["class_id"] is None:
            del found["class_id"]
    if recognition.greedy is None:
        del record["greedy"]
    return record


def _json(value: Any, indent: int | None = None) -> str:
    """JSON whose strings are UTF-8 even for file names that are not: their odd bytes become \\udcXX."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


Printer = Callable[[Iterable[Recognition], bool], Iterator[str]]

PRINTERS: dict[str, Printer] = {"table": table, "tsv": tab_separated, "json": json_list, "jsonl": json_lines}
