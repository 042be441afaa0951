"""Typefaces: which can be used for which word, found out by drawing.

A file's own table of characters cannot be trusted: many fonts map characters to empty glyphs, to the box of
a missing glyph, or to pictures. So every character is drawn once, and a face is used only for the characters
that come out as something of their own. How readable a face is, is measured too: its letters are compared
with those of plain typefaces.
"""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import load_json
from crnn_mindspore.progress_bar import progress_bar
from crnn_mindspore.synth.typefaces.font_files import find_font_files
from crnn_mindspore.synth.typefaces.glyphs import Glyphs, descriptors, draw_glyphs, drawn_space
from crnn_mindspore.whole_file import whole_file

logger = logging.getLogger(__name__)

CAP_RATIO_DEFAULT = 0.7
PLAIN_LEGIBILITY = 0.97
_MIN_LEGIBILITY = 0.5
_WEIGHTS = (400.0, 600.0, 800.0)
_REFERENCES = (
    "roboto", "lato", "source sans", "source serif", "caladea", "hanken grotesk", "dejavu sans",
    "dejavu serif", "liberation sans", "open sans", "arial", "helvetica", "times", "verdana", "georgia",
    "noto serif", "work sans", "merriweather", "libre baskerville", "montserrat",
)  # fmt: skip
_CACHE_VERSION = 5
_PROBE_SHARE = 0.7


@dataclass(frozen=True)
class Typeface:
    """One face of a family: a file, the index in it, and for a variable font the place on its axes."""

    path: str
    index: int
    axes: tuple[float, ...]
    family: str
    style: str
    collection: str
    characters: frozenset[str]
    cap_ratio: float
    """Height of the capital H in em."""
    legibility: float
    """Share of its letters and digits that look most like the same letter of a plain typeface, 0..1."""

    def covers(self, text: str) -> bool:
        """Whether every character of the text can be drawn."""
        return self.characters.issuperset(text)


@lru_cache(maxsize=512)
def load_font(path: str, index: int, axes: tuple[float, ...], size: int) -> ImageFont.FreeTypeFont:
    """The face at a size in pixels per em; the latest 512 are kept open."""
    font = ImageFont.truetype(path, size, index=index, layout_engine=ImageFont.Layout.BASIC)
    if axes:
        font.set_variation_by_axes(list(axes))
    return font


@dataclass
class FontLibrary:
    """The typefaces of a run.

    A face is drawn in three steps, so that neither a large package nor a large family dominates: first the
    collection (in proportion to the square root of its families), then the family, then the face.

    Args:
        faces: The faces, in a fixed order.
        skipped: How many files or faces were left out, by reason.
    """

    faces: list[Typeface]
    skipped: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if not self.faces:
            raise UserError(
                f"no usable typeface was found ({dict(self.skipped) or 'no files'}); give --font_dir"
            )
        self._all = _sampling_tree(self.faces)
        plain = [face for face in self.faces if face.legibility >= PLAIN_LEGIBILITY]
        self._plain = _sampling_tree(plain) if plain else self._all

    @property
    def families(self) -> int:
        """Number of different families."""
        return len({face.family for face in self.faces})

    def pick(self, rng: np.random.Generator, text: str, plain: bool = False) -> Typeface | None:
        """A face that can draw the text, or None when no face can.

        Args:
            rng: Source of chance.
            text: What must be covered.
            plain: Take a face whose letters look like those of common typefaces.
        """
        tree = self._plain if plain else self._all
        needed = set(text)
        for _ in range(12):
            families = _choose(tree, rng)
            faces = families[int(rng.integers(len(families)))]
            face = faces[int(rng.integers(len(faces)))]
            if face.characters >= needed:
                return face
        able = [face for face in self.faces if face.characters >= needed]
        return able[int(rng.integers(len(able)))] if able else None

    def drawable(self, characters: str) -> str:
        """Those of the characters that at least one face can draw."""
        known = frozenset().union(*(face.characters for face in self.faces))
        return "".join(c for c in characters if c in known)


