"""Where typeface files lie: system folders, pip packages that carry fonts, and the user's folder."""

import os
import sys
from importlib import metadata
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.user_folders import home_folder

EXTENSIONS = (".ttf", ".otf", ".ttc", ".otc")
_NOT_LETTERS = ("symbol", "emoji", "icon", "dingbat", "ornament", "braille", "awesome", "barcode")
_PACKAGES = ("font-", "fontpkg-", "ttf-", "matplotlib")


def system_folders() -> list[Path]:
    """Folders in which this operating system keeps typefaces; they need not exist."""
    home = home_folder()
    own = [] if home is None else [home / ".fonts", home / ".local" / "share" / "fonts"]
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        own = [Path(local) / "Microsoft/Windows/Fonts"] if local else []
        return [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts", *own]
    if sys.platform == "darwin":
        own = [] if home is None else [home / "Library" / "Fonts"]
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), *own]
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), *own]


def files_in(folder: Path) -> list[Path]:
    """Typeface files under the folder, in a fixed order; symbol fonts are left out by name."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            lower = name.lower()
            if lower.endswith(EXTENSIONS) and not any(word in lower for word in _NOT_LETTERS):
                found.append(Path(parent) / name)
    return found


def package_files() -> list[Path]:
    """Typeface files of the installed pip packages whose purpose is to carry fonts."""
    found: set[Path] = set()
    for distribution in metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if not name.startswith(_PACKAGES):
            continue
        for file in distribution.files or []:
            lower = file.name.lower()
            if lower.endswith(EXTENSIONS) and not any(word in lower for word in _NOT_LETTERS):
                found.add(Path(str(distribution.locate_file(file))))
    return sorted(path for path in found if path.is_file())


def find_font_files(font_dir: str | Path | None = None, only: bool = False) -> list[tuple[Path, str]]:
    """All typeface files with the name of the collection each belongs to.

    The collection is the folder for system fonts, 'packages' for those of pip, 'user' for `font_dir`.

    Args:
        font_dir: The user's folder.
        only: Whether to leave out all that lies elsewhere.

    Raises:
        UserError: If `font_dir` is no folder or holds no typeface, or `only` is asked for without it.
    """
    if only and font_dir is None:
        raise UserError("render_only_fonts needs the folder of the typefaces: give --render_fonts")
    found: list[tuple[Path, str]] = []
    if font_dir is not None:
        folder = Path(font_dir)
        if not folder.is_dir():
            raise UserError(f"the font folder {folder} does not exist")
        found += [(path, "user") for path in files_in(folder)]
        if not found:
            raise UserError(f"the font folder {folder} holds no typeface ({', '.join(EXTENSIONS)})")
    if only:
        return found
    found += [(path, "packages") for path in package_files()]
    for folder in system_folders():
        found += [(path, str(path.parent)) for path in files_in(folder)]
    return found
