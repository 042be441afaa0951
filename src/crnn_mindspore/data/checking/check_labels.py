"""What can be wrong with labels: what their codec refuses, look-alikes, invisible characters."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.checking.findings import ERROR, NOTE, WARNING, Findings
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.text.charset import Charset, required_time_steps
from crnn_mindspore.text.codec import EMPTY_LABEL, Codec

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
        refused: Why labels cannot be learnt -> number of labels.
        lengths: Length of the text in characters -> number of labels.
        characters: Character, as the codec spells it -> number of occurrences.
        steps: Time steps a label needs -> number of labels; like the rest, only of an alphabet.
        outside: Characters the charset lacks -> number of occurrences.
        suggested_charset: The alphabet of the labels.
        width_for_all: Narrowest image width whose time steps fit every label inside the charset, pixels.
        width_for_most: The same for 99.9 % of them.
    """

    samples: int = 0
    distinct: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)
    characters: dict[str, int] = field(default_factory=dict)
    steps: dict[int, int] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)
    suggested_charset: str = ""
    width_for_all: int = 0
    width_for_most: int = 0


def check_labels(
    source: SampleSource,
    codec: Codec,
    preprocessing: Preprocessing,
    max_text_length: int | None,
    findings: Findings,
) -> LabelStatistics:
    """Looks at every distinct label once.

    Args:
        source: The set.
        codec: The classes training would use.
        preprocessing: That of training; gives the time steps.
        max_text_length: As in training; None for no limit.
        findings: What is found is added here.
    """
    texts, ids = source.distinct_texts()
    weights = np.bincount(ids, minlength=len(texts))
    used = np.flatnonzero(weights)
    first = _first_samples(ids, len(texts))
    statistics = LabelStatistics(samples=len(source), distinct=len(used))
    lengths, characters, refused = Counter[int](), Counter[str](), Counter[str]()
    limit = preprocessing.time_steps
    for k in used:
        text, count = texts[int(k)], int(weights[k])
        classes = codec.split(text) if isinstance(codec, Charset) else codec.normalize(text)
        lengths[len(classes)] += count
        for name in classes:
            characters[name] += count
        where = source.name(int(first[k]))
        refusal = codec.refusal(text, limit, max_text_length)
        if refusal is not None:
            refused[refusal.reason] += count
            findings.add(refusal.reason, ERROR, f"{where} {text!r} {refusal.detail}".rstrip(), count)
            if refusal.reason == EMPTY_LABEL:
                continue
        for title, severity, detail in _oddities(text, codec):
            findings.add(title, severity, f"{where} {text!r}{detail}", count)
    statistics.refused = dict(refused.most_common())
    statistics.lengths = dict(sorted(lengths.items()))
    statistics.characters = dict(characters.most_common())
    if isinstance(codec, Charset):
        labels = [(texts[int(k)], int(weights[k])) for k in used]
        _add_charset_statistics(statistics, codec, labels, preprocessing.step_offset)
    return statistics


def _add_charset_statistics(
    statistics: LabelStatistics, charset: Charset, labels: Sequence[tuple[str, int]], step_offset: int
) -> None:
    """Adds what an alphabet and a width would have to be for these labels, each with its number."""
    steps, outside, readable_steps = Counter[int](), Counter[str](), Counter[int]()
    for text, count in labels:
        classes = charset.split(text)
        needed = required_time_steps(classes)
        steps[needed] += count
        unknown = charset.unknown_characters(text)
        for character in unknown:
            outside[character] += count * classes.count(character)
        if any(name.strip() for name in classes) and not unknown:
            readable_steps[needed] += count
    statistics.steps = dict(sorted(steps.items()))
    statistics.outside = dict(outside.most_common())
    printable = {c for name in statistics.characters for c in name if c.isprintable()}
    order = sorted(printable, key=lambda c: (not c.isascii(), not c.isalpha(), not c.isdigit(), c))
    statistics.suggested_charset = "".join(order)
    statistics.width_for_all = _width_for(readable_steps, 1.0, step_offset)
    statistics.width_for_most = _width_for(readable_steps, 0.999, step_offset)


def _oddities(text: str, codec: Codec) -> Iterator[tuple[str, str, str]]:
    """(title, severity, detail) of what is strange about one label, whether it can be learnt or not."""
    if text != text.strip():
        yield SPACE_AROUND, WARNING, ""
    if any(unicodedata.category(c) in _INVISIBLE_CATEGORIES for c in text):
        yield INVISIBLE, WARNING, ""
    if unicodedata.normalize("NFC", text) != text:
        yield NOT_COMPOSED, NOTE, ""
    alike = {c: look_alike(c) for c in text if look_alike(c) is not None and c not in codec.characters}
    if alike:
        yield LOOK_ALIKE, WARNING, " " + ", ".join(f"U+{ord(c):04X} like {a!r}" for c, a in alike.items())
    if codec.has_plain_labels and not codec.case_sensitive and text != text.lower():
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


def _width_for(steps: Counter[int], share: float, step_offset: int) -> int:
    """Narrowest width, a multiple of 4, that gives a share of the labels the time steps they need."""
    wanted, seen = share * steps.total(), 0
    for needed, count in sorted(steps.items()):
        seen += count
        if seen >= wanted:
            return 4 * (needed - step_offset)
    return 0