_Tree = tuple[list[float], list[list[list[Typeface]]]]


def _sampling_tree(faces: Iterable[Typeface]) -> _Tree:
    collections: dict[str, dict[str, list[Typeface]]] = defaultdict(lambda: defaultdict(list))
    for face in faces:
        collections[face.collection][face.family].append(face)
    weights = [
        np.sqrt(sum(f[0].legibility ** 2 for f in families.values())) for families in collections.values()
    ]
    if "user" in collections and len(weights) > 1:  # the user's own folder gets half of the images
        place = list(collections).index("user")
        weights[place] = sum(weights) - weights[place]
    cumulative = np.cumsum(weights) / np.sum(weights)
    return [float(c) for c in cumulative], [list(families.values()) for families in collections.values()]


def _choose(tree: _Tree, rng: np.random.Generator) -> list[list[Typeface]]:
    cumulative, collections = tree
    place = int(np.searchsorted(cumulative, rng.random(), side="right"))
    return collections[min(place, len(collections) - 1)]


def scan_fonts(
    characters: str,
    font_dir: str | Path | None = None,
    cache_file: str | Path | None = None,
    *,
    only_font_dir: bool = False,
    probe: str = "",
) -> FontLibrary:
    """Finds and examines all typefaces.

    Args:
        characters: Every character that may be drawn.
        font_dir: Folder of the user's typefaces, in addition to those of the machine.
        cache_file: JSON file in which results are kept for the next run, keyed by path, time and size of the
            file and by the characters. None examines everything anew.
        only_font_dir: Whether `font_dir` alone is searched.
        probe: Characters of a large alphabet; a face that lacks most of them is left out unexamined, and of
            characters that a face draws alike it is used for the first.

    Raises:
        UserError: If `font_dir` is missing or empty, or no typeface is usable.
    """
    wanted = "".join(sorted(set(characters)))
    cache = _Cache(Path(cache_file) if cache_file else None, wanted, probe)
    skipped: Counter[str] = Counter()
    drawn: list[dict[str, object]] = []
    files = find_font_files(font_dir, only_font_dir)
    for path, collection in progress_bar(
        files, desc="examining typefaces", unit="file", delay=2, leave=False
    ):
        for record in cache.faces(path):
            drawn.append({**record, "collection": collection})
        skipped.update(cache.skipped(path))
    cache.save()
    # Whether faces of another script are readable cannot be told from Latin letters.
    library = FontLibrary(_rank(drawn, skipped, references=[] if probe else None), skipped)
    reasons = ", ".join(f"{count} ({reason})" for reason, count in skipped.items()) or "none"
    logger.info("%d typefaces of %d families; left out: %s", len(library.faces), library.families, reasons)
    return library


