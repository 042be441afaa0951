"""What the labels of a training set tell before the first step: what is left out, what cannot be learnt."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.checking.check_images import chosen_samples
from crnn_mindspore.data.checking.check_labels import LabelStatistics, check_labels
from crnn_mindspore.data.checking.findings import Findings, Hint
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.sources.filtered import FilteredSource
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.codec import OUTSIDE_CHARSET, TOO_LONG, TOO_LONG_FOR_STEPS

MOST_LABELS = 50_000  # a look at each takes about 20 microseconds
LARGE_SHARE = 0.05  # of the samples: a training that leaves out more should know
_CHARACTERS_SHOWN = 40
_FEW_SAMPLES = 20  # below this any label may make up most of the data
_TEXTS_AT_ONCE = 10_000


def dropped_label_hints(
    source: SampleSource,
    charset: Charset,
    preprocessing: Preprocessing,
    max_text_length: int,
    most_labels: int = MOST_LABELS,
) -> list[Hint]:
    """Why a large share of the samples will not be trained on, and which option would keep it.

    Args:
        source: The set before any filter.
        charset: The alphabet of the training.
        preprocessing: Its width gives the time steps.
        max_text_length: Longest word trained on, in characters.
        most_labels: A larger set is judged by so many of its samples, evenly spread.
    """
    looked_at, of_what = source, "of the labels"
    if len(source) > most_labels:
        looked_at = FilteredSource(source, np.array(chosen_samples(len(source), most_labels), dtype=np.int32))
        of_what = f"of the labels ({most_labels:,} of {len(source):,} looked at)"
    if not len(source):
        return []
    findings = Findings()
    labels = check_labels(looked_at, charset, preprocessing, max_text_length, findings)

    def large_share(reason: str) -> str:
        finding = findings.get(reason)
        share = finding.count / labels.samples if finding else 0.0
        return f"{share:.0%} {of_what}" if share >= LARGE_SHARE else ""

    hints = []
    if share := large_share(OUTSIDE_CHARSET):
        hints.append(_outside_charset(share, labels, charset))
    if share := large_share(TOO_LONG_FOR_STEPS):
        message = (
            f"{share} need more than the {preprocessing.time_steps} time steps of image_width "
            f"{preprocessing.width} and are not trained on."
        )
        hints.append(Hint("too_long_for_steps", message, _wider(labels)))
    if share := large_share(TOO_LONG):
        message = f"{share} are longer than max_text_length {max_text_length} and are not trained on."
        advice = f"--max_text_length={max(labels.lengths)} would admit all. {_wider(labels)}"
        hints.append(Hint("too_long", message, advice))
    return hints


def kept_label_hints(source: SampleSource, charset: Charset) -> list[Hint]:
    """What cannot be learnt from the labels that are left: too few of them differ, or a class has none.

    Each distinct label is looked at once, and most often the first few decide.

    Args:
        source: The samples that are trained on.
        charset: The alphabet of the training.
    """
    texts, ids = source.distinct_texts()
    counts = np.bincount(ids, minlength=len(texts))
    used = np.flatnonzero(counts)

    def all_labels(holds: Callable[[str], bool]) -> bool:
        return all(holds(charset.normalize(texts[int(k)])) for k in used)

    hints = []
    top = int(counts.argmax())
    if (len(used) == 1 and len(source) > 1) or (
        len(source) >= _FEW_SAMPLES and counts[top] > len(source) / 2
    ):
        hints.append(_one_label(texts[top], int(counts[top]), len(source)))
    if len(source) >= _FEW_SAMPLES and not charset.characters.isdecimal() and all_labels(str.isdecimal):
        message = "Every label is a number, though the charset holds more than digits."
        advice = (
            "If the images show words, the wrong column is read as the label (a line number, an index into "
            "a lexicon). If they show numbers, --label_dict=0123456789 is enough."
        )
        hints.append(Hint("digits_only", message, advice))
    if unused := _unused_characters(texts, used, charset):
        message = f"{len(unused)} of {len(charset)} characters of the charset are in no training label: "
        advice = (
            "They cannot be learnt. Add samples with them, or leave them out: --label_dict=auto takes the "
            "alphabet of the labels."
        )
        hints.append(Hint("unused_characters", f"{message}{_shown(unused)}.", advice))
    return hints


def _outside_charset(share: str, labels: LabelStatistics, charset: Charset) -> Hint:
    most_frequent = list(labels.outside.items())[:10]
    counts = ", ".join(f"{character!r} {count:,} times" for character, count in most_frequent)
    message = (
        f"{share} hold characters outside the charset of {len(charset)} and are not trained on. "
        f"The most frequent: {counts}."
    )
    advice = (
        f"--label_dict=auto takes the alphabet of the labels; or add to --label_dict: "
        f"{_shown(''.join(labels.outside))}."
    )
    if charset.case_sensitive:
        advice += (
            " This charset holds upper case letters, so case counts; with lower case letters alone, labels "
            "are read in lower case."
        )
    else:
        advice += " Upper case is read as lower case and is not missing."
    return Hint("outside_charset", message, advice)


def _wider(labels: LabelStatistics) -> str:
    all_, most = labels.width_for_all, labels.width_for_most
    advice = f"--image_width={all_} would hold all labels of the charset"
    return f"{advice}, --image_width={most} 99.9 % of them." if most < all_ else f"{advice}."


def _one_label(text: str, count: int, samples: int) -> Hint:
    how_many = "All" if count == samples else f"{count:,} of"
    message = f"{how_many} {samples:,} samples have the same label, {text!r}."
    advice = (
        "The network can learn to answer this word without looking at the image. Check which column, file "
        "or part of the file name the label is taken from."
    )
    return Hint("one_label", message, advice)


def _unused_characters(texts: Sequence[str], used: npt.NDArray[np.int64], charset: Charset) -> list[str]:
    """The classes of the charset that occur in none of the texts `used`, in the charset's order."""
    missing = set(charset.classes)
    for joined in _joined(texts, used):
        missing -= set(charset.split(joined))
        if not missing:
            break
    return [name for name in dict.fromkeys(charset.classes) if name in missing]


def _joined(texts: Sequence[str], used: npt.NDArray[np.int64]) -> Iterator[str]:
    for first in range(0, len(used), _TEXTS_AT_ONCE):
        yield "\n".join(texts[int(k)] for k in used[first : first + _TEXTS_AT_ONCE])


def _shown(characters: Sequence[str]) -> str:
    more = len(characters) - _CHARACTERS_SHOWN
    first = characters[:_CHARACTERS_SHOWN]
    between = "" if all(len(name) == 1 for name in first) else " "
    return f"{between.join(first)!r}" + (f" and {more:,} more" if more > 0 else "")
