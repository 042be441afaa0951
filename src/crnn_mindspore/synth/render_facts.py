"""What rendered words depend on beside seed and options, in a few facts: to be kept, and compared later."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from crnn_mindspore.synth.effects.photographs import Photographs
from crnn_mindspore.synth.effects.settings import EffectSettings, Range

Facts = dict[str, int | str]


class HasPath(Protocol):
    """A typeface."""

    @property
    def path(self) -> str:
        """Of its file."""
        ...


class HasFaces(Protocol):
    """The typefaces of a run."""

    @property
    def faces(self) -> Sequence[HasPath]:
        """All of them, in a fixed order."""
        ...


_OPTIONAL = (
    *("raised", "own_colour", "ring", "climb", "short_word", "capitals"),
    *("thin", "squeeze", "grey", "binary", "resample", "bar"),
    *("oblique", "ring_turn", "border", "photo_beside", "spared", "clean", "address", "marked", "redrawn"),
)


def renderer_facts(
    fonts: HasFaces, words: Sequence[str], effects: object, photos: Photographs | None = None
) -> Facts:
    """Number of typefaces, hash of their files by name and content, hash of the words, of the effects;
    number and hash of the photographs, where there are any."""
    files = sorted({face.path for face in fonts.faces}, key=lambda path: (Path(path).name, path))
    digest = hashlib.sha256()
    for path in files:
        digest.update(Path(path).name.encode())
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    facts: Facts = {
        "typefaces": len(fonts.faces),
        "typefaces' files": digest.hexdigest()[:16],
        "words": _hash_of(list(words)),
        "effects": _hash_of(effects),
    }
    if photos is not None:
        facts["photographs"] = len(photos.images)
        facts["photographs' pixels"] = photos.digest
    return facts


def at_work(effects: EffectSettings, photos: Photographs | None) -> dict[str, float | Range]:
    """The effects, but for those that later versions brought and that do not touch these images."""
    values = effects.items()
    idle = [name for name in _OPTIONAL if values[f"{name}_probability"] == 0]
    if photos is None:
        idle.append("photo")
    return {key: value for key, value in values.items() if not key.startswith(tuple(idle))}


def _hash_of(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
