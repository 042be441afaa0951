"""The renderer of single characters: (seed, index) -> a picture of one character of an alphabet."""

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crnn_mindspore.errors import UserError
from crnn_mindspore.shipped import shipped
from crnn_mindspore.synth.characters.crops import draw_character
from crnn_mindspore.synth.characters.held_out import without
from crnn_mindspore.synth.effects.camera import Image
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.photographs import Photographs, load_photographs
from crnn_mindspore.synth.effects.settings import load_effects, overlaid, read_effects
from crnn_mindspore.synth.line_kinds import LineKind, load_line_kinds
from crnn_mindspore.synth.render import check_series, checked_strength, default_cache_file, generator_of
from crnn_mindspore.synth.render_facts import Facts, at_work, renderer_facts
from crnn_mindspore.synth.typefaces.font_files import find_font_files
from crnn_mindspore.synth.typefaces.fonts import FontLibrary, Typeface, scan_fonts
from crnn_mindspore.text.codec import Codec
from crnn_mindspore.text_file import read_text

EFFECTS_FILE = shipped("configs/character_effects.yaml")
_LATIN_SHARE = 0.1
_LATIN_BORROWED = 0.6
_OFTEN_SHARE, _OFTEN_HALVED = 0.5, 8000  # of the first images; images after which it is half of that
_PROBES = 16
_NEIGHBOURS = 4
_SHOWN = 40
_OWN_NUMBERS = ("share", "dark_text", "others")  # of a kind in EFFECTS_FILE, beside its effects

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CharacterKind(LineKind):
    """A kind of images that no line is like.

    Args:
        others: Share of digits, letters and marks together, where there are Han characters too.
    """

    others: float = _LATIN_SHARE


class Faces:
    """Typefaces for single characters: every file comes equally often, whatever it holds.

    Args:
        faces: The faces, in a fixed order.
    """

    def __init__(self, faces: list[Typeface]) -> None:
        files: dict[str, list[Typeface]] = defaultdict(list)
        for face in faces:
            files[face.path].append(face)
        self.faces = faces
        self._files = list(files.values())

    def pick(self, rng: np.random.Generator, character: str) -> Typeface | None:
        """A face that has the character; None if none has."""
        for _ in range(6):
            faces = self._files[int(rng.integers(len(self._files)))]
            face = faces[int(rng.integers(len(faces)))]
            if character in face.characters:
                return face
        able = [face for face in self.faces if character in face.characters]
        return able[int(rng.integers(len(able)))] if able else None


