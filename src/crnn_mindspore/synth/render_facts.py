"""What rendered words depend on beside seed and options, in a few facts: to be kept, and compared later."""

import hashlib
import json
from pathlib import Path

from crnn_mindspore.synth.effects.settings import EffectSettings
from crnn_mindspore.synth.typefaces.fonts import FontLibrary
from crnn_mindspore.synth.words.corpus import Corpus

Facts = dict[str, int | str]


def renderer_facts(fonts: FontLibrary, corpus: Corpus, effects: EffectSettings) -> Facts:
    """Number of typefaces, hash of their files by name and content, hash of the words, of the effects."""
    files = sorted({face.path for face in fonts.faces}, key=lambda path: (Path(path).name, path))
    digest = hashlib.sha256()
    for path in files:
        digest.update(Path(path).name.encode())
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return {
        "typefaces": len(fonts.faces),
        "typefaces' files": digest.hexdigest()[:16],
        "words": _hash_of(list(corpus.words)),
        "effects": _hash_of(effects.items()),
    }


def _hash_of(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
