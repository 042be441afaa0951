"""Labels to class ids and back: a text, a text with attributes, or a line of ids."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.tasks.positions.layout import NONE, OPEN, Classes, Layout, Position
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.codec import EMPTY_LABEL, Refusal

Int32Array = npt.NDArray[np.int32]

OPEN_MARK = "?"
NOT_ALLOWED = "character not allowed at its position"
TOO_MANY = "more characters than positions"
TOO_FEW = "fewer characters than positions"
UNKNOWN_ID = "unknown id"
WRONG_NUMBER = "wrong number of ids"
NONE_INSIDE = "none before a character"
UNKNOWN_ATTRIBUTE = "unknown attribute or value"

_IDS = re.compile(r"\s*-?\d+(\s+-?\d+)+\s*", re.ASCII)
_ATTRIBUTE = re.compile(r"(?:^|\s+)([^\s=]+)=([^=]*?)\s*$")
_SHOWN = 40  # classes of a position in a message


class _RefusedError(Exception):
    """Ends the reading of a label."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def of(self, label: str) -> str:
        """The label and what is wrong with it."""
        return f"{label!r}, {self.detail}" if self.detail else f"{label!r}"


class PositionsCodec:
    """Labels of a layout to class ids (T,) int32 and back.

    A label is one of

    - a text, `京A12345`: one class a position, from the left the longest that fits. A text shorter than the
      layout ends in "none". `?` leaves a position open, unless it is itself a class of the text;
    - a text and attributes, `京A12345 rows=double colour=blue`: those not named, or `?`, are open;
    - a line of ids, `15 1 12 6 27 7 6 -1 0 0`: one for each position, -1 where it is open.

    Letters that a position has in the other case alone are taken for those.

    Args:
        layout: The positions.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.charset = Charset([name for name in dict.fromkeys(_text_classes(layout)) if name])
        self.has_open_mark = OPEN_MARK not in self.charset.classes
        self._has_equals = any("=" in name for name in self.charset.classes)
        self._has_blanks = any(name.isspace() for name in self.charset.classes)
        self._readers = [_Reader(position) for position in layout.positions]

    def encode(self, label: str) -> Int32Array:
        """Class ids of a label, (T,) int32, -1 where open.

        Raises:
            UserError: If the label is refused; see `refusal`.
        """
        try:
            return self._encode(label)
        except _RefusedError as refused:
            raise UserError(f"{refused.reason}: {refused.of(label)}") from None

    @property
    def classes(self) -> Classes:
        """Those of the first position that has most."""
        return max((position.classes for position in self.layout.positions), key=len)

    @property
    def characters(self) -> str:
        """Every character of a text, once."""
        return self.charset.characters

    @property
    def num_classes(self) -> int:
        """K of the scores."""
        return self.layout.num_classes

    @property
    def case_sensitive(self) -> bool:
        """Whether upper and lower case are told apart."""
        return self.charset.case_sensitive

    @property
    def has_plain_labels(self) -> bool:
        """No: there are open positions, attributes and lines of ids."""
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PositionsCodec) and self.layout == other.layout

    def __hash__(self) -> int:
        return hash(self.layout)

    def refusal(self, label: str, time_steps: int = 0, longest: int | None = None) -> Refusal | None:
        """Why a label cannot be encoded, None if it can; the layout alone decides."""
        del time_steps, longest
        try:
            self._encode(label)
        except _RefusedError as refused:
            return Refusal(refused.reason, refused.detail)
        return None

    def covers(self, label: str) -> bool:
        """Whether a label can be encoded."""
        return self.refusal(label) is None

    def restrict(self, label: str) -> str:
        """The label, or nothing where it cannot be encoded."""
        return label if self.covers(label) else ""

    def encode_known(self, label: str) -> Int32Array:
        """Class ids of a label, (T,) int32; all open where it cannot be encoded."""
        try:
            return self._encode(label)
        except _RefusedError:
            return np.full(len(self.layout), OPEN, dtype=np.int32)

    def agrees(self, reading: str, truth: str) -> bool:
        """Whether a text is read as it is known: an open position agrees with every class, also with none."""
        if reading == truth or not (self.has_open_mark and OPEN_MARK in truth):
            return reading == truth
        if not (self.covers(reading) and self.covers(truth)):
            return False
        true = self._encode(truth)
        return bool((self._encode(reading) == true)[true != OPEN].all())

    def encode_ids(self, ids: Sequence[int]) -> Int32Array:
        """A label that is given as ids, checked.

        Raises:
            UserError: If there are more or fewer than positions, or one is not a class of its position.
        """
        try:
            return self._of_ids(ids)
        except _RefusedError as refused:
            raise UserError(f"{refused.reason}: {refused.detail}") from None

    def decode(self, ids: Iterable[int]) -> str:
        """The text of class ids; "none" writes nothing, and `?` stands for an open position.

        Args:
            ids: Of all positions, or of those of the text.
        """
        parts = []
        for position, i in zip(self.layout.text, ids, strict=False):
            parts.append(OPEN_MARK if i == OPEN else position.classes[int(i)])
        return "".join(parts)

    def attributes(self, ids: Sequence[int] | Int32Array) -> dict[str, str]:
        """Name -> value of each attribute that is known; ids are those of all positions."""
        first = len(self.layout.text)
        pairs = zip(self.layout.attributes, ids[first:], strict=True)
        return {position.name: position.classes[int(i)] for position, i in pairs if i != OPEN}

    def label(self, ids: Sequence[int] | Int32Array) -> str:
        """Text and known attributes as one label."""
        named = [f"{name}={value}" for name, value in self.attributes(ids).items()]
        return " ".join([self.decode(ids), *named])

    def normalize(self, label: str) -> str:
        """The text of a label as the classes spell it; "" where none of it is known.

        Of a label that is refused, the label without outer blanks.
        """
        try:
            ids = self._encode(label)
            is_known = (ids[: len(self.layout.text)] != OPEN).any()
            return self.decode(ids) if is_known else ""
        except _RefusedError:
            return self._composed(label)

    def _composed(self, label: str) -> str:
        composed = self.charset.compose(label)
        return composed if self._has_blanks else composed.strip()

    def _encode(self, label: str) -> Int32Array:
        if _IDS.fullmatch(label) and not self._has_blanks:
            return self._of_ids([int(number) for number in label.split()])
        text, attributes = self._parted(self._composed(label))
        if not text:
            raise _RefusedError(EMPTY_LABEL, "")
        ids = self._of_text(text) + self._of_attributes(attributes)
        return self._known(np.array(ids, dtype=np.int32))

    def _of_ids(self, ids: Sequence[int]) -> Int32Array:
        positions = self.layout.positions
        if len(ids) != len(positions):
            raise _RefusedError(WRONG_NUMBER, f"{len(ids)} ids for {len(positions)} positions")
        for position, i in zip(positions, ids, strict=True):
            if not OPEN <= i < len(position.classes):
                last = len(position.classes) - 1
                raise _RefusedError(UNKNOWN_ID, f"{i} at position {position.name!r}, which has 0 to {last}")
        for position, following, i, j in zip(positions, self.layout.text[1:], ids, ids[1:], strict=False):
            if i == position.none and j not in (OPEN, following.none):
                raise _RefusedError(NONE_INSIDE, f"at position {position.name!r}")
        return self._known(np.array(ids, dtype=np.int32))

    def _known(self, ids: Int32Array) -> Int32Array:
        if (ids == OPEN).all():
            raise _RefusedError(EMPTY_LABEL, "all positions are open")
        return ids

    def _of_text(self, text: str) -> list[int]:
        """Ids of the text's positions."""
        ids, rest = [], text
        count = len(self.layout.text)
        for reader in self._readers[:count]:
            if not rest:
                if reader.none is None:
                    raise _RefusedError(TOO_FEW, f"position {reader.name!r} must have one")
                ids.append(reader.none)
            elif self.has_open_mark and rest.startswith(OPEN_MARK):
                ids.append(OPEN)
                rest = rest[len(OPEN_MARK) :]
            else:
                i, length = reader.read(rest)
                ids.append(i)
                rest = rest[length:]
        if rest:
            raise _RefusedError(TOO_MANY, f"{rest!r} is left behind {count}")
        return ids

    def _of_attributes(self, given: dict[str, str]) -> list[int]:
        """Ids of the attributes."""
        ids = []
        for position in self.layout.attributes:
            value = given.get(position.name, OPEN_MARK)
            i = position.id_of(value)
            if i is None and value != OPEN_MARK:
                problem = unknown_message(f"value of {position.name}", value, position.classes)
                raise _RefusedError(UNKNOWN_ATTRIBUTE, problem)
            ids.append(OPEN if i is None else i)
        return ids

    def _parted(self, label: str) -> tuple[str, dict[str, str]]:
        """The text of a label and the attributes behind it."""
        known = [position.name for position in self.layout.attributes]
        found: dict[str, str] = {}
        while match := _ATTRIBUTE.search(label):
            name, value = match.groups()
            if name not in known:
                if self._has_equals:  # the text's own sign
                    break
                raise _RefusedError(UNKNOWN_ATTRIBUTE, unknown_message("attribute", name, known))
            if name in found:
                raise _RefusedError(UNKNOWN_ATTRIBUTE, f"{name} stands twice")
            found[name] = value
            label = label[: match.start()]
        return label, found


class _Reader:
    """Reads the class of one position from the front of a text."""

    def __init__(self, position: Position) -> None:
        self.name, self.none = position.name, position.none
        self._ids: dict[str, int] = {}
        for i, name in enumerate(position.classes):
            if name:
                self._ids.setdefault(name, i)
        self._lengths = sorted({len(name) for name in self._ids}, reverse=True)
        self._allowed = _listed(position.classes)

    def read(self, text: str) -> tuple[int, int]:
        """Id and length of the longest class that the text begins with."""
        for length in self._lengths:
            found = text[:length]
            for spelling in (found, found.upper(), found.lower()):
                if len(found) == length and spelling in self._ids:
                    return self._ids[spelling], length
        raise _RefusedError(NOT_ALLOWED, f"{text[0]!r} at position {self.name!r}, which has {self._allowed}")


def _text_classes(layout: Layout) -> list[str]:
    return [name for position in layout.text for name in position.classes]


def _listed(classes: Classes) -> str:
    """The classes in a message: all together, or the first of them."""
    names = [name for name in classes if name]
    glue = "" if all(len(name) == 1 for name in names) else ", "
    shown = glue.join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
    return f"{shown} or none" if NONE in classes else shown
