"""How probable a text is before the image is seen: words by frequency, other spellings, numbers, codes."""

import re
from collections.abc import Mapping
from functools import cached_property

import numpy as np

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ngram import NgramModel

# Shares of the texts: words, of which so many are listed; numbers and codes, of letters and digits.
WORDS, LISTED, CODES = 0.88, 0.95, 0.02
SYMBOLS = 10  # as likely as one of so many is each symbol of a number or a code
MARK = 0.05  # factor for each mark or other symbol beside letters and digits
_LEAST = 1e-300

_SPELLED_BY = 20_000  # the most frequent words, of which the spelling model is made
_ORDER = 4
_BESIDE = re.compile(r"[\W_]", re.UNICODE)


class WordPrior:
    """P(text), of texts without regard to case.

        a word                      0.88 x (0.95 x its frequency among the listed + 0.05 x P(its letters))
        n digits, also and letters  0.02 x 10^-n
        a mark                      x 0.05
        several words               the product

    P(its letters) is by a character 4-gram model of the most frequent words. Without the terms for numbers
    and codes, these would be read as words. A code of letters and digits has more than ten symbols to choose
    from; with 10 no fewer of 500 rendered codes are read than by the network alone, and with 30 fewer.

    Args:
        frequencies: Word -> how often it occurs, in any unit.

    Attributes:
        words: Word, folded -> its share among the listed.

    Raises:
        UserError: If there is no word.
    """

    def __init__(self, frequencies: Mapping[str, float]) -> None:
        folded: dict[str, float] = {}
        for word, frequency in frequencies.items():
            key = fold(word)
            if key and not any(c.isdigit() for c in key):
                folded[key] = folded.get(key, 0.0) + frequency
        if not folded:
            raise UserError("the words of the prior: there is none with letters")
        total = sum(folded.values())
        self.words = {word: frequency / total for word, frequency in folded.items()}

    def log_probability(self, text: str) -> float:
        """Natural logarithm of P(text)."""
        parts = text.split()
        return sum(self._of_part(part) for part in parts) if parts else float(np.log(_LEAST))

    def _of_part(self, part: str) -> float:
        core = fold(part)
        marks = float(np.log(MARK)) * (len(part) - len(core)) if len(core) < len(part) else 0.0
        if not core:
            return marks + float(np.log(CODES))
        if any(c.isdigit() for c in core):
            return marks + float(np.log(CODES)) - len(core) * float(np.log(SYMBOLS))
        listed, spelled = self.words.get(core, 0.0), self._spelling(core)
        return marks + float(np.log(max(WORDS * (LISTED * listed + (1 - LISTED) * spelled), _LEAST)))

    def _spelling(self, core: str) -> float:
        letters, model = self._letters
        if not letters.covers(core):
            return 0.0
        return float(np.exp(model.text_log_probability(letters.encode(core))))

    @cached_property
    def _letters(self) -> tuple[Charset, NgramModel]:
        frequent = sorted(self.words, key=lambda word: -self.words[word])[:_SPELLED_BY]
        letters = Charset(sorted(set("".join(frequent))), case_sensitive=True)
        return letters, NgramModel(frequent, letters, order=_ORDER)


def fold(text: str) -> str:
    """What two spellings of a word have in common: letters and digits, case folded."""
    return _BESIDE.sub("", text.casefold())
