"""The alphabet: text <-> class ids, the blank, and how long a text must be given to be read."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.codec import (
    EMPTY_LABEL,
    OUTSIDE_CHARSET,
    TOO_LONG,
    TOO_LONG_FOR_STEPS,
    Refusal,
)

DEFAULT_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"

_DOTTED_CAPITAL_I = "\u0130"  # the one letter whose lower case is longer: i and a mark that no keyboard types


def lower_case(text: str) -> str:
    """The text in lower case, as many characters as it has: U+0130, the Turkish capital of i, becomes i."""
    return text.replace(_DOTTED_CAPITAL_I, "i").lower()


class Charset:
    """An ordered alphabet whose class ids are positions in it; the CTC blank is the id after the last one.

    A class is one character or several, such as a syllable with its vowel sign. A text is split into classes
    from the left, by the longest that fits. Classes stay as they are given; texts are composed (NFC) only to
    what the alphabet holds, so that two spellings of one text have the same ids. Of a class that comes twice
    the first id is used; an empty class keeps its id and is in no text.

    Args:
        classes: The alphabet, a string of characters or a sequence of classes.
        case_sensitive: False folds texts to lower case before encoding; the alphabet itself must then hold
            no upper-case letters. Defaults to whether the alphabet holds upper-case letters.

    Raises:
        UserError: If the alphabet is empty, or contradicts `case_sensitive`.
    """

    has_plain_labels = True

    def __init__(
        self, classes: str | Sequence[str] = DEFAULT_CHARACTERS, case_sensitive: bool | None = None
    ) -> None:
        self.classes = tuple(classes)
        if not any(self.classes):
            raise UserError("the charset (label_dict) is empty")
        if any("\ud800" <= c <= "\udfff" for name in self.classes for c in name):
            raise UserError(f"the charset (label_dict) {''.join(self.classes)!r} is not UTF-8")
        upper = [c for c in self.classes if c != c.lower()]
        if case_sensitive is None:
            case_sensitive = bool(upper)
        if upper and not case_sensitive:
            raise UserError(f"a case-insensitive charset cannot hold upper-case {''.join(upper)!r}")
        self.case_sensitive = case_sensitive
        self._ids: dict[str, int] = {}
        for i, name in enumerate(self.classes):
            if name:
                self._ids.setdefault(name, i)
        self._lengths = sorted({len(name) for name in self._ids}, reverse=True)
        lower_dotted = _DOTTED_CAPITAL_I.lower()
        self._writes_dot = lower_dotted in self._ids or all(c in self._ids for c in lower_dotted)
        self._kept, self._respelled = self._spellings()

    def __len__(self) -> int:
        return len(self.classes)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Charset)
            and self.classes == other.classes
            and self.case_sensitive == other.case_sensitive
        )

    def __hash__(self) -> int:
        return hash((self.classes, self.case_sensitive))

    def __repr__(self) -> str:
        return f"Charset({self.description!r}, case_sensitive={self.case_sensitive})"

    @property
    def characters(self) -> str:
        """All classes one after the other."""
        return "".join(self.classes)

    @property
    def description(self) -> str | list[str]:
        """The alphabet as people see it: a string where every class is a different character, else a list."""
        return self.characters if self.is_plain else list(self.classes)

    @property
    def is_plain(self) -> bool:
        """Whether every class is one character, and none comes twice."""
        return self._lengths == [1] and len(self._ids) == len(self.classes)

    @property
    def splits_by_character(self) -> bool:
        """Whether the characters of a composed text can be looked at one by one."""
        spellings = self._respelled[1] if self._respelled else {}
        return self._lengths == [1] and all(len(composed) == 1 for composed in spellings)

    @property
    def repeated(self) -> dict[str, list[int]]:
        """The classes that come more than once, with all their ids."""
        counts = Counter(name for name in self.classes if name)
        twice: dict[str, list[int]] = {name: [] for name, count in counts.items() if count > 1}
        for i, name in enumerate(self.classes):
            if name in twice:
                twice[name].append(i)
        return twice

    @property
    def blank(self) -> int:
        """Class id of the CTC blank: the last class."""
        return len(self.classes)

    @property
    def num_classes(self) -> int:
        """Classes of the alphabet plus the blank."""
        return len(self.classes) + 1

    def normalize(self, text: str) -> str:
        """The text as the alphabet spells it: composed, in lower case unless cases are told apart."""
        return "".join(self.split(text))

    def compose(self, text: str) -> str:
        """The text composed (NFC), as far as the alphabet holds no character that this would change."""
        if text.isascii():
            return text
        parts = self._kept.split(text) if self._kept else [text]  # every second part is kept
        parts[::2] = [unicodedata.normalize("NFC", part) for part in parts[::2]]
        return "".join(parts)

    def split(self, text: str) -> Sequence[str]:
        """The classes of a text, in order; a character that belongs to none stands for itself."""
        text = self._folded(text)
        if self._lengths == [1] and all(c in self._ids for c in text):
            return text
        parts: list[str] = []
        i = 0
        while i < len(text):
            found = next((text[i : i + n] for n in self._lengths if text[i : i + n] in self._ids), "")
            parts.extend([found] if found else self._taken_apart(text[i]) or text[i])
            i += len(found) or 1
        return parts

    def unknown_characters(self, text: str) -> str:
        """The characters of the text that the charset lacks, each once, in order of appearance."""
        return "".join(dict.fromkeys(part for part in self.split(text) if part not in self._ids))

    def covers(self, text: str) -> bool:
        """Whether every character of the text belongs to a class."""
        return all(part in self._ids for part in self.split(text))

    def restrict(self, text: str) -> str:
        """The normalised text without the characters the charset lacks."""
        return "".join(part for part in self.split(text) if part in self._ids)

    def encode(self, text: str) -> npt.NDArray[np.int32]:
        """Class ids of the text, (L,) int32.

        Raises:
            UserError: If a character is not in the charset; the message lists them.
        """
        ids = self.ids_of(self.split(text))
        if ids is None:
            unknown = self.unknown_characters(text)
            raise UserError(f"{text!r} holds {unknown!r}, outside the charset {self.description!r}")
        return np.array(ids, dtype=np.int32)

    def ids_of(self, classes: Iterable[str]) -> tuple[int, ...] | None:
        """The ids of classes as `split` gives them; None if one of them is none of the alphabet."""
        try:
            return tuple([self._ids[name] for name in classes])
        except KeyError:
            return None

    def refusal(self, text: str, time_steps: int, longest: int | None = None) -> Refusal | None:
        """Why a text cannot be learnt by CTC, None if it can.

        Args:
            text: The transcription.
            time_steps: That the network gives.
            longest: Most classes that are wanted; None: any number that fits the steps.
        """
        classes = self.split(text)
        if not any(name.strip() for name in classes):
            return Refusal(EMPTY_LABEL)
        if not self.covers(text):
            return Refusal(OUTSIDE_CHARSET, f"holds {self.unknown_characters(text)!r}")
        if longest is not None and len(classes) > longest:
            return Refusal(TOO_LONG, f"has {len(classes)} characters, more than {longest}")
        needed = required_time_steps(classes)
        if needed > time_steps:
            return Refusal(TOO_LONG_FOR_STEPS, f"needs {needed} time steps of {time_steps}")
        return None

    def encode_known(self, text: str) -> npt.NDArray[np.int32]:
        """Class ids of the text without the characters the charset lacks, (L,) int32."""
        return self.encode(self.restrict(text))

    def agrees(self, reading: str, truth: str) -> bool:
        """Whether two normalised texts are the same."""
        return reading == truth

    def decode(self, ids: Iterable[int]) -> str:
        """The text of class ids; blanks must already be removed."""
        return "".join(self.classes[int(i)] for i in ids)

    def _folded(self, text: str) -> str:
        """The text composed to what the alphabet holds, in lower case unless cases are told apart."""
        text = self.compose(text)
        if not self.case_sensitive:
            text = text.lower() if self._writes_dot else lower_case(text)
            text = self.compose(text)  # lower case may have a composed form where upper case has none
        if self._respelled is None:
            return text
        pattern, spellings = self._respelled
        return pattern.sub(lambda match: spellings[match[0]], text)

    def _spellings(self) -> tuple[re.Pattern[str] | None, tuple[re.Pattern[str], dict[str, str]] | None]:
        """Characters that composing would change though the alphabet holds them, and composed text -> class.

        The latter for classes that no composed text holds, such as U+0958.
        """
        changed = {name: unicodedata.normalize("NFC", name) for name in self._ids}
        changed = {name: composed for name, composed in changed.items() if composed != name}
        kept = "".join(re.escape(name) for name in changed if len(name) == 1)
        spellings: dict[str, str] = {}
        for name, composed in changed.items():
            if composed not in self._ids:
                spellings.setdefault(composed, name)
        longest_first = "|".join(re.escape(text) for text in sorted(spellings, key=len, reverse=True))
        return (
            re.compile(f"([{kept}])") if kept else None,
            (re.compile(longest_first), spellings) if spellings else None,
        )

    def _taken_apart(self, character: str) -> list[str] | None:
        """A character as the classes that it is composed of; None where there are none."""
        if character in self._ids:
            return [character]
        mapping = unicodedata.decomposition(character)
        if mapping.startswith("<"):  # not the same character, only one like it
            return None
        letters = [chr(int(code, 16)) for code in mapping.split()]
        if not letters:  # Hangul syllables have no mapping of their own
            letters = list(unicodedata.normalize("NFD", character))
            return letters if len(letters) > 1 and all(letter in self._ids for letter in letters) else None
        parts = [self._taken_apart(letter) for letter in letters]
        return None if None in parts else [name for part in parts if part for name in part]


def required_time_steps(classes: Sequence[Any]) -> int:
    """Fewest time steps in which CTC can emit some classes: their number plus that of adjacent equal ones.

    Args:
        classes: Class ids, or classes as `Charset.split` gives them.

    Source: Graves et al. 2006, section 3.1: a blank must part two equal neighbours.
    """
    return len(classes) + sum(a == b for a, b in pairwise(classes))
