"""The renderer: (seed, index) -> a picture of a word and what it says."""

import zlib
from pathlib import Path

import numpy as np

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.effects.camera import Image
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.photographs import Photographs, load_photographs
from crnn_mindspore.synth.effects.settings import EffectSettings, load_effects
from crnn_mindspore.synth.render_facts import Facts, at_work, renderer_facts
from crnn_mindspore.synth.scene import draw_scene
from crnn_mindspore.synth.typefaces.fonts import FontLibrary, Typeface, scan_fonts
from crnn_mindspore.synth.words.corpus import Corpus, check_split
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.user_folders import cache_folder

PUNCTUATION = ".,!?:;'\"()-&@#$£€+%®/"
_SPLIT_IDS = {"train": 0, "test": 1, "all": 2}
_PLAIN_LENGTH = 5
_TRIES = 20
_LENGTH_TRIES = 100
_WIDE_SPACE = "\u3000"


class Renderer:
    """Pictures of words; each a pure function of (seed, split, index, difficulty).

    Any process gives the same bytes in any order. Instances can be sent to worker processes.

    Args:
        corpus: Where words come from.
        fonts: The typefaces.
        effects: Probabilities and strengths.
        charset: What labels may hold.
        seed: Two seeds give two unrelated series of images.
        split: Whose words: 'train', 'test' or 'all'; must be the corpus's.
        photos: Photographs to blend words with, or None.
    """

    def __init__(
        self,
        corpus: Corpus,
        fonts: FontLibrary,
        effects: EffectSettings,
        charset: Charset,
        seed: int = 0,
        split: str = "train",
        photos: Photographs | None = None,
    ) -> None:
        if split != corpus.split:
            raise UserError(f"the renderer's split is {split!r}, its corpus's {corpus.split!r}")
        check_series(seed, split)
        self.corpus = corpus
        self.fonts = fonts
        self.effects = effects
        self.charset = self.codec = charset
        self.seed = seed
        self.split = split
        self.photos = photos

    def render(self, index: int, difficulty: float = 1.0, habit: int | None = None) -> tuple[Image, str]:
        """One image and its label.

        Args:
            index: Number of the image, from 0, without an upper end.
            difficulty: 0 plain, high-contrast, short words in common typefaces; 1 the full distribution; in
                between a mixture of both, and of weaker effects.
            habit: Characters of the text, if chance finds such a word; see `habit_of`.

        Returns:
            The image (H, W, 3) uint8 BGR, 14 to 112 pixels high, and its label: not empty, within the charset
            when folded, as drawn in case.

        Raises:
            UserError: If the index is negative, or the difficulty lies outside 0..1.
        """
        dice, text, label, face = self._begun(index, difficulty, habit)
        others = [_spaced(self.corpus.neighbour(dice.rng)) for _ in range(2)] if dice.strength else []
        others = [other for other in others if face.covers(other)]
        return draw_scene(text, face, others, dice, self.photos), label

    def habit_of(self, index: int, difficulty: float) -> int:
        """Characters of the text of an image: what its width follows from."""
        return len(self._begun(index, difficulty, None)[1])

    def _begun(self, index: int, difficulty: float, length: int | None) -> tuple[Dice, str, str, Typeface]:
        """What is decided before anything is drawn: text, label and typeface."""
        rng = generator_of(self.seed, self.split, index)
        strength = checked_strength(rng, difficulty)
        dice = Dice(self.effects, rng, strength)
        longest = None if rng.random() < strength else _PLAIN_LENGTH
        plain = strength == 0 or rng.random() < self.effects.number("plain_face_probability")
        if dice.chosen("short_word"):
            longest = round(dice.between("short_word"))
        capitals = dice.chosen("capitals")
        form = ""
        if longest is None and dice.chosen("address"):
            form = "address"
        elif dice.chosen("marked"):
            form = "marked"
        if dice.chosen("clean"):
            dice = Dice(self.effects, rng, strength * dice.between("clean"))
        for _ in range(_TRIES):
            text, label = self._sample(rng, longest, length, form)
            if label.isdigit() and dice.chosen("redrawn"):
                text, label = self._sample(rng, longest, length, form)
            if capitals and self.corpus.label(text.upper()):
                text, label = text.upper(), self.corpus.label(text.upper())
            text = _spaced(text)
            face = self.fonts.pick(rng, text, plain)
            if face is not None:
                return dice, text, label, face
            text = _spaced(label)
            face = self.fonts.pick(rng, text, plain)
            if face is not None:
                return dice, text, label, face
        raise UserError(f"no typeface can draw {text!r}; give more with --font_dir")

    def _sample(
        self, rng: np.random.Generator, longest: int | None, length: int | None, form: str
    ) -> tuple[str, str]:
        found = self.corpus.sample(rng, longest if length is None else length, form)
        for attempt in range(_LENGTH_TRIES if length is not None else 0):
            if len(found[0]) == length:
                break
            found = self.corpus.sample(rng, length, form if attempt < _LENGTH_TRIES // 4 else "")
        return found

    @property
    def facts(self) -> Facts:
        """What the images depend on beside seed and options; see `renderer_facts`."""
        return renderer_facts(self.fonts, self.corpus.words, at_work(self.effects, self.photos), self.photos)

    def of_split(self, split: str) -> "Renderer":
        """The same renderer for the words of another split."""
        corpus = Corpus(self.charset, self.corpus.words_file, split, self.corpus.max_time_steps)
        return Renderer(corpus, self.fonts, self.effects, self.charset, self.seed, split, self.photos)


def check_series(seed: int, split: str) -> None:
    """Checks what a series of images is named by.

    Raises:
        UserError: If the seed is negative or there is no such split.
    """
    check_split(split)
    if seed < 0:
        raise UserError(f"seed is {seed}, must not be negative")


def generator_of(seed: int, split: str, index: int) -> np.random.Generator:
    """The source of chance of one image.

    Raises:
        UserError: If the index is negative.
    """
    if index < 0:
        raise UserError(f"image index {index} is negative")
    return np.random.Generator(np.random.PCG64([seed, _SPLIT_IDS[split], index]))


def checked_strength(rng: np.random.Generator, difficulty: float) -> float:
    """Strength of one image's effects: 1 in a share `difficulty` of the images, else anything below it.

    Raises:
        UserError: If the difficulty lies outside 0..1.
    """
    if not 0 <= difficulty <= 1:
        raise UserError(f"difficulty {difficulty:g} lies outside 0..1")
    return 1.0 if rng.random() < difficulty else difficulty * rng.random()


def create_renderer(
    *,
    charset: Charset,
    words_file: str | Path | None = None,
    font_dir: str | Path | None = None,
    only_font_dir: bool = False,
    effects_file: str | Path | None = None,
    seed: int = 0,
    split: str = "train",
    max_time_steps: int = 24,
    cache_file: str | Path | None = None,
    photo_dir: str | Path | None = None,
) -> Renderer:
    """A renderer with everything found and checked.

    Args:
        charset: What labels may hold.
        words_file: One word a line instead of the built-in English words.
        font_dir: Typefaces in addition to those of the machine and of pip packages.
        only_font_dir: Whether those alone are used.
        effects_file: yaml with other probabilities and strengths.
        seed: Series of images.
        split: 'train', 'test' or 'all'.
        max_time_steps: Time steps of the reader; longer words are not made. 24 for images 100 wide.
        cache_file: Where the examination of typefaces is kept; a file in the user's cache folder by default.
        photo_dir: Folder of photographs to blend words with.

    Raises:
        UserError: If a file is missing or malformed, or no typeface or word is usable.
    """
    effects = load_effects(effects_file)
    photos = load_photographs(photo_dir) if photo_dir is not None else None
    corpus = Corpus(charset, words_file, split, max_time_steps)
    needed = set(charset.characters) | {c.upper() for c in charset.characters if len(c.upper()) == 1}
    needed |= set(PUNCTUATION) | corpus.characters
    needed = {_spaced(character) for character in needed}
    drawn = "".join(sorted(needed))
    cache = cache_file or default_cache_file(drawn)
    fonts = scan_fonts(drawn, font_dir, cache, only_font_dir=only_font_dir)
    return Renderer(corpus, fonts, effects, charset, seed, split, photos)


def _spaced(text: str) -> str:
    """The text with every kind of white space as spaces, which each typeface has."""
    return "".join(("  " if c == _WIDE_SPACE else " ") if c.isspace() else c for c in text)


def default_cache_file(characters: str) -> Path | None:
    """Where the examination of typefaces for these characters is kept between runs; None: nowhere."""
    cache = cache_folder()
    if cache is None:
        return None
    return cache / "crnn_mindspore" / f"typefaces-{zlib.crc32(characters.encode()):08x}.json"


def difficulty_at(index: int, ramp_start: int, ramp_end: int) -> float:
    """Difficulty of an image in a course that rises from 0 at `ramp_start` to 1 at `ramp_end`.

    Raises:
        UserError: If the ramp ends before it starts.
    """
    if ramp_end < ramp_start:
        raise UserError(f"the ramp ends at image {ramp_end}, before its start {ramp_start}")
    if index >= ramp_end:
        return 1.0
    return max(0.0, (index - ramp_start) / (ramp_end - ramp_start))
