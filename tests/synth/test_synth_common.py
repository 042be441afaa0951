"""What the renderer's tests share: a library of a few typefaces that pip packages bring."""

from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np

from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.photographs import Photographs
from crnn_mindspore.synth.effects.settings import EffectSettings, load_effects
from crnn_mindspore.synth.render import PUNCTUATION, Renderer
from crnn_mindspore.synth.typefaces.font_files import package_files
from crnn_mindspore.synth.typefaces.fonts import FontLibrary, _rank, examine
from crnn_mindspore.synth.words.corpus import Corpus
from crnn_mindspore.text.charset import Charset

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
STEMS = (
    "Poppins-Regular", "Poppins-Bold", "Arvo-Regular", "BebasNeue-Regular", "Lobster-Regular",
    "OpenSans[wdth,wght]", "NotoSerif[wdth,wght]", "WorkSans[wght]", "BarlowCondensed-Medium",
    "Anton-Regular", "PermanentMarker-Regular",
)  # fmt: skip


def font_paths() -> list[Path]:
    """One file for each of the names that the installed packages bring."""
    found = {path.stem: path for path in package_files()}
    return [found[stem] for stem in STEMS if stem in found]


@lru_cache(maxsize=1)
def library() -> FontLibrary:
    """The typefaces of `font_paths`, examined."""
    records = [
        dict(record, collection="packages")
        for path in font_paths()
        for record in examine(path, LETTERS + PUNCTUATION)[0]
    ]
    return FontLibrary(_rank(records, Counter()))


@lru_cache(maxsize=3)
def renderer(split: str = "train") -> Renderer:
    """A renderer of those typefaces."""
    charset = Charset()
    return Renderer(Corpus(charset, split=split), library(), load_effects(), charset, 7, split)


def test_the_typefaces_are_installed() -> None:
    assert len(font_paths()) >= 5
    assert library().families >= 4


def dice(seed: int = 0, strength: float = 1.0, **values: float | tuple[float, float]) -> Dice:
    """The chances of a seed, with these effects laid over the usual ones."""
    return Dice(EffectSettings({**load_effects().items(), **values}), np.random.default_rng(seed), strength)


def made(effects: Path | None, photographs: Photographs | None = None, **values: float) -> Renderer:
    """The renderer with the effects of a file and these laid over it."""
    base = renderer()
    settings = EffectSettings({**load_effects(effects).items(), **values})
    return Renderer(base.corpus, base.fonts, settings, base.charset, 2, "train", photographs)
