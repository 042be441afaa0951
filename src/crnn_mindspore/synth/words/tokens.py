"""Scene text around plain words: case, digits, prices, codes, web addresses, punctuation."""

from collections.abc import Callable, Sequence

import numpy as np

_UNITS = ("KM", "km", "M", "m", "MPH", "ML", "ml", "CM", "KG", "kg", "W", "V", "G", "L", "K", "X", "th", "TH")
_SIGNS = ("$", "£", "€", "+", "#", "-")
_AFTER = (".", ",", "!", "?", ":", "'s", "'S", "-", ";", ")", '"', "®", "..")
_BEFORE = ("(", '"', "'", "-", "&", "@", "#")
_ENDINGS = (".com", ".COM", ".org", ".net", ".co.uk", ".de", ".in")
_ADDRESS_ENDINGS = (*[".com"] * 4, ".org", ".net", ".co.uk", ".de", ".in", ".nl", ".cn", ".info", ".fr")
_MAILBOXES = ("info", "sales", "contact", "mail", "office", "support", "help", "")
_ORDINALS = ("st", "nd", "rd", "th", "TH", "th")
_MANY_AFTER = ("!!", "!!!", "!", "?", "??", "?!", "...", '"', "',", ".'", ":", "!)", "/", "&", "-")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CONSONANTS = "BCDFGHJKLMNPRSTVWXZ"


def cased(word: str, rng: np.random.Generator) -> str:
    """The word in capitals (half of the time), capitalised, lower case, or rarely mixed.

    Source: shares counted on the training words of IIIT5K (upper 0.47, first capital 0.24, lower 0.17) and
    SVT (0.73, 0.21, 0.04).
    """
    u = rng.random()
    if u < 0.50:
        return word.upper()
    if u < 0.76:
        return word[:1].upper() + word[1:]
    if u < 0.98 or len(word) < 4:
        return word
    split = int(rng.integers(2, len(word) - 1))
    return word[:split].capitalize() + word[split:].capitalize()


