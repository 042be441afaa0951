"""Word accuracy and edit distance, with intervals, under a named protocol."""

import operator
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from rapidfuzz.distance import Levenshtein

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.codec import Codec, Refusal
from crnn_mindspore.text.folding import fold_look_alikes, fold_width
from crnn_mindspore.text.interval import wilson_interval

_NOT_ALPHANUMERIC = re.compile("[^0-9a-z]")


def classic_text(text: str) -> str:
    """Lower case, only `[0-9a-z]` kept: how most published figures of the field compare words."""
    return _NOT_ALPHANUMERIC.sub("", text.lower())


@dataclass(frozen=True)
class Protocol:
    """How truth and prediction are made comparable; the name is printed beside every figure.

    Attributes:
        name: Of the protocol.
        normalize: A label or a reading -> what is compared of it.
        agrees: Whether a reading is right, both normalised.
        refusal: Why no reading of a label can be right, None if one can; asked where labels are more than
            texts.
    """

    name: str
    normalize: Callable[[str], str]
    agrees: Callable[[str, str], bool] = operator.eq
    refusal: Callable[[str], Refusal | None] = lambda label: None


def create_protocol(name: str, codec: Codec) -> Protocol:
    """The protocol of a name.

    `classic` compares lower-case letters and digits only. `charset` compares everything the charset can
    write, folded as the charset folds. `width` does too, and takes full- and half-width forms of a character
    for the same (`fold_width`); `alike` takes characters that look alike for the same besides
    (`fold_look_alikes`). `auto` is `classic` where the charset has only `[0-9a-z]`, else
    `charset`. Where a label is more than a text, only `charset` knows the text in it.

    Raises:
        UserError: For any other name, or `classic` where labels are more than texts.
    """
    if name == "auto":
        is_classic = codec.has_plain_labels and classic_text(codec.characters) == codec.characters
        name = "classic" if is_classic else "charset"
    if name == "classic" and not codec.has_plain_labels:
        raise UserError("protocol classic compares whole labels, which here are more than texts; use charset")
    protocols = {
        "classic": Protocol("classic", classic_text),
        "charset": Protocol("charset", codec.normalize, codec.agrees),
        "width": Protocol("width", lambda text: fold_width(codec.normalize(text))),
        "alike": Protocol("alike", lambda text: fold_look_alikes(codec.normalize(text))),
    }
    if name not in protocols:
        raise UserError(f"protocol is {name!r}, must be one of auto, {', '.join(protocols)}")
    if codec.has_plain_labels:
        return protocols[name]
    return replace(protocols[name], refusal=lambda label: codec.refusal(label, sys.maxsize, None))


@dataclass(frozen=True)
class Accuracy:
    """What `CRNNAccuracy.eval` returns; counts are words, rates are between 0 and 1.

    `character_accuracy` is 1 - CER: 1 - edits / characters of the truths, over all words together; 0 where
    more is read wrongly than is written.
    """

    correct: int
    total: int
    word_accuracy: float
    interval_low: float
    interval_high: float
    ned: float
    character_accuracy: float = 0.0
    character_low: float = 0.0
    character_high: float = 0.0

    def as_dict(self) -> dict[str, float]:
        """Field name -> value, for JSON."""
        return asdict(self)


class _Edits:
    """Edits and characters of words, and how they vary from word to word."""

    def __init__(self) -> None:
        self._edits = self._characters = 0
        self._edits_squared = self._product = self._characters_squared = 0

    def add(self, edits: int, characters: int) -> None:
        """Count a word."""
        self._edits += edits
        self._characters += characters
        self._edits_squared += edits * edits
        self._product += edits * characters
        self._characters_squared += characters * characters

    def accuracy(self) -> tuple[float, float, float]:
        """1 - CER with its 95 % interval.

        Mistakes come several in a word, so that characters tell less than their number: Wilson's interval is
        that of as many independent ones as have the variance of this ratio of sums over words.
        """
        count = self._characters
        if self._edits >= count:
            return (0.0, 0.0, wilson_interval(0, count)[1]) if count else (1.0, 0.0, 1.0)
        rate = self._edits / count
        squares = self._edits_squared - 2 * rate * self._product + rate * rate * self._characters_squared
        independent = rate * (1 - rate) * count * count / squares if squares > 0 else count
        independent = min(independent, count)
        return 1 - rate, *wilson_interval((1 - rate) * independent, independent)


class CRNNAccuracy:
    """Word accuracy, character accuracy, 1-NED and 95 % intervals over any number of updates.

    1-NED is the mean over words of 1 - distance / max(length of truth, length of prediction), the ICDAR 2019
    ReCTS form; two empty strings count as equal.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.clear()

    def clear(self) -> None:
        """Forget all words."""
        self._correct = 0
        self._total = 0
        self._similarity = 0.0
        self._edits = _Edits()

    def update(self, predictions: Sequence[str], truths: Sequence[str]) -> list[bool]:
        """Count words; returns which of them are right."""
        right = []
        for prediction, truth in zip(predictions, truths, strict=True):
            read, true = self.protocol.normalize(prediction), self.protocol.normalize(truth)
            right.append(self.protocol.agrees(read, true))
            edits = Levenshtein.distance(read, true)
            self._similarity += 1 - edits / max(len(read), len(true), 1)
            self._edits.add(edits, len(true))
        self._correct += sum(right)
        self._total += len(right)
        return right

    def eval(self) -> Accuracy:
        """The figures so far.

        Raises:
            UserError: If no word was counted.
        """
        if self._total == 0:
            raise UserError("no word to compute an accuracy from")
        low, high = wilson_interval(self._correct, self._total)
        rate = self._correct / self._total
        ned = self._similarity / self._total
        return Accuracy(self._correct, self._total, rate, low, high, ned, *self._edits.accuracy())
