"""Which characters were confused: an alignment of truth and reading by the fewest edits."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

_EXAMPLES_KEPT = 2

Pair = tuple[str, str]  # a character of the truth and what was read for it; "" for nothing


def aligned(truth: str, reading: str) -> list[Pair]:
    """Truth and reading character by character.

    Where several alignments need equally few edits, which of them is returned is the library's choice.

    Returns:
        Pairs of one character each; ("", b) where b was added, (a, "") where a was missed.
    """
    pairs: list[Pair] = []
    for operation in Levenshtein.opcodes(truth, reading):
        a = truth[operation.src_start : operation.src_end]
        b = reading[operation.dest_start : operation.dest_end]
        length = max(len(a), len(b))  # equal unless one of them is empty
        pairs += [(a[k : k + 1], b[k : k + 1]) for k in range(length)]
    return pairs


@dataclass
class Confusion:
    """One mistake.

    Attributes:
        true: Character of the truth, "" if one was added.
        read: What was read for it, "" if it was missed.
        count: How often.
        examples: A few words it happened in (truth, reading), those with the fewest other mistakes.
    """

    true: str
    read: str
    count: int = 0
    examples: list[Pair] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """'replaced', 'missed' or 'added'."""
        return "replaced" if self.true and self.read else "missed" if self.true else "added"


@dataclass(frozen=True)
class Confusions:
    """All mistakes of an evaluation.

    Attributes:
        mistakes: The most frequent first.
        occurrences: How often each character stands in the truths.
    """

    mistakes: list[Confusion]
    occurrences: Counter[str]

    def count(self, kind: str) -> int:
        """Mistakes of a kind."""
        return sum(mistake.count for mistake in self.mistakes if mistake.kind == kind)

    @property
    def error_rate(self) -> float:
        """Edits for each character of the truths: the character error rate, which may exceed 1."""
        return sum(mistake.count for mistake in self.mistakes) / max(1, self.occurrences.total())


def count_confusions(words: Iterable[Pair]) -> Confusions:
    """Counts the edits between truths and readings, both normalised by the protocol."""
    mistakes: dict[Pair, Confusion] = {}
    occurrences: Counter[str] = Counter()
    for truth, reading in words:
        occurrences.update(truth)
        if truth == reading:
            continue
        for pair in aligned(truth, reading):
            if pair[0] == pair[1]:
                continue
            mistake = mistakes.setdefault(pair, Confusion(*pair))
            mistake.count += 1
            if (truth, reading) not in mistake.examples:
                # Sorting keeps the order of equals: the earlier of two words stays.
                examples = sorted(
                    [*mistake.examples, (truth, reading)], key=lambda e: Levenshtein.distance(*e)
                )
                mistake.examples = examples[:_EXAMPLES_KEPT]
    ordered = sorted(mistakes.values(), key=lambda m: (-m.count, m.true, m.read))
    return Confusions(ordered, occurrences)
