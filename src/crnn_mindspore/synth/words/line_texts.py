"""What is written on rendered lines: windows of running text, phrases, numbers, and characters at random."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.words.line_tokens import dressed
from crnn_mindspore.text.charset import Charset, required_time_steps
from crnn_mindspore.text.folding import fold_width, wide_form
from crnn_mindspore.text_file import read_text

_logger = logging.getLogger(__name__)

EXACT_LENGTH = 10
_BREAKS = frozenset("。，、；：！？,;:!?.…\n")
_BUILT_IN_PHRASES = 60_000
_TRIES = 50
_MARKS = ("，", "，", "，", "。", "、", "；", "：", "！", "？")


@dataclass(frozen=True)
class TextHabits:
    """What the texts of one kind of line are like.

    Args:
        length: Characters: fewest, usual, most.
        ten: Chance of exactly ten instead.
        phrase: Chance that a text begins where a phrase begins, and ends where it ends if that is near.
        dressed: Chance of numbers, dates, prices, names of models, Latin words.
    """

    length: tuple[int, int, int]
    ten: float
    phrase: float
    dressed: float


class LineTexts:
    """Texts and their labels.

    A label is what is drawn, in the classes of the alphabet: of a character that the alphabet holds only in
    another width, it has that one. Spaces are drawn, and are in the label where the alphabet holds one.

    Args:
        charset: The alphabet.
        drawable: What typefaces can draw.
        text_file: Running text or phrases, any number of lines; None takes phrases made of Chinese words by
            their frequency.
        length: Fewest and most characters of a line, over the habits of its kind.
        rare: Share of the lines whose characters are drawn from the alphabet, each as likely as any other.
        max_time_steps: Time steps of the reader; lines that need more are cut.

    Raises:
        UserError: If the file is missing, or nothing in it can be written.
    """

    def __init__(
        self,
        charset: Charset,
        drawable: str,
        text_file: str | Path | None = None,
        length: tuple[int, int] = (0, 20),
        rare: float = 0.3,
        max_time_steps: int = 69,
    ) -> None:
        self.charset = charset
        self.length = length
        self.rare = rare
        self.max_time_steps = max_time_steps
        self._classes = _classes_by_character(charset)
        able = set(drawable)
        self._pool = [c for c in dict.fromkeys(charset.classes) if c in able and not c.isspace()]
        if not self._pool:
            raise UserError("no typeface can draw the alphabet; give some that can with --render_fonts")
        lines = _built_in_lines() if text_file is None else read_text(str(text_file)).split("\n")
        self._text, self._starts = self._cleaned(lines, able, str(text_file or "the built-in phrases"))

    def sample(
        self,
        rng: np.random.Generator,
        habits: TextHabits,
        max_length: int | None = None,
        rare: bool = True,
        exact: int | None = None,
    ) -> tuple[str, str]:
        """The next text and its label, which is not empty.

        Args:
            rng: Source of chance; the answer depends on nothing else.
            habits: Of the kind of line.
            max_length: Most characters.
            rare: Whether characters at random are among the texts.
            exact: So many characters, in place of what habits and `max_length` say; a wish that is dropped
                when chance finds none.
        """
        is_random = False
        for attempt in range(_TRIES):
            count = self._count(rng, habits)
            count = exact or (count if max_length is None else min(count, max_length))
            fewest = exact or min(self.length[0], count)
            if attempt == 0:  # once, so that the share does not depend on which texts are tried again
                is_random = rare and rng.random() < self.rare
            if is_random:
                text = "".join(self._pool[i] for i in rng.integers(0, len(self._pool), size=count))
            else:
                text = self._window(rng, count, habits, fewest)
                if rng.random() < habits.dressed:
                    text = dressed(text, rng)[:count]
                text = _in_one_width(text, rng)
            text = self._fitting(text.strip())
            label = self.label(text)
            if len(text) < fewest and attempt < _TRIES // 2:
                continue
            if any(c.isalnum() for c in label) or len(label) > 3:
                return text, label
        character = self._pool[int(rng.integers(len(self._pool)))]
        return character, character

    def label(self, text: str) -> str:
        """What a reader should answer; characters without a class are not in it."""
        return "".join([self._classes.get(c, "") for c in text])

    @property
    def words(self) -> Sequence[str]:
        """The text that lines are windows of, for comparing."""
        return [self._text]

    @property
    def characters(self) -> str:
        """The classes that random lines are made of."""
        return "".join(self._pool)

    def _count(self, rng: np.random.Generator, habits: TextHabits) -> int:
        low, usual, high = habits.length
        count = round(rng.triangular(low - 0.5, usual, high + 0.5))
        if rng.random() < habits.ten:
            count = EXACT_LENGTH
        low, high = max(self.length[0], 1), self.length[1]
        return count if low <= count <= high else int(rng.integers(low, high + 1))

    def _window(self, rng: np.random.Generator, count: int, habits: TextHabits, fewest: int) -> str:
        """So many characters of the text, or fewer where a phrase ends that has not too few."""
        if rng.random() >= habits.phrase:
            start = int(rng.integers(max(1, len(self._text) - count)))
            return self._text[start : start + count].replace("\n", "")
        place = int(rng.integers(len(self._starts)))
        start = int(self._starts[place])
        window = self._text[start : start + count]
        ends = [i for i, c in enumerate(window) if c in _BREAKS and i >= fewest]
        # the phrase alone, or as many phrases as fit
        end = (ends[0] if rng.random() < 0.7 else ends[-1]) if ends else len(window)
        return window[: max(end, 1)].replace("\n", "")

    def _fitting(self, text: str) -> str:
        while required_time_steps(self.label(text)) > self.max_time_steps:
            text = text[:-1]
        return text

    def _cleaned(self, lines: Sequence[str], able: set[str], origin: str) -> tuple[str, np.ndarray]:
        """The text without what has no class or cannot be drawn, and where phrases begin."""
        known = {c for c in able if c in self._classes or c == " "}
        dropped: Counter[str] = Counter()
        kept = []
        total = 0
        for given in lines:
            line = " ".join(given.split())
            total += len(line)
            if not known.issuperset(line):
                dropped.update(c for c in line if c not in known)
                line = "".join(c for c in line if c in known).strip()
            if line:
                kept.append(line)
        if not kept:
            raise UserError(
                f"{origin}: no line can be written with the alphabet and drawn with the typefaces"
            )
        if dropped:
            count = sum(dropped.values())
            most = "".join(c for c, _ in dropped.most_common(20))
            _logger.warning(
                "%s: %d of %d characters are left out, without a class or a typeface: %s",
                origin, count, total, most,
            )  # fmt: skip
        text = "\n".join(kept)
        starts = [0]
        starts += [i for i in range(1, len(text)) if text[i - 1] in _BREAKS and text[i] not in _BREAKS]
        return text, np.array(starts, dtype=np.int32)


def _classes_by_character(charset: Charset) -> dict[str, str]:
    """Character -> its class: itself, or the one that it is another width of."""
    own = [name for name in dict.fromkeys(charset.classes) if len(name) == 1]
    by_fold: dict[str, str] = {}
    for name in own:
        by_fold.setdefault(fold_width(name), name)
    classes = {}
    for folded, name in by_fold.items():
        for form in (folded, wide_form(folded)):
            classes[form] = name
    if not charset.case_sensitive:
        classes |= {c.upper(): name for c, name in classes.items() if len(c.upper()) == 1}
    classes |= {name: name for name in own}
    return classes


def _in_one_width(text: str, rng: np.random.Generator) -> str:
    """Letters and digits mostly half-width, and now and then the marks too, as typists have it."""
    u = rng.random()
    if u < 0.10:
        return text
    if u < 0.75:
        return "".join([fold_width(c) if fold_width(c).isalnum() else c for c in text])
    return fold_width(text)


@lru_cache(maxsize=1)
def _built_in_lines() -> list[str]:
    """Phrases of Chinese words, common ones more often; always the same."""
    import wordfreq

    frequencies = wordfreq.get_frequency_dict("zh", wordlist="large")
    words = [word for word in frequencies if not word.isascii()]
    weights = np.sqrt(np.array([frequencies[word] for word in words], dtype=np.float64))
    rng = np.random.default_rng(360)
    cumulative = np.cumsum(weights) / weights.sum()
    lengths = rng.integers(1, 6, size=_BUILT_IN_PHRASES)
    places = iter(np.searchsorted(cumulative, rng.random(int(lengths.sum())), side="right"))
    marks = iter(rng.integers(0, len(_MARKS), size=_BUILT_IN_PHRASES))
    phrases = []
    for length in lengths:
        phrase = "".join(words[min(int(next(places)), len(words) - 1)] for _ in range(length))
        phrases.append(phrase + _MARKS[int(next(marks))])
    return ["".join(phrases[i : i + 5]) for i in range(0, len(phrases), 5)]
