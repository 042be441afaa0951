"""What the renderer's tests share: a library of a few typefaces that pip packages bring."""

from collections import Counter
from functools import lru_cache
from pathlib import Path

from crnn_mindspore.synth.effects.settings import load_effects
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
