"""A folder of photographs for `--render_photos`, from the packages on this machine.

    python benchmarks/photo_folder.py FOLDER [--list configs/photos.txt] [--side 512] [--root /]

Every file of the list is reduced to at most `--side` pixels and written as a JPEG file: small enough to
travel to the machine that trains. What the list names and the machine lacks is said.
"""

import argparse
import glob
import importlib.util
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.data.image_io import UnreadableImageError, decode_image, read_image_file
from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.effects.photographs import SIDE, reduced

_LIST = Path(__file__).resolve().parents[1] / "configs" / "photos.txt"
_PACKAGE = "python:"


def photographs(entries: Sequence[str], root: Path) -> Iterator[tuple[str, np.ndarray | None]]:
    """Name and pixels of every photograph of the list; no pixels where it is missing or unreadable."""
    for entry in entries:
        where, _, member = entry.partition("!")
        paths = _files(where, root)
        if not paths:
            yield entry, None
        for path in paths:
            name = f"{path}!{member}" if member else str(path)
            try:
                yield (
                    name,
                    decode_image(_member(path, member) if member else read_image_file(str(path)), name),
                )
            except UnreadableImageError:
                yield name, None


def _files(where: str, root: Path) -> list[Path]:
    if where.startswith(_PACKAGE):
        package, _, inner = where.removeprefix(_PACKAGE).partition("/")
        found = importlib.util.find_spec(package)
        file = Path(found.origin).parent / inner if found and found.origin else None
        return [file] if file and file.is_file() else []
    return sorted(Path(path) for path in glob.glob(str(root / where.lstrip("/"))))


def _member(archive: Path, member: str) -> bytes:
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UnreadableImageError(f"{archive}!{member}: {error}") from None


def _entries(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"cannot read the list {path}: {error.strerror or error}") from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the folder; 0 on success, 2 when the user must mend something."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--list", type=Path, default=_LIST)
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--quality", type=int, default=80)
    parser.add_argument("--root", type=Path, default=Path("/"), help="where the packages are unpacked")
    args = parser.parse_args(argv)
    written, size, missing = 0, 0, []
    try:
        args.folder.mkdir(parents=True, exist_ok=True)
        for name, pixels in photographs(_entries(args.list), args.root):
            if pixels is None:
                missing.append(name)
                continue
            _, data = cv2.imencode(
                ".jpg", reduced(pixels, args.side), [cv2.IMWRITE_JPEG_QUALITY, args.quality]
            )
            (args.folder / f"{written:03d}.jpg").write_bytes(data.tobytes())
            written, size = written + 1, size + len(data)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: cannot write {args.folder}: {error.strerror or error}", file=sys.stderr)
        return 2
    for name in missing:
        print(f"not on this machine, or unreadable: {name}", file=sys.stderr)
    if not written:
        print(f"error: none of the photographs of {args.list} is on this machine", file=sys.stderr)
        return 2
    print(f"{written} photographs, {size / 1e6:.1f} MB in {args.folder}; {len(missing)} missing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
