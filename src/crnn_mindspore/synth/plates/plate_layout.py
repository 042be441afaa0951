"""How plates look: kinds with their sizes in millimetres, boxes, colours and texts, from a yaml."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.nearest import unknown_message

Colour = tuple[float, float, float]
"""Blue, green, red, 0..255."""

_KEYS = ("alphabets", "typefaces", "strokes", "kinds")
_KIND_KEYS = (
    "name", "share", "size", "ground", "left", "text", "border", "own_colours", "radius", "rows", "dots",
    "bolts", "attributes", "texts", "irregular",
)  # fmt: skip
_ROW_KEYS = ("top", "size", "lefts", "first_width")
_NEEDED = ("size", "ground", "text", "rows", "texts")


@dataclass(frozen=True)
class Box:
    """Where a character stands, millimetres from the left top corner of the plate."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class PlateKind:
    """One kind of plate.

    Attributes:
        name: For messages.
        share: How many of the images, over the sum of all shares.
        size: Width and height, millimetres.
        ground: Colour of its top and of its bottom, in between a gradient.
        text: Colour of the characters.
        boxes: Of the characters, in reading order.
        texts: Forms: a letter that is the name of an alphabet stands for one of its characters, everything
            else for itself.
        irregular: Forms that are drawn too and keep to no rule.
        labels: What a label says beside the text, as ` colour=blue`.
        border: Its colour, distance from the edge and width, millimetres; None: none.
        left: Another ground up to some millimetres from the left; None: none.
        own_colours: Character -> its colour, where it is another than that of the others.
        radius: Of the plate's corners, millimetres.
        dots: x, y and diameter, millimetres.
        bolts: x and y, millimetres.
    """

    name: str
    share: float
    size: tuple[float, float]
    ground: tuple[Colour, Colour]
    text: Colour
    boxes: tuple[Box, ...]
    texts: tuple[str, ...]
    irregular: tuple[str, ...] = ()
    labels: str = ""
    border: tuple[Colour, float, float] | None = None
    left: tuple[Colour, float] | None = None
    own_colours: Mapping[str, Colour] = field(default_factory=dict)
    radius: float = 10.0
    dots: tuple[tuple[float, float, float], ...] = ()
    bolts: tuple[tuple[float, float], ...] = ()

    @property
    def drawn(self) -> tuple[str, ...]:
        """All forms."""
        return self.texts + self.irregular

    @property
    def tops(self) -> frozenset[float]:
        """Where its rows begin."""
        return frozenset(box.top for box in self.boxes)


@dataclass(frozen=True)
class PlateLayout:
    """All kinds, with the alphabets of their texts and the typefaces they are drawn in.

    Attributes:
        alphabets: One-letter name -> its characters.
        typefaces: Names of files, as `BarlowCondensed-*`.
        strokes: How many plates are drawn in strokes of one width instead, 0..1.
        kinds: At least one.
    """

    alphabets: Mapping[str, str]
    typefaces: tuple[str, ...]
    strokes: float
    kinds: tuple[PlateKind, ...]

    @property
    def characters(self) -> frozenset[str]:
        """All that can stand on a plate."""
        found: set[str] = set()
        for kind in self.kinds:
            for c in "".join(kind.drawn):
                found.update(self.alphabets.get(c, c))
        return frozenset(found)


def plate_layout_of(plain: object, where: str = "plates") -> PlateLayout:
    """The layout that a mapping of a yaml describes; docs/plates.md says how.

    Args:
        plain: The mapping.
        where: Its origin, for messages.

    Raises:
        UserError: If it describes none; the message names the kind and the key.
    """
    values = _mapping(plain, _KEYS, where)
    alphabets = {}
    for name, characters in _mapping(values.get("alphabets", {}), None, f"{where}: alphabets").items():
        if len(str(name)) != 1 or not isinstance(characters, str) or not characters:
            raise UserError(
                f"{where}: alphabet {name!r} is {characters!r}; the name must be one letter, and it a text"
            )
        alphabets[str(name)] = characters
    kinds = values.get("kinds")
    if not isinstance(kinds, list) or not kinds:
        raise UserError(f"{where}: kinds must be a list of at least one kind of plate")
    typefaces = values.get("typefaces", [])
    if not isinstance(typefaces, list) or not all(isinstance(name, str) for name in typefaces):
        raise UserError(f"{where}: typefaces is {typefaces!r}, must be a list of file names")
    strokes = _number(values.get("strokes", 0.5), f"{where}: strokes")
    if not 0 <= strokes <= 1:
        raise UserError(f"{where}: strokes is {strokes:g}, must lie in 0..1")
    return PlateLayout(
        alphabets, tuple(typefaces), strokes, tuple(_kind(kind, i + 1, where) for i, kind in enumerate(kinds))
    )


