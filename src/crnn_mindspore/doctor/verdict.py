"""What `crnn doctor` found of one thing, and how it is shown."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

OK, WARNING, FAULT = "ok", "warning", "fault"


@dataclass(frozen=True)
class Verdict:
    """One thing that was looked at.

    Attributes:
        name: What.
        state: ok, warning (works, but not as it should) or fault (something will not work).
        found: What was found.
        remedy: The command or the page that mends it; "" where nothing is to be mended.
    """

    name: str
    state: str
    found: str
    remedy: str = ""


def table(verdicts: Sequence[Verdict]) -> list[str]:
    """A line each; those to be mended end with the remedy."""
    width = max(len(verdict.name) for verdict in verdicts)
    lines = []
    for verdict in verdicts:
        remedy = f" -> {verdict.remedy}" if verdict.remedy else ""
        lines.append(f"{verdict.state:<7}  {verdict.name:<{width}}  {verdict.found}{remedy}")
    counts = {state: sum(v.state == state for v in verdicts) for state in (FAULT, WARNING)}
    lines.append(f"{counts[FAULT]} faults, {counts[WARNING]} warnings")
    return lines


def as_json(verdicts: Sequence[Verdict]) -> str:
    """All of them, for programs."""
    return json.dumps([asdict(verdict) for verdict in verdicts], ensure_ascii=False, indent=2)
