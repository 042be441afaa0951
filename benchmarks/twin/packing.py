"""A renderer with its typefaces and words in one file, for a machine that has neither.

`pack` keeps the very renderer: which typefaces there are, how readable they are and how often each is drawn,
the words and their shares. The file holds pickled Python objects: open only one that you packed.
"""

import atexit
import io
import logging
import pickle
import shutil
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.progress_bar import progress_bar
from crnn_mindspore.whole_file import whole_file

_OBJECTS = "renderers.pickle"
_LIBRARIES = ("fonts", "latin", "faces")  # attributes of renderers that hold typefaces

_logger = logging.getLogger(__name__)


def pack(file: Path, renderers: dict[str, Any]) -> str:
    """Writes renderers and their typefaces into a .tar.xz.

    Of every typeface the characters that are drawn are taken alone, with fontTools, if this Python has it:
    files become ten times smaller, and letters stay what they are but for a few typefaces.

    Args:
        file: Of a name that ends in .tar.xz; replaced.
        renderers: By name; what `_LIBRARIES` names of them has `faces` with a `path`.

    Returns:
        What was written, for people.
    """
    faces = faces_of(renderers)
    characters = "".join(sorted(frozenset().union(*(face.characters for face in faces)) | {" "}))
    originals = [face.path for face in faces]
    contents: dict[str, bytes] = {}
    names: dict[str, str] = {}
    for path in progress_bar(sorted(set(originals)), desc="packing typefaces", unit="file"):
        names[path] = f"{len(names)}{Path(path).suffix.lower()}"
        contents[names[path]] = _subset(Path(path), characters)
    try:
        for face in faces:
            _move(face, names[face.path])
        contents[_OBJECTS] = pickle.dumps(renderers)
    finally:
        for face, path in zip(faces, originals, strict=True):
            _move(face, path)
    with whole_file(file) as temporary, tarfile.open(temporary, "w:xz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return f"{file}: {len(faces)} typefaces in {len(names)} files, {file.stat().st_size / 2**20:.1f} MiB"


def unpack(file: Path) -> dict[str, Any]:
    """The renderers that `pack` wrote; the typefaces go to a temporary folder, which stays until the end.

    Raises:
        UserError: If it is not such a file.
    """
    folder = Path(tempfile.mkdtemp(prefix="crnn_typefaces_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
        renderers: dict[str, Any] = pickle.loads((folder / _OBJECTS).read_bytes())
    except (OSError, tarfile.TarError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{file}: is not what --pack_fonts writes: {error}") from None
    for face in faces_of(renderers):
        _move(face, str(folder / face.path))
    return renderers


def faces_of(renderers: dict[str, Any]) -> list[Any]:
    """The different typefaces of all renderers, in order; a typeface is one object in all of them."""
    libraries = [getattr(renderer, name, None) for renderer in renderers.values() for name in _LIBRARIES]
    return list({id(face): face for library in libraries if library for face in library.faces}.values())


def _move(face: Any, path: str) -> None:
    object.__setattr__(face, "path", path)  # in place: the library's trees hold the same objects


def _subset(path: Path, characters: str) -> bytes:
    """The typeface with these characters alone; as it is where that fails."""
    content = path.read_bytes()
    if path.suffix.lower() in (".ttc", ".otc"):
        return content
    with suppress(ImportError):
        from fontTools import subset, ttLib

        options = subset.Options()
        options.hinting = options.legacy_kern = options.notdef_outline = True
        options.layout_features = []  # letters are set one after another, with the old table of kerning alone
        options.name_IDs = ["*"]
        options.drop_tables += ["DSIG", "GPOS", "GSUB", "GDEF", "meta", "STAT", "MVAR"]
        options.recalc_bounds = options.recalc_timestamp = False
        logging.getLogger("fontTools").setLevel(logging.ERROR)
        try:
            font = ttLib.TTFont(io.BytesIO(content), recalcBBoxes=False, recalcTimestamp=False)
            subsetter = subset.Subsetter(options)
            subsetter.populate(text=characters)
            subsetter.subset(font)
            out = io.BytesIO()
            font.save(out)
        except Exception as error:  # fontTools raises anything for a typeface that is not quite right
            _logger.warning("%s: taken whole: %s", path, error)
            return content
        return min(out.getvalue(), content, key=len)
    return content
