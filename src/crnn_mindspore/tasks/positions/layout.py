"""The positions of an output and the classes of each: as objects, as yaml and as JSON."""

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.sources.charset_file import load_charset_file
from crnn_mindspore.errors import UserError
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.tasks.positions.gb2312 import level_one

NONE = ""  # the class "no character here"
OPEN = -1  # in targets: the class of this position is not known

_KEYS = ("alphabets", "text", "attributes")
_POSITION_KEYS = ("name", "classes", "weight")
GB2312 = "gb2312_level1"  # an alphabet that every layout knows
_NEARNESS = 0.75  # of a text to an alphabet's name from which it is taken for a slip and not for characters
_logger = logging.getLogger(__name__)

Classes = tuple[str, ...]


@dataclass(frozen=True)
class Position:
    """One place of the output, to which the network gives one class.

    Attributes:
        name: Stands in figures and messages.
        classes: Its own classes, ids by place; `""` is "none": no character here.
        in_text: Whether its class is a part of the text; otherwise it is an attribute beside it.
        weight: Its share in the loss, beside 1 for the others; 0: it is not learnt.

    Raises:
        UserError: If the name or the classes are missing, or the weight is negative or not finite.
    """

    name: str
    classes: Classes
    in_text: bool = True
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.name:
            raise UserError("a position has an empty name")
        if not any(self.classes):
            raise UserError(f"position {self.name!r} has no classes beside none")
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise UserError(f"position {self.name!r}: weight is {self.weight}, must be 0 or above")

    def id_of(self, name: str) -> int | None:
        """The id of a class, of a repeated one the first; None where the position lacks it."""
        return self.classes.index(name) if name in self.classes else None

    @property
    def none(self) -> int | None:
        """The id of "none", None where a character must stand here."""
        return self.id_of(NONE)


@dataclass(frozen=True)
class Layout:
    """The positions in the order of the network's scores (T, N, K): those of the text, then the attributes.

    Raises:
        UserError: If no position is in the text, an attribute stands before one that is, a position of the
            text that may be none stands before one that may not, or two have one name.
    """

    positions: tuple[Position, ...]

    def __post_init__(self) -> None:
        flags = [position.in_text for position in self.positions]
        if not any(flags):
            raise UserError("the layout has no position in the text")
        if flags != sorted(flags, reverse=True):
            raise UserError("the positions of the text must come first, then the attributes")
        endings = [position.none is not None for position in self.text]
        if endings != sorted(endings):
            name = self.text[endings.index(True)].name
            raise UserError(
                f"position {name!r} may be none, and one behind it in the text may not: only the last can be"
            )
        names = [position.name for position in self.positions]
        if _repeated(names):
            raise UserError(f"two positions are called {_repeated(names)[0]!r}")

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def text(self) -> tuple[Position, ...]:
        """The positions of the text, in reading order."""
        return tuple(position for position in self.positions if position.in_text)

    @property
    def attributes(self) -> tuple[Position, ...]:
        """The positions beside the text."""
        return tuple(position for position in self.positions if not position.in_text)

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Classes of each position."""
        return tuple(len(position.classes) for position in self.positions)

    @property
    def num_classes(self) -> int:
        """K, the most classes that a position has."""
        return max(self.class_counts)

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(T, K), True where the position has the class."""
        return np.arange(self.num_classes) < np.array(self.class_counts)[:, None]

    @property
    def weights(self) -> npt.NDArray[np.float32]:
        """(T,) the share of each position in the loss."""
        return np.array([position.weight for position in self.positions], dtype=np.float32)

    def unseen(self, targets: npt.NDArray[np.int32]) -> dict[str, list[str]]:
        """Name of each position -> the classes of which there is no sample; none of positions with all.

        Args:
            targets: (N, T) class ids, -1 where open.
        """
        found = {}
        for position, ids in zip(self.positions, targets.T, strict=True):
            counts = np.bincount(ids[ids >= 0], minlength=len(position.classes))
            missing = [position.classes[i] for i in np.flatnonzero(counts == 0)]
            names = [name for name in missing if name not in _repeated(position.classes)]
            if names:
                found[position.name] = names
        return found

    def to_plain(self) -> dict[str, Any]:
        """The layout as `layout_of` reads it, ready for JSON and yaml."""
        plain = {"text": [_plain(position) for position in self.text]}
        if self.attributes:
            plain["attributes"] = [_plain(position) for position in self.attributes]
        return plain


