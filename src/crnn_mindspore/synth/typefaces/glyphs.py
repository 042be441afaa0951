"""Drawing single characters to find out what a typeface really holds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ImageFont

_ABSENT = ("\U0010fffe", "\ue8f5", "\U000f1234")  # characters that no font of letters has
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LOOKALIKES = str.maketrans("l10", "iio")
_SIDE = 12
_FEW = 3

Glyph = np.ndarray


def draw_glyphs(
    font: ImageFont.FreeTypeFont, characters: str, keep_first: bool = False
) -> tuple[dict[str, Glyph], float]:
    """The characters that come out as something of their own.

    Left out: what draws nothing, what draws the same as characters the font surely lacks, and different
    characters that draw the same image (the two cases of a letter may).

    Args:
        font: The face at some size.
        characters: What is tried.
        keep_first: Of two or three characters alike, as the Latin and the Cyrillic P, the first is kept.

    Returns:
        Character -> its image (H, W) uint8, 255 where ink is, cut to the ink; and the height of the capital H
        in pixels (0 if there is none).
    """
    absent = {_key(font, c)[0] for c in _ABSENT}
    glyphs: dict[str, Glyph] = {}
    same: dict[bytes, list[str]] = defaultdict(list)
    for character in characters:
        key, image = _key(font, character)
        if image is None or key in absent:
            continue
        glyphs[character] = image
        same[key].append(character)
    for alike in same.values():
        if len({c.casefold() for c in alike}) > 1:
            for character in alike[1:] if keep_first and len(alike) <= _FEW else alike:
                del glyphs[character]
    tall = glyphs.get("H")
    if tall is None and glyphs:
        return glyphs, float(np.median([g.shape[0] for g in glyphs.values()]))
    return glyphs, float(tall.shape[0]) if tall is not None else 0.0


def drawn_space(font: ImageFont.FreeTypeFont, characters: str) -> str:
    """The space, if it is among the characters and the face leaves one; else ""."""
    is_empty = _key(font, " ")[1] is None
    return " " if " " in characters and is_empty and font.getlength(" ") > 0 else ""


def _key(font: ImageFont.FreeTypeFont, character: str) -> tuple[bytes, Glyph | None]:
    """Identity of the drawn image (with its height over the baseline), and the image; None if empty."""
    mask, offset = font.getmask2(character, mode="L")
    width, height = mask.size
    if not width or not height:
        return b"", None
    image = np.frombuffer(bytes(mask), dtype=np.uint8).reshape(height, width)
    x, y, w, h = cv2.boundingRect(image)
    if not w or not h or int(image.max()) < 64:
        return b"", None
    ink = np.ascontiguousarray(image[y : y + h, x : x + w])
    return b"%d,%d,%d;" % (w, h, int(offset[1]) + y) + ink.tobytes(), ink


def descriptors(glyphs: Mapping[str, Glyph]) -> str:
    """Letters and digits at 12x12 with 16 grey levels, as text: each a character and 72 bytes."""
    parts = []
    for character in _ALPHABET:
        if character in glyphs:
            image = cv2.resize(glyphs[character], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
            small = np.asarray(image, dtype=np.uint8).reshape(-1) >> 4
            parts.append(character + ((small[0::2] << 4) | small[1::2]).tobytes().hex())
    return " ".join(parts)


def _unpack(text: str) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Folded letters and their vectors (N, 144) of length one."""
    letters, rows = [], []
    for part in text.split():
        packed = np.frombuffer(bytes.fromhex(part[1:]), dtype=np.uint8)
        row = np.empty(_SIDE * _SIDE, dtype=np.float32)
        row[0::2], row[1::2] = packed >> 4, packed & 15
        letters.append(part[0].lower().translate(_LOOKALIKES))
        rows.append(row - row.mean())
    if not rows:
        return [], np.zeros((0, _SIDE * _SIDE), dtype=np.float32)
    matrix = np.stack(rows)
    return letters, matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-6)


class Glyphs:
    """Letters of plain typefaces, the yardstick of legibility.

    Args:
        references: Records of `examine` of plain typefaces.
    """

    def __init__(self, references: Sequence[Mapping]) -> None:
        letters: list[str] = []
        rows = []
        for record in references:
            names, matrix = _unpack(record["descriptors"])
            letters += names
            rows.append(matrix)
        self._letters = np.array(letters)
        self._matrix = np.concatenate(rows) if rows else np.zeros((0, _SIDE * _SIDE), dtype=np.float32)

    def legibility(self, record: Mapping) -> float:
        """Share of the face's letters and digits whose most similar reference glyph is the same letter, 0..1.

        Case, l / 1 / I and O / 0 are not told apart. 1.0 when there is nothing to compare.
        """
        names, matrix = _unpack(record["descriptors"])
        if not names or not len(self._letters):
            return 1.0
        nearest = np.argmax(matrix @ self._matrix.T, axis=1)
        return float(np.mean(self._letters[nearest] == np.array(names)))