class Tokens:
    """Turns a sampled word into what a sign would show.

    Args:
        words: The words of the split, for names made of two.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words

    def dress(self, word: str, rng: np.random.Generator) -> str:
        """The word in some case, or now and then a number, code, brand or address in its place."""
        u = rng.random()
        if u < 0.135:
            return numeric(rng) if u < 0.115 else code(rng)
        if u < 0.155:
            return "".join(_LETTERS[i] for i in rng.integers(0, 26, size=int(rng.integers(1, 5))))
        if u < 0.21:
            return self._brand(word, rng) if u < 0.195 else self._joined(word, rng)
        if u < 0.218:
            return ("www." if rng.random() < 0.5 else "") + word + _pick(_ENDINGS, rng)
        return self._punctuated(cased(word, rng), rng)

    def _brand(self, word: str, rng: np.random.Generator) -> str:
        """A pronounceable name that no dictionary has: the head of one word and the tail of another."""
        other = self._words[int(rng.integers(len(self._words)))]
        head, tail = word[: 1 + len(word) // 2], other[len(other) // 2 :]
        return cased((head + tail)[:12], rng)

    def _joined(self, word: str, rng: np.random.Generator) -> str:
        other = self._words[int(rng.integers(len(self._words)))]
        if len(word) + len(other) > 14:
            return cased(word, rng)
        link = "-" if rng.random() < 0.3 else ""
        return cased(word, rng) + link + cased(other, rng) if link else word.capitalize() + other.capitalize()

    def address(self, word: str, rng: np.random.Generator) -> str:
        """A name on the web or of a mailbox."""
        name = word
        if rng.random() < 0.5:
            link = "" if rng.random() < 0.7 else _pick("-.234", rng)
            name += link + self._words[int(rng.integers(len(self._words)))]
        name = name.replace("'", "")
        ending = _pick(_ADDRESS_ENDINGS, rng)
        u = rng.random()
        if u < 0.2:
            text = f"{_pick(_MAILBOXES, rng)}@{name}{ending}"
        else:
            text = ("www." if u < 0.75 else "") + name + ending
        v = rng.random()
        return text.upper() if v < 0.2 else text.title() if v < 0.28 else text.lower()

    @staticmethod
    def marked(word: str, rng: np.random.Generator) -> str:
        """Letters, digits or a word with marks among them or beside them: A/C, 3-4, $0.00, SPACE!!"""
        place = int(np.searchsorted(_MARKED_SHARES, rng.random() * _MARKED_SHARES[-1], side="right"))
        return _MARKED[place][1](word, rng)

    @staticmethod
    def _punctuated(word: str, rng: np.random.Generator) -> str:
        u = rng.random()
        if u < 0.09:
            return word + _pick(_AFTER, rng)
        if u < 0.105:
            return _pick(_BEFORE, rng) + word
        if u < 0.115:
            return f"({word})" if rng.random() < 0.5 else f'"{word}"'
        return word


def numeric(rng: np.random.Generator) -> str:
    """House numbers, years, prices, telephone numbers, times, distances, percentages, thousands."""
    kind = _NUMERIC_KINDS[
        int(np.searchsorted(_NUMERIC_SHARES, rng.random() * _NUMERIC_SHARES[-1], side="right"))
    ]
    return kind(rng)


def code(rng: np.random.Generator) -> str:
    """Letters and digits mixed as in registration plates, room numbers and model names."""
    letters = "".join(_CONSONANTS[i] for i in rng.integers(0, len(_CONSONANTS), size=int(rng.integers(1, 4))))
    digits = _digits(rng, int(rng.integers(1, 5)))
    u = rng.random()
    if u < 0.5:
        return letters + digits
    if u < 0.8:
        return digits + letters
    return letters + digits + _CONSONANTS[int(rng.integers(len(_CONSONANTS)))]


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(str(d) for d in rng.integers(0, 10, size=count))


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _price(rng: np.random.Generator) -> str:
    return _pick(_SIGNS, rng) + str(int(rng.integers(1, 1000))) + ("" if rng.random() < 0.5 else ".99")


_NUMERIC: tuple[tuple[float, Callable[[np.random.Generator], str]], ...] = (
    (0.30, lambda rng: str(int(rng.integers(0, 100)))),
    (0.15, lambda rng: str(int(rng.integers(100, 1000)))),
    (0.12, lambda rng: str(int(rng.integers(1850, 2035)))),
    (0.13, lambda rng: _digits(rng, int(rng.integers(4, 9)))),
    (0.06, lambda rng: _digits(rng, 3) + "-" + _digits(rng, 4)),
    (0.08, _price),
    (0.04, lambda rng: f"{int(rng.integers(0, 24))}:{int(rng.integers(0, 60)):02d}"),
    (0.07, lambda rng: str(int(rng.integers(1, 400))) + _pick(_UNITS, rng)),
    (0.03, lambda rng: str(int(rng.integers(1, 101))) + "%"),
    (0.02, lambda rng: f"{int(rng.integers(1, 1000))},{int(rng.integers(0, 1000)):03d}"),
)
_NUMERIC_KINDS = tuple(kind for _, kind in _NUMERIC)
_NUMERIC_SHARES = np.cumsum([share for share, _ in _NUMERIC])


def _capitals(rng: np.random.Generator, count: int) -> list[str]:
    return [_LETTERS[i] for i in rng.integers(0, 26, size=count)]


def _some_digits(rng: np.random.Generator, most: int) -> str:
    return _digits(rng, int(rng.integers(1, most + 1)))


_MARKED: tuple[tuple[float, Callable[[str, np.random.Generator], str]], ...] = (
    (0.34, lambda word, rng: cased(word, rng) + _pick(_MANY_AFTER, rng)),
    (0.22, lambda word, rng: _some_digits(rng, 3) + _pick("//--.,:+", rng) + _some_digits(rng, 2)),
    (0.16, lambda word, rng: _pick("/&&&-.+", rng).join(_capitals(rng, 2))),
    (0.08, lambda word, rng: _pick("$£€", rng) + _some_digits(rng, 3) + "." + _digits(rng, 2)),
    (0.06, lambda word, rng: ".".join(_capitals(rng, 3)) + "."),
    (0.06, lambda word, rng: str(int(rng.integers(1, 40))) + _pick(_ORDINALS, rng)),
    (0.02, lambda word, rng: str(int(rng.integers(1, 100))) + ",000" + _pick(_ORDINALS, rng)),
    (0.06, lambda word, rng: f"{int(rng.integers(1, 10))}-{_digits(rng, 3)}-{word.upper()}"),
)
_MARKED_SHARES = np.cumsum([share for share, _ in _MARKED])