def layout_of(plain: Mapping[str, Any], reads_files: bool = True) -> Layout:
    """The layout that a mapping of a yaml or JSON file describes.

    Its keys are `text` and `attributes`, lists of positions, and `alphabets`, names for classes that several
    positions share. A position is a mapping of `classes`, `name` (left out: its number, counted from 1) and
    `weight`; or its classes alone. Classes are given as

    - a text: the name of an alphabet, the path of a character file (ends in .txt), or one character a class;
    - a list of classes, where the name of an alphabet stands for its classes, and `""` for none. Of a class
      that comes twice the first id is used, which is said.

    Args:
        plain: The mapping.
        reads_files: Whether classes may be the path of a file; not in what comes with a model.

    Raises:
        UserError: If it describes no layout; the message names the position.
    """
    if not isinstance(plain, Mapping):
        raise UserError(f"a layout is a mapping with the keys {', '.join(_KEYS)}, not {plain!r}")
    _check_keys(plain, _KEYS, "the layout")
    written = plain.get("alphabets", {})
    if not isinstance(written, Mapping):
        raise UserError(f"alphabets of the layout: expected a mapping of names to classes, not {written!r}")
    alphabets: dict[str, Classes] = {GB2312: tuple(level_one())}
    for name, value in written.items():  # an alphabet may be made of those above it
        alphabets[str(name)] = _classes(value, alphabets, f"alphabet {name!r}", reads_files)
    positions: list[Position] = []
    for key in ("text", "attributes"):
        entries = plain.get(key, [])
        if isinstance(entries, str) or not isinstance(entries, Sequence):
            raise UserError(f"{key} of the layout: expected a list of positions, not {entries!r}")
        for entry in entries:
            positions.append(_position(entry, key == "text", len(positions) + 1, alphabets, reads_files))
    return Layout(tuple(positions))


def _position(
    entry: object, in_text: bool, number: int, alphabets: Mapping[str, Classes], reads_files: bool
) -> Position:
    given: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {"classes": entry}
    name = str(number if given.get("name") is None else given["name"])
    where = f"position {name!r}"
    _check_keys(given, _POSITION_KEYS, where)
    if "classes" not in given:
        raise UserError(f"{where} has no classes")
    weight = given.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise UserError(f"{where}: weight is {weight!r}, must be a number")
    return Position(name, _classes(given["classes"], alphabets, where, reads_files), in_text, float(weight))


def _classes(value: object, alphabets: Mapping[str, Classes], where: str, reads_files: bool) -> Classes:
    """The classes of a text or a list."""
    if isinstance(value, str):
        if value in alphabets:
            return alphabets[value]
        if value.endswith(".txt") and not reads_files:
            raise UserError(f"{where}: a model names the file {value!r} in place of its classes")
        if value.endswith(".txt"):
            return load_charset_file(value)
        message = unknown_message("alphabet", value, alphabets, _NEARNESS)
        if "did you mean" in message:
            raise UserError(f"{where}: {message}")
        names: Classes = tuple(value)
        if _repeated(names):
            raise UserError(f"{where} has class {_repeated(names)[0]!r} twice")
    elif isinstance(value, Sequence):
        parts = [_named(part, alphabets, where) for part in value]
        names = tuple(name for part in parts for name in part)
        if _repeated(names):
            _warn_once(f"{where} has class {_repeated(names)[0]!r} twice; the first is used")
    else:
        raise UserError(f"{where}: classes are {value!r}, must be a text or a list of texts")
    if not names:
        raise UserError(f"{where} has no classes")
    return names


def _named(part: object, alphabets: Mapping[str, Classes], where: str) -> Classes:
    """What an entry of a list of classes stands for."""
    if isinstance(part, int) and not isinstance(part, bool):
        return (str(part),)  # yaml reads the class 7 as a number
    if not isinstance(part, str):
        raise UserError(f"{where}: class {part!r} is not a text: put it in quotes")
    return alphabets.get(part, (part,))


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


@lru_cache(maxsize=64)
def _warn_once(message: str) -> None:
    _logger.warning("%s", message)


def _check_keys(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in given:
        if key not in known:
            raise UserError(f"{where}: {unknown_message('key', str(key), known)}")


def _plain(position: Position) -> dict[str, Any]:
    classes = position.classes
    # A text of different characters never ends in .txt, which has a t twice.
    is_text = all(len(name) == 1 for name in classes) and not _repeated(classes)
    plain: dict[str, Any] = {"name": position.name, "classes": "".join(classes) if is_text else list(classes)}
    return plain if position.weight == 1 else {**plain, "weight": position.weight}
