"""Lexicons beside a data set: the words each image may be read as when evaluating with a lexicon.

`lexicon_50.json`, `lexicon_1000.json` and `lexicon_full.json` hold `{"lists": [[word, ...], ...],
"images": {"name": number of its list, ...}}`: many images share a list.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace

from crnn_mindspore.data.sources.samples import ListSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import inside, to_write
from crnn_mindspore.guards.plain_json import parse_json
from crnn_mindspore.text_file import read_text
from crnn_mindspore.whole_file import write_new


class Lexicons:
    """The list of each image, shared lists kept once.

    Args:
        lists: The lists of words.
        images: Image name -> number of its list.
    """

    def __init__(self, lists: list[tuple[str, ...]], images: dict[str, int]) -> None:
        self.lists = lists
        self.images = images

    def get(self, image: str) -> tuple[str, ...] | None:
        """The words of an image, None if it has no list."""
        number = self.images.get(image)
        return None if number is None else self.lists[number]


def lexicon_path(folder: str, name: str) -> str:
    """Where the lexicons of that name ('50', '1000', 'full') lie.

    Raises:
        OutsideError: If that is not in the folder.
    """
    return inside(folder, f"lexicon_{name}.json")


def save_lexicons(folder: str, name: str, words: Mapping[str, tuple[str, ...]]) -> None:
    """Writes the words of each image; equal lists are written once."""
    numbers: dict[tuple[str, ...], int] = {}
    images = {image: numbers.setdefault(tuple(listed), len(numbers)) for image, listed in words.items()}
    content = json.dumps({"lists": list(numbers), "images": images}, ensure_ascii=False)
    write_new(to_write(folder, f"lexicon_{name}.json"), content.encode())


def load_lexicons(folder: str, name: str | None) -> Lexicons | None:
    """The lexicons of that name, None if no name is given.

    Raises:
        UserError: If the file is missing or not of this form; the message names it.
    """
    if name is None:
        return None
    path = lexicon_path(folder, name)
    if not os.path.isfile(path):
        there = sorted(
            f[len("lexicon_") : -len(".json")]
            for f in os.listdir(folder)
            if f.startswith("lexicon_") and f.endswith(".json")
        )
        raise UserError(
            f"lexicon {name!r} of {folder!r} does not exist (there: {', '.join(there) or 'none'})"
        )
    try:
        loaded = parse_json(read_text(path))
        lists = [tuple(map(str, listed)) for listed in loaded["lists"]]
        images = {str(image): int(number) for image, number in loaded["images"].items()}
        if images and not 0 <= min(images.values()) <= max(images.values()) < len(lists):
            raise ValueError("a list number outside the lists")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(f"{path}: not a lexicon file ({error})") from None
    return Lexicons(lists, images)


def attach_lexicons(source: ListSource, root: str, name: str | None) -> ListSource:
    """The source with the lexicon of that name for each of its images; as it is if no name is given.

    Raises:
        UserError: If there is no lexicon of that name, or an image has no list in it.
    """
    lexicons = load_lexicons(root, name)
    if lexicons is None:
        return source
    samples = []
    for sample in source.samples:
        words = lexicons.get(os.path.relpath(sample.image, root).replace(os.sep, "/"))
        if words is None:
            raise UserError(f"{lexicon_path(root, str(name))}: no list for {sample.image}")
        samples.append(replace(sample, lexicon=words))
    return ListSource(samples, source.origin, source.report)