class CharacterRenderer:
    """Pictures of single characters; each a pure function of (seed, split, index, difficulty).

    Args:
        codec: Of the labels.
        fonts: The typefaces of the alphabet.
        latin: Those that draw ASCII beside them, or None.
        kinds: What the surroundings are like.
        seed: Two seeds give two unrelated series of images.
        split: 'train', 'test' and 'all' are three series; no character is kept out of any.
        photos: Photographs to blend characters with, or None.
        often: Characters that half of the first images show, and ever fewer of those behind, so that their
            rareness is learnt at last; "" for none.
    """

    def __init__(
        self,
        codec: Codec,
        fonts: FontLibrary,
        latin: FontLibrary | None,
        kinds: list[LineKind],
        seed: int = 0,
        split: str = "train",
        photos: Photographs | None = None,
        often: str = "",
    ) -> None:
        check_series(seed, split)
        self.codec = codec
        self.fonts = fonts
        self.latin = latin
        self.kinds = kinds
        self.seed = seed
        self.split = split
        self.photos = photos
        self.often = often
        self._faces = Faces(fonts.faces)
        drawn = fonts.drawable(codec.characters)
        beside = "" if latin is None else latin.drawable("".join(c for c in codec.characters if c.isascii()))
        self._han = "".join(c for c in drawn if not c.isascii() and c.isalnum())
        self._others = "".join(c for c in codec.characters if c not in self._han and c in drawn + beside)
        missing = "".join(c for c in codec.characters if c not in self._han + self._others)
        if missing:
            _logger.warning("no typeface has %d characters: %s", len(missing), missing[:_SHOWN])
        unknown = "".join(c for c in often if c not in self._han + self._others)
        if unknown:
            raise UserError(
                f"render_words: {unknown[:_SHOWN]!r} cannot be drawn: no class, or in no typeface"
            )
        shares = np.cumsum([kind.share for kind in kinds])
        self._shares = shares / shares[-1]

    def render(self, index: int, difficulty: float = 1.0) -> tuple[Image, str]:
        """One image and its label; as `Renderer.render`.

        Raises:
            UserError: If the index is negative, or the difficulty lies outside 0..1.
        """
        rng = generator_of(self.seed, self.split, index)
        strength = checked_strength(rng, difficulty)
        kind = self.kinds[int(np.searchsorted(self._shares, rng.random(), side="right"))]
        dice = Dice(kind.effects, rng, strength)
        character = self._character(
            rng, index, kind.others if isinstance(kind, CharacterKind) else _LATIN_SHARE
        )
        face = self._face(rng, character)
        pool = self._han or self._others
        others = "".join(pool[i] for i in rng.integers(len(pool), size=_NEIGHBOURS)) if strength else ""
        others = "".join(c for c in others if c in face.characters)
        shape = kind.shape(bool(rng.random() < kind.dark_text))
        return draw_character(character, face, others, dice, self.photos, shape), character

    def of_split(self, split: str) -> "CharacterRenderer":
        """The same renderer for another series."""
        return CharacterRenderer(
            self.codec, self.fonts, self.latin, self.kinds, self.seed, split, self.photos, self.often
        )

    @property
    def facts(self) -> Facts:
        """What the images depend on beside seed and options."""
        kinds = {
            kind.name: [kind.share, kind.dark_text, at_work(kind.effects, self.photos), *_others_of(kind)]
            for kind in self.kinds
        }
        faces = [*self.fonts.faces, *(self.latin.faces if self.latin else ())]
        drawn = [*self.codec.characters, *([self.often] if self.often else [])]
        return renderer_facts(FontLibrary(faces), drawn, kinds, self.photos)

    def _character(self, rng: np.random.Generator, index: int, others: float) -> str:
        """Each Han character as likely as any other; the few others together have a share."""
        if self.often and rng.random() < _OFTEN_SHARE * 0.5 ** (index / _OFTEN_HALVED):
            return self.often[int(rng.integers(len(self.often)))]
        rare = bool(self._others) and (not self._han or rng.random() < others)
        pool = self._others if rare else self._han
        return pool[int(rng.integers(len(pool)))]

    def _face(self, rng: np.random.Generator, character: str) -> Typeface:
        face = None
        if self.latin is not None and character.isascii() and rng.random() < _LATIN_BORROWED:
            face = self.latin.pick(rng, character, plain=True)
        face = face or self._faces.pick(rng, character)
        if face is None and self.latin is not None:
            face = self.latin.pick(rng, character)
        assert face is not None, character
        return face


def create_renderer(codec: Codec, options: Any) -> CharacterRenderer:
    """The renderer that the options of a training ask for.

    Raises:
        UserError: As `create_character_renderer`.
    """
    return create_character_renderer(
        codec=codec,
        font_dir=options.render_fonts or None,
        only_font_dir=options.render_only_fonts,
        hold_out=options.render_hold_out,
        held_out=options.render_held_out,
        photo_dir=options.render_photos or None,
        often_file=options.render_words or None,
        effects_file=options.render_effects or None,
        seed=options.seed,
        split=options.render_split,
    )


