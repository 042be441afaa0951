"""What can be wrong with labels: empty, outside the charset, too long, look-alikes, invisible characters."""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.checking.findings import ERROR, NOTE, WARNING, Findings
from crnn_mindspore.data.preprocess import time_steps_for_width
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.text.charset import Charset, required_time_steps
from crnn_mindspore.text.codec import EMPTY_LABEL, OUTSIDE_CHARSET, TOO_LONG, TOO_LONG_FOR_STEPS

INVISIBLE = "invisible or control characters"
SPACE_AROUND = "space before or after the label"
NOT_COMPOSED = "not composed Unicode (NFC); composed before training"
LOOK_ALIKE = "look-alike characters"
UPPER_CASE = "upper case, folded by this charset"

# Letters of other scripts that are drawn like Latin ones; compatibility forms (full width, ligatures,
# circled) are found by Unicode's own NFKC mapping.
# Source: the single-letter pairs of Unicode TR39's confusables for Cyrillic and Greek.
_CYRILLIC = dict(zip("АВЕЅІЈКМНОРСТУХасеіјорхуѕԁԛԝһ", "ABESIJKMHOPCTYXaceijopxysdqwh", strict=True))  # noqa: RUF001
_GREEK = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονι", "ABEZHIKMNOPTYXovi", strict=True))  # noqa: RUF001
CONFUSABLE = {**_CYRILLIC, **_GREEK}
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Co", "Cs", "Cn"}


@dataclass
class LabelStatistics:
    """What the labels of a set look like.

    Attributes:
        samples: Number of labels.
        distinct: Number of different labels.
        lengths: Length in characters -> number of labels.
        steps: Time steps a label needs -> number of labels.
        characters: Character, composed and folded as the charset does -> number of occurrences.
        outside: Characters the charset lacks -> number of occurrences.
        suggested_charset: The alphabet of the labels.
        width_for_all: Narrowest image width whose time steps fit every label inside the charset, pixels.
        width_for_most: The same for 99.9 % of them.
    """

    samples: int = 0
    distinct: int = 0
    lengths: dict[int, int] = field(default_factory=dict)
    steps: dict[int, int] = field(default_factory=dict)
    characters: dict[str, int] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)
    suggested_charset: str = ""
    width_for_all: int = 0
    width_for_most: int = 0


def check_labels(
    source: SampleSource, charset: Charset, width: int, max_text_length: int | None, findings: Findings
) -> LabelStatistics:
    """Looks at every distinct label once.

    Args:
        source: The set.
        charset: The alphabet training would use.
        width: Image width training would use, pixels.
        max_text_length: As in training; None for no limit.
        findings: What is found is added here.
    """
    texts, ids = source.distinct_texts()
    weights = np.bincount(ids, minlength=len(texts))
    used = np.flatnonzero(weights)
    first = _first_samples(ids, len(texts))
    statistics = LabelStatistics(samples=len(source), distinct=len(used))
    lengths, steps, characters, outside = Counter[int](), Counter[int](), Counter[str](), Counter[str]()
    readable_steps = Counter[int]()
    limit = time_steps_for_width(width)
    for k in used:
        text, count = texts[int(k)], int(weights[k])
        classes = charset.split(text)
        needed = required_time_steps(classes)
        lengths[len(classes)] += count
        steps[needed] += count
        for name in classes:
            characters[name] += count
        unknown = charset.unknown_characters(text)
        for character in unknown:
            outside[character] += count * classes.count(character)
        if any(name.strip() for name in classes) and not unknown:
            readable_steps[needed] += count
        where = source.name(int(first[k]))
        for title, severity, detail in _label_findings(text, charset, limit, max_text_length):
            findings.add(title, severity, f"{where} {text!r}{detail}", count)
    statistics.lengths = dict(sorted(lengths.items()))
    statistics.steps = dict(sorted(steps.items()))
    statistics.characters = dict(characters.most_common())
    statistics.outside = dict(outside.most_common())
    printable = {c for name in characters for c in name if c.isprintable()}
    order = sorted(printable, key=lambda c: (not c.isascii(), not c.isalpha(), not c.isdigit(), c))
    statistics.suggested_charset = "".join(order)
    statistics.width_for_all = _width_for(readable_steps, 1.0)
    statistics.width_for_most = _width_for(readable_steps, 0.999)
    return statistics


def _label_findings(
    text: str, charset: Charset, limit: int, max_text_length: int | None
) -> Iterator[tuple[str, str, str]]:
    """(title, severity, detail) of everything wrong with one label."""
    classes = charset.split(text)
    if not any(name.strip() for name in classes):
        yield EMPTY_LABEL, ERROR, ""
        return
    unknown = charset.unknown_characters(text)
    needed = required_time_steps(classes)
    if unknown:
        yield OUTSIDE_CHARSET, ERROR, f" holds {unknown!r}"
    elif max_text_length is not None and len(classes) > max_text_length:
        yield TOO_LONG, ERROR, f" has {len(classes)} characters of at most {max_text_length}"
    elif needed > limit:
        yield TOO_LONG_FOR_STEPS, ERROR, f" needs {needed} time steps of {limit}"
    if text != text.strip():
        yield SPACE_AROUND, WARNING, ""
    if any(unicodedata.category(c) in _INVISIBLE_CATEGORIES for c in text):
        yield INVISIBLE, WARNING, ""
    if unicodedata.normalize("NFC", text) != text:
        yield NOT_COMPOSED, NOTE, ""
    alike = {c: look_alike(c) for c in text if look_alike(c) is not None and c not in charset.characters}
    if alike:
        yield LOOK_ALIKE, WARNING, " " + ", ".join(f"U+{ord(c):04X} like {a!r}" for c, a in alike.items())
    if not charset.case_sensitive and text != text.lower():
        yield UPPER_CASE, NOTE, ""


def look_alike(character: str) -> str | None:
    """The plain Latin character one is drawn like, None for a plain one."""
    if character.isascii():
        return None
    plain = unicodedata.normalize("NFKC", character)
    if plain != character and plain.isascii() and plain.strip():
        return plain
    return CONFUSABLE.get(character)


def _first_samples(ids: npt.NDArray[np.int32], num_texts: int) -> npt.NDArray[np.int64]:
    """The first sample of each text, (num_texts,); 0 for a text no sample has."""
    first = np.zeros(num_texts, dtype=np.int64)
    first[ids[::-1]] = np.arange(len(ids) - 1, -1, -1)
    return first


def _width_for(steps: Counter[int], share: float) -> int:
    """Narrowest width, a multiple of 4, that gives a share of the labels the time steps they need."""
    wanted, seen = share * steps.total(), 0
    for needed, count in sorted(steps.items()):
        seen += count
        if seen >= wanted:
            return 4 * (needed + 1)
    return 0
