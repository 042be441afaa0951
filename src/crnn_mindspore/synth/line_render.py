"""The renderer of lines: (seed, index) -> a picture of a line of a large alphabet and what it says."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.effects.camera import Image
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.photographs import Photographs, load_photographs
from crnn_mindspore.synth.line_kinds import LineKind, load_line_kinds
from crnn_mindspore.synth.render import check_series, checked_strength, default_cache_file, generator_of
from crnn_mindspore.synth.render_facts import Facts, at_work, renderer_facts
from crnn_mindspore.synth.scene import draw_scene
from crnn_mindspore.synth.typefaces.fonts import FontLibrary, Typeface, scan_fonts
from crnn_mindspore.synth.words.line_texts import LineTexts
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.folding import wide_form

_PLAIN_LENGTH = 5
_TRIES = 20
_PROBES = 16


LineHabit = tuple[int, int]  # which kind of line, and how many characters


@dataclass(frozen=True)
class _Begun:
    dice: Dice
    kind: int
    text: str
    label: str
    face: Typeface


class LineRenderer:
    """Pictures of lines; each a pure function of (seed, split, index, difficulty), as those of words.

    Args:
        texts: What is written.
        fonts: The typefaces.
        kinds: What the lines look like.
        seed: Two seeds give two unrelated series of images.
        split: 'train', 'test' and 'all' are three series; no text is kept out of any.
        photos: Photographs to blend lines with, or None.
    """

    def __init__(
        self,
        texts: LineTexts,
        fonts: FontLibrary,
        kinds: list[LineKind],
        seed: int = 0,
        split: str = "train",
        photos: Photographs | None = None,
    ) -> None:
        check_series(seed, split)
        self.texts = texts
        self.fonts = fonts
        self.kinds = kinds
        self.charset = self.codec = texts.charset
        self.seed = seed
        self.split = split
        self.photos = photos
        shares = np.cumsum([kind.share for kind in kinds])
        self._shares = shares / shares[-1]

    def render(
        self, index: int, difficulty: float = 1.0, habit: LineHabit | None = None
    ) -> tuple[Image, str]:
        """One image and its label, within the alphabet; as `Renderer.render`.

        At difficulty 0 lines are short, and none is of characters at random.

        Raises:
            UserError: If the index is negative, or the difficulty lies outside 0..1.
        """
        begun = self._begun(index, difficulty, habit)
        rng, kind, face = begun.dice.rng, self.kinds[begun.kind], begun.face
        others = [self.texts.sample(rng, kind.habits)[0] for _ in range(2)] if begun.dice.strength else []
        shape = kind.shape(rng.random() < kind.dark_text)
        others = [other for other in others if face.covers(other)]
        return draw_scene(begun.text, face, others, begun.dice, self.photos, shape), begun.label

    def habit_of(self, index: int, difficulty: float) -> LineHabit:
        """Kind of line and characters of an image: what its width follows from."""
        begun = self._begun(index, difficulty, None)
        return begun.kind, len(begun.text)

    def _begun(self, index: int, difficulty: float, habit: LineHabit | None) -> "_Begun":
        """What is decided before anything is drawn."""
        rng = generator_of(self.seed, self.split, index)
        strength = checked_strength(rng, difficulty)
        number = int(np.searchsorted(self._shares, rng.random(), side="right"))
        number, exact = habit or (number, None)
        kind = self.kinds[number]
        dice = Dice(kind.effects, rng, strength)
        longest = None if rng.random() < strength else _PLAIN_LENGTH
        rare = rng.random() < strength
        for _ in range(_TRIES):
            text, label = self.texts.sample(rng, kind.habits, longest, rare, exact)
            face = self.fonts.pick(rng, text)
            if face is not None:
                return _Begun(dice, number, text, label, face)
        raise UserError(f"no typeface can draw {text!r}; give more with --render_fonts")

    def of_split(self, split: str) -> "LineRenderer":
        """The same renderer for another series."""
        return LineRenderer(self.texts, self.fonts, self.kinds, self.seed, split, self.photos)

    @property
    def facts(self) -> Facts:
        """What the images depend on beside seed and options."""
        kinds = {
            kind.name: [
                kind.share,
                kind.dark_text,
                kind.aspect,
                vars(kind.habits),
                at_work(kind.effects, self.photos),
            ]
            for kind in self.kinds
        }
        return renderer_facts(self.fonts, self.texts.words, kinds, self.photos)


def create_line_renderer(
    *,
    charset: Charset,
    text_file: str | Path | None = None,
    font_dir: str | Path | None = None,
    only_font_dir: bool = False,
    effects_file: str | Path | None = None,
    length: str = "",
    longest: int = 20,
    rare: float = 0.3,
    seed: int = 0,
    split: str = "train",
    max_time_steps: int = 69,
    cache_file: str | Path | None = None,
    photo_dir: str | Path | None = None,
) -> LineRenderer:
    """A renderer of lines with everything found and checked.

    Args:
        charset: The alphabet.
        text_file: The user's text; None for phrases of Chinese words.
        font_dir: Typefaces in addition to those of the machine.
        only_font_dir: Whether those alone are used.
        effects_file: yaml laid over the effects of every kind of line.
        length: Characters of a line, `10` or `1:20`; "" leaves it to the kinds.
        longest: Most characters at any rate.
        rare: Share of the lines of characters at random.
        seed: Series of images.
        split: 'train', 'test' or 'all'.
        max_time_steps: Time steps of the reader.
        cache_file: Where the examination of typefaces is kept; a file in the user's cache folder by default.
        photo_dir: Folder of photographs to blend lines with.

    Raises:
        UserError: If a file is missing or malformed, or no typeface or text is usable.
    """
    kinds = load_line_kinds(effects_file)
    photos = load_photographs(photo_dir) if photo_dir is not None else None
    # Typefaces draw what they like at private code points.
    drawn = {c for c in charset.characters if not c.isspace() and unicodedata.category(c) != "Co"}
    drawn |= {wide_form(c) for c in drawn} | {" "}
    if not charset.case_sensitive:
        drawn |= {c.upper() for c in drawn if len(c.upper()) == 1}
    characters = "".join(sorted(drawn))
    fonts = scan_fonts(
        characters,
        font_dir,
        cache_file or default_cache_file(characters),
        only_font_dir=only_font_dir,
        probe=_probe(charset),
    )
    texts = LineTexts(
        charset, fonts.drawable(characters), text_file, _span(length, longest), rare, max_time_steps
    )
    return LineRenderer(texts, fonts, kinds, seed, split, photos)


def _probe(charset: Charset) -> str:
    """A few letters of the alphabet beyond ASCII, which tell at once whether a face is of its script."""
    letters = [c for c in charset.characters if not c.isascii() and c.isalpha()]
    return "".join(letters[: 8 * _PROBES : 8] if len(letters) > 8 * _PROBES else letters[:_PROBES])


def _span(length: str, longest: int) -> tuple[int, int]:
    """Fewest and most characters; 0 at first leaves the number to the kinds up to the most."""
    if not length:
        return 0, longest
    first, _, last = length.partition(":")
    try:
        low, high = int(first), int(last or first)
    except ValueError:
        low = high = 0
    if not 1 <= low <= high:
        raise UserError(f"length of lines is {length!r}, must be a number or A:B, from 1")
    if high > longest:
        raise UserError(
            f"length of lines is {length!r}, but at most {longest} characters are allowed (max_text_length)"
        )
    return low, high
