"""The alphabet: text <-> class ids, the blank, and how long a text must be given to be read."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError

DEFAULT_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Charset:
    """An ordered alphabet whose class ids are positions in it; the CTC blank is the id after the last one.

    Args:
        characters: The alphabet, each character once.
        case_sensitive: False folds texts to lower case before encoding; the alphabet itself must then hold
            no upper-case letters. Defaults to whether the alphabet holds upper-case letters.

    Raises:
        UserError: If the alphabet is empty, repeats a character, or contradicts `case_sensitive`.
    """

    def __init__(self, characters: str = DEFAULT_CHARACTERS, case_sensitive: bool | None = None) -> None:
        if not characters:
            raise UserError("the charset (label_dict) is empty")
        repeated = "".join(c for c, count in Counter(characters).items() if count > 1)
        if repeated:
            raise UserError(f"the charset (label_dict) repeats {repeated!r}")
        upper = [c for c in characters if c != c.lower()]
        if case_sensitive is None:
            case_sensitive = bool(upper)
        if upper and not case_sensitive:
            raise UserError(f"a case-insensitive charset cannot hold upper-case {''.join(upper)!r}")
        self.characters = characters
        self.case_sensitive = case_sensitive
        self._ids = {character: i for i, character in enumerate(characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Charset)
            and self.characters == other.characters
            and self.case_sensitive == other.case_sensitive
        )

    def __hash__(self) -> int:
        return hash((self.characters, self.case_sensitive))

    def __repr__(self) -> str:
        return f"Charset({self.characters!r}, case_sensitive={self.case_sensitive})"

    @property
    def blank(self) -> int:
        """Class id of the CTC blank: the last class."""
        return len(self.characters)

    @property
    def num_classes(self) -> int:
        """Characters plus the blank."""
        return len(self.characters) + 1

    def normalize(self, text: str) -> str:
        """Composed Unicode (NFC), lower case unless the charset tells cases apart."""
        text = unicodedata.normalize("NFC", text)
        return text if self.case_sensitive else text.lower()

    def unknown_characters(self, text: str) -> str:
        """The characters of the normalised text that the charset lacks, each once, in order of appearance."""
        return "".join(dict.fromkeys(c for c in self.normalize(text) if c not in self._ids))

    def covers(self, text: str) -> bool:
        """Whether every character of the normalised text has a class."""
        return all(c in self._ids for c in self.normalize(text))

    def restrict(self, text: str) -> str:
        """The normalised text without the characters the charset lacks."""
        return "".join(c for c in self.normalize(text) if c in self._ids)

    def encode(self, text: str) -> npt.NDArray[np.int32]:
        """Class ids of the normalised text, (L,) int32; of the text as it is where only that can be written.

        Raises:
            UserError: If a character is not in the charset; the message lists them.
        """
        # Of an alphabet with a letter and an accent, a network may write both where NFC has one character.
        for spelling in (self.normalize(text), text):
            if all(c in self._ids for c in spelling):
                return np.array([self._ids[c] for c in spelling], dtype=np.int32)
        unknown = self.unknown_characters(text)
        raise UserError(f"{text!r} holds {unknown!r}, outside the charset {self.characters!r}")

    def decode(self, ids: Iterable[int]) -> str:
        """The text of class ids; blanks must already be removed."""
        return "".join(self.characters[int(i)] for i in ids)


def required_time_steps(text: str) -> int:
    """Fewest time steps in which CTC can emit the text: its length plus its adjacent equal characters.

    Source: Graves et al. 2006, section 3.1: a blank must part two equal neighbours.
    """
    return len(text) + sum(a == b for a, b in pairwise(text))