def _rank(drawn: list[dict], skipped: Counter[str], references: list[dict] | None = None) -> list[Typeface]:
    """Faces with their legibility measured; repeated and unreadable ones left out."""
    if references is None:
        references = [r for r in drawn if str(r["family"]).lower().startswith(_REFERENCES)]
    step = max(1, len(references) // 16)
    glyphs = Glyphs(references[::step])
    faces: list[Typeface] = []
    seen: set[tuple[str, str, tuple[float, ...]]] = set()
    for record in drawn:
        key = (str(record["family"]), str(record["style"]), tuple(record["axes"]))
        if key in seen:
            skipped["the same face again"] += 1
            continue
        seen.add(key)
        legibility = glyphs.legibility(record)
        if legibility < _MIN_LEGIBILITY:
            skipped["letters not recognisable"] += 1
            continue
        values = {k: v for k, v in record.items() if k != "descriptors"}
        values.update(
            axes=tuple(record["axes"]), characters=frozenset(record["characters"]), legibility=legibility
        )
        faces.append(Typeface(**values))
    return faces


class _Cache:
    """Results of examining files, kept in a JSON file."""

    def __init__(self, path: Path | None, wanted: str, probe: str = "") -> None:
        self._path = path
        self._wanted = wanted
        self._probe = probe
        self._entries: dict[str, dict] = {}
        self._changed = False
        header = {"version": _CACHE_VERSION, "characters": wanted} | ({"probe": probe} if probe else {})
        self._header = header
        if path is not None and path.is_file():
            try:
                content = load_json(path)
                if all(content.get(k) == v for k, v in header.items()):
                    self._entries = content["files"]
            except (OSError, ValueError, KeyError, AttributeError):
                logger.warning("ignoring the unreadable font cache %s", path)

    def _entry(self, path: Path) -> dict:
        try:
            status = path.stat()
        except OSError:  # a link to nothing, or a folder that may not be entered
            return {"faces": [], "skipped": {"cannot be opened": 1}}
        stamp = [status.st_mtime_ns, status.st_size]
        entry = self._entries.get(str(path))
        if entry is None or entry["stamp"] != stamp:
            faces, skipped = examine(path, self._wanted, self._probe)
            entry = {"stamp": stamp, "faces": faces, "skipped": skipped}
            self._entries[str(path)] = entry
            self._changed = True
        return entry

    def faces(self, path: Path) -> list[dict]:
        return self._entry(path)["faces"]

    def skipped(self, path: Path) -> dict[str, int]:
        return self._entry(path)["skipped"]

    def save(self) -> None:
        if self._path is None or not self._changed:
            return
        try:
            with whole_file(self._path) as temporary:
                temporary.write_text(json.dumps({**self._header, "files": self._entries}), encoding="utf-8")
        except OSError as error:
            logger.warning("the font cache %s was not written: %s", self._path, error)


def examine(path: Path, characters: str, probe: str = "") -> tuple[list[dict], dict[str, int]]:
    """What the faces of one file can draw.

    Args:
        path: The file.
        characters: What may be drawn.
        probe: As for `scan_fonts`.

    Returns:
        A record for each usable face (the fields of `Typeface` but for `collection` and `legibility`, and
        'descriptors' of its letters), and the counts of what was left out by reason.
    """
    records: list[dict] = []
    skipped: Counter[str] = Counter()
    for index in range(1 if path.suffix.lower() in (".ttf", ".otf") else 16):
        try:
            base = ImageFont.truetype(str(path), 32, index=index, layout_engine=ImageFont.Layout.BASIC)
            for axes in _instances(base):
                font = load_font.__wrapped__(str(path), index, axes, 32)
                if probe and len(draw_glyphs(font, probe)[0]) < _PROBE_SHARE * len(probe):
                    skipped["other scripts"] += 1
                    continue
                drawn, cap_height = draw_glyphs(font, characters, keep_first=bool(probe))
                if not drawn:
                    skipped["no characters of its own"] += 1
                    continue
                family, style = base.getname()
                records.append(
                    dict(
                        path=str(path), index=index, axes=axes, family=family or path.stem, style=style or "",
                        characters="".join(drawn) + drawn_space(font, characters),
                        cap_ratio=cap_height / 32 or CAP_RATIO_DEFAULT,
                        descriptors=descriptors(drawn),
                    )
                )  # fmt: skip
        except (OSError, ValueError, MemoryError, NotImplementedError):
            if index == 0:
                skipped["cannot be opened"] += 1
            break
    return records, dict(skipped)


def _instances(font: ImageFont.FreeTypeFont) -> Sequence[tuple[float, ...]]:
    """Places on the axes of a variable font: several weights, all else as designed; () if static."""
    try:
        axes = font.get_variation_axes()
    except (OSError, NotImplementedError):
        return [()]
    defaults = [float(axis["default"] or 0) for axis in axes]
    places: list[tuple[float, ...]] = []
    for weight in _WEIGHTS:
        place = list(defaults)
        for i, axis in enumerate(axes):
            name = axis["name"]
            if (name.decode("latin-1") if isinstance(name, bytes) else str(name)).lower() == "weight":
                place[i] = float(min(max(weight, axis["minimum"] or 0), axis["maximum"] or weight))
        if tuple(place) not in places:
            places.append(tuple(place))
    return places
