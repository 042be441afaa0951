"""What was found: in a data set, titles with a count and examples; about a training, hints with advice."""

from dataclasses import dataclass, field

ERROR = "error"  # the sample cannot be trained on
WARNING = "warning"  # it can, but probably should not
NOTE = "note"

_EXAMPLES_KEPT = 8
_SEVERITIES = {ERROR: 0, WARNING: 1, NOTE: 2}


@dataclass
class Finding:
    """One kind of fault.

    Attributes:
        title: What it is.
        severity: 'error', 'warning' or 'note'.
        count: Samples that have it.
        examples: The first few, as printed for the user.
    """

    title: str
    severity: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Findings:
    """The findings of a check, by title."""

    def __init__(self) -> None:
        self._findings: dict[str, Finding] = {}

    def add(self, title: str, severity: str, example: str, count: int = 1) -> None:
        """Counts `count` samples with a fault; the first few examples are kept."""
        finding = self._findings.setdefault(title, Finding(title, severity))
        finding.count += count
        if len(finding.examples) < _EXAMPLES_KEPT:
            finding.examples.append(example)

    def get(self, title: str) -> Finding | None:
        """The finding of that title, None if there is none."""
        return self._findings.get(title)

    def sorted(self) -> list[Finding]:
        """All findings, the worst first, then the most frequent."""
        return sorted(self._findings.values(), key=lambda f: (_SEVERITIES[f.severity], -f.count))


@dataclass(frozen=True)
class Hint:
    """Why a training may not learn, said once.

    Attributes:
        key: Short name for programs.
        message: What was seen, in plain words.
        advice: What to try.
    """

    key: str
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.message} {self.advice}"
