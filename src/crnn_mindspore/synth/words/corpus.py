"""What is written on the images: words as scene text has them, or the user's own.

A corpus answers one question: given a random generator, which text comes next? The label that belongs to a
text, and whether the text is for training or held out, are pure functions of the text.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.words.tokens import Tokens, cased, numeric
from crnn_mindspore.text.charset import Charset, required_time_steps
from crnn_mindspore.text.word_list import read_words

SPLITS = ("train", "test", "all")
TEST_PER_MILLE = 50
"""Share of all words that is held out for the split 'test', in thousandths."""

_MAX_WORDS = 120_000
_TRIES = 200
_DIGITS = "0123456789"


def label_of(text: str, charset: Charset) -> str:
    """What a reader should answer for the text, in the drawn case.

    Punctuation that the charset lacks may be drawn and is left out. A letter or digit that it lacks cannot be
    drawn: then there is no label, and the answer is empty.
    """
    composed = charset.compose(text)
    # Where one character is one class, the label keeps the case; else it is spelled as the alphabet has it.
    parts = composed if charset.splits_by_character else charset.split(composed)
    if any(part.isalnum() and not charset.covers(part) for part in parts):
        return ""
    kept = [part for part in parts if charset.covers(part)]
    label = "".join(kept)
    # Where a mark is left out, the spaces around it would be two, or stand at an end.
    return label if len(kept) == len(parts) else " ".join(filter(None, label.split(" ")))


def is_held_out(label: str) -> bool:
    """Whether the label belongs to the test words; depends on nothing but its case-folded letters."""
    digest = hashlib.blake2b(label.casefold().encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 1000 < TEST_PER_MILLE


class Labeller:
    """`label_of` for one charset, quick for ASCII.

    Args:
        charset: What labels may hold.
    """

    def __init__(self, charset: Charset) -> None:
        printable = [chr(code) for code in range(33, 127)]
        self._charset = charset
        self._known = frozenset(c for c in printable if charset.covers(c))
        self._drawable = frozenset(c for c in printable if c in self._known or not c.isalnum())

    def label(self, text: str) -> str:
        """What a reader should answer for the text, in the drawn case; may be empty."""
        if self._drawable.issuperset(text):
            return "".join([c for c in text if c in self._known])
        return label_of(text, self._charset)


def check_split(split: str) -> None:
    """Raises UserError if there is no such split."""
    if split not in SPLITS:
        raise UserError(f"unknown split {split!r}, one of {', '.join(SPLITS)}")


class Corpus:
    """Texts to draw, sampled with a generator.

    Args:
        charset: Decides which characters of a text count as its label.
        words_file: One word a line in UTF-8, optionally followed by a tab and a weight; then nothing
            else is drawn. None takes English words with the lengths, cases, digits and punctuation that
            scene text has.
        split: 'train', 'test' (words that never occur in 'train', case folded), or 'all'.
        max_time_steps: Time steps the reader will have; texts that need more are not made.

    Raises:
        UserError: If the file is missing, empty, malformed, or holds no word that can be used.
    """

    def __init__(
        self,
        charset: Charset,
        words_file: str | Path | None = None,
        split: str = "train",
        max_time_steps: int = 24,
    ) -> None:
        check_split(split)
        if max_time_steps < 1:
            raise UserError(f"max_time_steps is {max_time_steps}, must be at least 1")
        self.charset = charset
        self.split = split
        self.max_time_steps = max_time_steps
        self.words_file = None if words_file is None else str(words_file)
        self.label = Labeller(charset).label
        """Text -> what a reader should answer for it, in the drawn case; may be empty."""
        if words_file is None:
            self._words, self._cumulative = _english_usable(charset, split, max_time_steps)
        else:
            words, weights = read_words(Path(words_file))
            words = [charset.compose(word) for word in words]
            self._words, self._cumulative = _usable(
                words, weights, charset, split, max_time_steps, str(words_file)
            )
        self._tokens = (
            Tokens(self._words) if words_file is None and self._words and charset.covers("a1") else None
        )

    def sample(
        self, rng: np.random.Generator, max_length: int | None = None, form: str = ""
    ) -> tuple[str, str]:
        """The next text and its label.

        Args:
            rng: Source of chance; the answer depends on nothing else.
            max_length: Longest label wanted, characters; a wish that is dropped when no word is that short.
            form: `address` or `marked`, as `Tokens` has them; of English words only.

        Returns:
            The text to draw and its label: not empty, at most `max_time_steps` long for CTC, of this split.
        """
        for attempt in range(_TRIES):
            text = self._draw(rng, form)
            label = self.label(text)
            if not label or (max_length is not None and attempt < _TRIES // 2 and len(label) > max_length):
                continue
            if required_time_steps(self.charset.split(label)) <= self.max_time_steps and self._is_ours(label):
                return text, label
        return self._last_resort(rng)

    def _last_resort(self, rng: np.random.Generator) -> tuple[str, str]:
        """A plain word of the list, or a short number of this split, when chance found nothing."""
        if self._words:
            text = self._words[int(rng.integers(len(self._words)))]
            return text, self.label(text)
        length = min(6, max(1, self.max_time_steps // 2))
        numbers = (f"{n:0{length}d}" for n in rng.integers(0, 10**length, size=4 * _TRIES))
        fitting = (n for n in numbers if self._is_ours(n) and required_time_steps(n) <= self.max_time_steps)
        text = next(fitting, "")
        if not text:
            raise UserError(f"no number of the split {self.split!r} fits {self.max_time_steps} time steps")
        return text, text

    def neighbour(self, rng: np.random.Generator) -> str:
        """Any text for the margins, where labels do not matter."""
        return self._draw(rng)

    @property
    def words(self) -> Sequence[str]:
        """The plain words, the most likely first."""
        return self._words

    @property
    def characters(self) -> set[str]:
        """Every character of the words, as written."""
        return set("".join(self._words))

    def __len__(self) -> int:
        return len(self._words)

    def _draw(self, rng: np.random.Generator, form: str = "") -> str:
        if not self._words:
            return numeric(rng)
        word = self._words[int(np.searchsorted(self._cumulative, rng.random(), side="right"))]
        if self._tokens is not None:
            tokens = self._tokens
            dress = {"address": tokens.address, "marked": tokens.marked}.get(form, tokens.dress)
            return dress(word, rng)
        return cased(word, rng) if word.islower() else word

    def _is_ours(self, label: str) -> bool:
        if self.split == "all":
            return True
        if self.words_file is not None:
            return True  # the list was divided beforehand
        return is_held_out(label) == (self.split == "test")


_Words = tuple[list[str], npt.NDArray[np.float64]]


def _usable(
    words: Sequence[str],
    weights: npt.NDArray[np.float64],
    charset: Charset,
    split: str,
    max_time_steps: int,
    words_file: str | None = None,
) -> _Words:
    """The words of the split that the charset can write in the time steps, and their cumulative shares."""
    label_for = Labeller(charset).label
    kept: list[str] = []
    kept_weights: list[float] = []
    keys: list[str] = []
    for written, weight in zip(words, weights, strict=True):
        word = written if label_for(written) else written.upper()
        label = label_for(word)
        if label and required_time_steps(charset.split(label)) <= max_time_steps:
            kept.append(word)
            kept_weights.append(float(weight))
            keys.append(label.casefold())
    where = words_file or "the English word list"
    if not kept and words_file is None and charset.covers(_DIGITS):
        return [], np.zeros(0)  # numbers will stand in
    if not kept:
        hint = "" if words_file else "; give words that can with --words"
        raise UserError(
            f"{where}: none of {len(words)} words can be written with the charset "
            f"{charset.description!r} in {max_time_steps} time steps{hint}"
        )
    chosen = _divide(keys, split, where)
    cumulative = np.cumsum(np.array([kept_weights[i] for i in chosen], dtype=np.float64))
    return [kept[i] for i in chosen], np.minimum(cumulative / cumulative[-1], 1.0 - 1e-15)


def _divide(keys: list[str], split: str, where: str) -> list[int]:
    """Places of the folded labels that belong to the split."""
    if split == "all":
        return list(range(len(keys)))
    different = set(keys)
    test = {key for key in different if is_held_out(key)}
    if not test or len(test) == len(different):  # a short list: one word must stand on the other side
        ranked = sorted(different, key=lambda key: hashlib.blake2b(key.encode()).digest())
        test = set(ranked[1:]) if test else set(ranked[:-1][:1])
    chosen = [i for i, key in enumerate(keys) if (key in test) == (split == "test")]
    if not chosen:
        raise UserError(f"{where}: {len(different)} different words are too few for the split {split!r}")
    return chosen


@lru_cache(maxsize=1)
def _english_words() -> tuple[list[str], npt.NDArray[np.float64]]:
    """English words and weights: the square root of the frequency, and a flat part for the long tail."""
    import wordfreq

    frequencies = wordfreq.get_frequency_dict("en", wordlist="large")
    words: list[str] = []
    weights: list[float] = []
    for word, frequency in frequencies.items():
        if len(words) == _MAX_WORDS:
            break
        if word.isascii() and word.replace("'", "").isalpha() and (len(word) > 2 or frequency > 1e-5):
            words.append(word)
            weights.append(frequency)
    common = np.sqrt(np.array(weights, dtype=np.float64))
    flat = np.full(len(words), 1.0 / len(words))
    return words, 0.7 * common / common.sum() + 0.3 * flat


@lru_cache(maxsize=6)
def _english_usable(charset: Charset, split: str, max_time_steps: int) -> _Words:
    return _usable(*_english_words(), charset, split, max_time_steps)
