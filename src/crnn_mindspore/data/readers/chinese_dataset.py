"""Lines of class ids in the 360CC form: `image.jpg 12 7 893 ...` and a file with one character a line."""

import os
from array import array
from collections.abc import Iterator

import numpy as np

from crnn_mindspore.data.sources.charset_file import BLANK_NAMES, character_lines, note_oddities
from crnn_mindspore.data.sources.compact_index import CompactIndex, PackedStrings, cached_index
from crnn_mindspore.data.sources.line_source import LineSource, require_byte_lines, whole_number
from crnn_mindspore.data.sources.samples import MALFORMED, OUTSIDE_FOLDER, FilterReport, SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import inside, is_name_inside
from crnn_mindspore.text_file import quoted, require_folder

UNKNOWN_ID = "class id outside the character file"
EMPTY_LINE = "class id of an empty line"

_ANNOTATIONS = ("{split}.txt", "data_{split}.txt", "annotation_{split}.txt", "labels_{split}.txt")
_CHARACTER_FILES = ("char_std_5990.txt", "chars.txt", "charset.txt", "characters.txt")
_BOM = b"\xef\xbb\xbf"
_PLACEHOLDERS = {"", "-", *BLANK_NAMES}


def load_chinese(root: str, split: str = "train", lexicon: str | None = None) -> SampleSource:
    """The lines of a 360CC split; ids become texts, so that any charset can be trained on.

    Class id k is line k of the character file, counted from 0, also where lines are empty or repeat; line 0
    stands for the blank, whatever it holds. A file without that line (its first line is a character and the
    largest id equals the number of lines) is recognised; there id k is line k counted from 1.

    Args:
        root: Folder with the annotation (`train.txt`, `data_train.txt`, ...), the character file
            (`char_std_5990.txt`, `chars.txt`, ...) and the images, in it or in `images/`.
        split: 'train', 'test' or 'val'.
        lexicon: Must be None, the form has none.

    Raises:
        UserError: If something is missing, or in another encoding; the message names it.
    """
    if lexicon is not None:
        raise UserError(f"lexicon {lexicon!r}: the chinese form has no lexicons")
    require_folder(root)
    path = _first_file(root, [name.format(split=split) for name in _ANNOTATIONS], "annotation")
    characters = _first_file(root, list(_CHARACTER_FILES), "character file")
    folder = inside(root, "images")
    images = folder if os.path.isdir(folder) else root
    note_oddities(characters, character_lines(characters))
    require_byte_lines(path)
    index = cached_index([path, characters], "chinese", lambda: build_index(path, characters))
    return LineSource(images, path, index, lambda line: line.split(None, 1)[0])


def build_index(path: str, character_file: str) -> CompactIndex:
    """Reads a whole annotation once, twice where the character file has no placeholder.

    Args:
        path: The annotation.
        character_file: One character a line.
    """
    characters = character_lines(character_file)
    has_placeholder = bool(characters) and characters[0].strip().lower() in _PLACEHOLDERS
    if not has_placeholder and _largest_id(path) == len(characters):
        characters = ["", *characters]
    report = FilterReport()
    offsets = array("Q")
    text_ids = array("i")
    positions: dict[bytes, int] = {}
    for number, offset, line in _lines(path):
        name, *parts = line.split()
        ids = [whole_number(part) for part in parts]
        reason = None
        if not ids or min(ids) < 0:
            reason = MALFORMED
        elif not is_name_inside(os.fsdecode(name)):
            reason = OUTSIDE_FOLDER
        elif not (min(ids) >= 1 and max(ids) < len(characters)):
            reason = UNKNOWN_ID
        elif not all(characters[k] for k in ids):
            reason = EMPTY_LINE
        if reason:
            report.drop(reason, f"{path}:{number} {quoted(line.decode(errors='replace').rstrip())}")
            continue
        text = "".join([characters[k] for k in ids]).encode()
        offsets.append(offset)
        text_ids.append(positions.setdefault(text, len(positions)))
    report.kept = len(offsets)
    return CompactIndex(
        np.array(offsets, dtype=np.uint64),
        np.array(text_ids, dtype=np.int32),
        PackedStrings.pack(positions),
        report,
    )


def _lines(path: str) -> Iterator[tuple[int, int, bytes]]:
    """(line number from 1, byte offset, line) of every line that is not blank."""
    offset = 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            skipped = len(_BOM) if number == 1 and line.startswith(_BOM) else 0
            if line[skipped:].strip():
                yield number, offset + skipped, line[skipped:]
            offset += len(line)


def _largest_id(path: str) -> int:
    return max((whole_number(part) for _, _, line in _lines(path) for part in line.split()[1:]), default=0)


def _first_file(root: str, names: list[str], what: str) -> str:
    for name in names:
        path = inside(root, name)
        if os.path.isfile(path):
            return path
    raise UserError(f"{root!r} holds no {what} (looked for {', '.join(names)})")