def _kind(plain: object, number: int, where: str) -> PlateKind:
    name = str(plain.get("name", number)) if isinstance(plain, Mapping) else str(number)
    where = f"{where}: kind {name!r}"
    values = _mapping(plain, _KIND_KEYS, where)
    for key in _NEEDED:
        if key not in values:
            raise UserError(f"{where}: {key} is missing")
    ground = values["ground"] if isinstance(values["ground"], list) else [values["ground"]] * 2
    rows = values["rows"] if isinstance(values["rows"], list) else [values["rows"]]
    boxes = tuple(box for row in rows for box in _row(row, where))
    texts, irregular = (_texts(values.get(key, []), where) for key in ("texts", "irregular"))
    for text in texts + irregular:
        if len(text) != len(boxes):
            raise UserError(
                f"{where}: the text {text!r} has {len(text)} characters, the rows {len(boxes)} boxes"
            )
    attributes = _mapping(values.get("attributes", {}), None, f"{where}: attributes")
    border, left = values.get("border"), values.get("left")
    return PlateKind(
        name=name,
        share=_number(values.get("share", 1), f"{where}: share"),
        size=_numbers(values["size"], 2, f"{where}: size"),
        ground=(_colour(ground[0], where), _colour(ground[-1], where)),
        text=_colour(values["text"], where),
        boxes=boxes,
        texts=texts,
        irregular=irregular,
        labels="".join(f" {key}={value}" for key, value in attributes.items()),
        border=None if border is None else _bordered(border, 3, where),
        left=None if left is None else _bordered(left, 2, where),
        own_colours={
            str(c): _colour(colour, where)
            for c, colour in _mapping(values.get("own_colours", {}), None, where).items()
        },
        radius=_number(values.get("radius", 10), f"{where}: radius"),
        dots=tuple(_numbers(dot, 3, f"{where}: dots") for dot in values.get("dots", [])),
        bolts=tuple(_numbers(bolt, 2, f"{where}: bolts") for bolt in values.get("bolts", [])),
    )


def _texts(plain: object, where: str) -> tuple[str, ...]:
    if not isinstance(plain, list):
        raise UserError(f"{where}: texts are {plain!r}, must be a list of forms")
    return tuple("".join(str(text).split()) for text in plain)


def _row(plain: object, where: str) -> list[Box]:
    values = _mapping(plain, _ROW_KEYS, f"{where}: rows")
    for key in ("top", "size", "lefts"):
        if key not in values:
            raise UserError(f"{where}: rows: {key} is missing")
    width, height = _numbers(values["size"], 2, f"{where}: rows: size")
    lefts = _numbers(values["lefts"], None, f"{where}: rows: lefts")
    widths = [_number(values.get("first_width", width), where), *([width] * (len(lefts) - 1))]
    top = _number(values["top"], f"{where}: rows: top")
    return [Box(left, top, w, height) for left, w in zip(lefts, widths, strict=True)]


def _bordered(plain: object, length: int, where: str) -> Any:
    """A colour and the numbers behind it."""
    if not isinstance(plain, list) or len(plain) != length:
        raise UserError(f"{where}: {plain!r} must be a list of a colour and {length - 1} numbers")
    return (_colour(plain[0], where), *_numbers(plain[1:], length - 1, where))


def _colour(plain: object, where: str) -> Colour:
    text = str(plain)
    try:
        if len(text) != 7 or text[0] != "#":
            raise ValueError
        red, green, blue = (int(text[i : i + 2], 16) for i in (1, 3, 5))
    except ValueError:
        raise UserError(f"{where}: {plain!r} is not a colour; write it as '#1a2b3c'") from None
    return float(blue), float(green), float(red)


def _mapping(plain: object, known: Sequence[str] | None, where: str) -> Mapping[str, Any]:
    if not isinstance(plain, Mapping):
        raise UserError(f"{where}: {plain!r} must be a mapping")
    for key in plain if known else ():
        if key not in known:  # type: ignore[operator]
            raise UserError(f"{where}: {unknown_message('key', str(key), known or ())}")
    return plain


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise UserError(f"{where} is {value!r}, must be a number of 0 or more")
    return float(value)


def _numbers(values: object, length: int | None, where: str) -> Any:
    if not isinstance(values, list) or (length is not None and len(values) != length) or not values:
        raise UserError(f"{where} is {values!r}, must be a list of {length or 'some'} numbers")
    return tuple(_number(value, where) for value in values)