def create_character_renderer(
    *,
    codec: Codec,
    font_dir: str | Path | None = None,
    only_font_dir: bool = False,
    hold_out: str = "",
    held_out: bool = False,
    effects_file: str | Path | None = None,
    seed: int = 0,
    split: str = "train",
    photo_dir: str | Path | None = None,
    often_file: str | Path | None = None,
    cache_file: str | Path | None = None,
) -> CharacterRenderer:
    """A renderer of single characters with everything found and checked.

    Args:
        codec: Of the labels; its characters are drawn.
        font_dir: Typefaces in addition to those of the machine.
        only_font_dir: Whether those alone are used.
        hold_out: Beginnings of the file names of typefaces that are kept out, commas between.
        held_out: Use those that are kept out and no others, instead.
        effects_file: yaml laid over the effects.
        seed: Series of images.
        split: 'train', 'test' or 'all'.
        photo_dir: Folder of photographs to blend characters with.
        often_file: Characters that half of the first images show, as new ones of a trained network.
        cache_file: Where the examination of typefaces is kept; a file in the user's cache folder by default.

    Raises:
        UserError: If a file is missing or malformed, or no typeface is usable.
    """
    kinds = _kinds(effects_file)
    photos = load_photographs(photo_dir) if photo_dir is not None else None
    characters = "".join(sorted(c for c in codec.characters if not c.isspace()))
    ascii_part = "".join(c for c in characters if c.isascii())
    found: dict[str, Any] = {"font_dir": font_dir, "only_font_dir": only_font_dir}
    probe = _probe(characters)
    fonts = scan_fonts(
        characters, cache_file=cache_file or default_cache_file(characters), probe=probe, **found
    )
    latin = None
    if probe and ascii_part and not held_out:
        latin = _latin(ascii_part, fonts, found)
    fonts = without(fonts, hold_out, held_out)
    often = "" if often_file is None else "".join(read_text(str(often_file)).split())
    return CharacterRenderer(codec, fonts, latin, kinds, seed, split, photos, often)


def _latin(characters: str, fonts: FontLibrary, found: Mapping[str, Any]) -> FontLibrary | None:
    """The typefaces for ASCII alone: all that are found but those of the alphabet; None if there are none."""
    if not find_font_files(found["font_dir"], found["only_font_dir"]):
        return None
    every = scan_fonts(characters, cache_file=default_cache_file(characters), **found)
    taken = {face.path for face in fonts.faces}
    faces = [face for face in every.faces if face.path not in taken]
    return FontLibrary(faces, every.skipped) if faces else None


def _kinds(effects_file: str | Path | None) -> list[LineKind]:
    """The kinds of lines that characters are cut from, with effects of their own, and further kinds."""
    own = read_effects(EFFECTS_FILE)
    for_all = _mapping(own.pop("all", {}), "all")
    lines = load_line_kinds()
    kinds = [replace(kind, effects=overlaid(kind.effects, for_all, EFFECTS_FILE)) for kind in lines]
    usual = overlaid(load_effects(), for_all, EFFECTS_FILE)
    for name, values in own.items():
        effects = overlaid(usual, _mapping(_mapping(values, name).get("effects"), name), EFFECTS_FILE)
        share, dark_text, others = (float(_mapping(values, name).get(key, 0)) for key in _OWN_NUMBERS)  # type: ignore[arg-type]
        kinds.append(CharacterKind(name, share, dark_text, 0.0, lines[0].habits, effects, others))
    if effects_file is None:
        return kinds
    path = Path(effects_file)
    return [replace(kind, effects=overlaid(kind.effects, read_effects(path), path)) for kind in kinds]


def _others_of(kind: LineKind) -> list[float]:
    return [kind.others] if isinstance(kind, CharacterKind) else []


def _mapping(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise UserError(f"{EFFECTS_FILE}: {name} is {value!r}, must hold 'name: value' lines")
    return value


def _probe(characters: str) -> str:
    """A few characters beyond ASCII, which tell at once whether a face is of their script."""
    letters = [c for c in characters if not c.isascii() and c.isalnum()]
    return "".join(letters[:: max(1, len(letters) // _PROBES)])
