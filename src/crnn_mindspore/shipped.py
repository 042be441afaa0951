"""Where the files lie that come with the project: default_config.yaml, configs/, pretrained/.

They stand at the top of a checkout, where people read and change them. A wheel holds copies in the package.
"""

import subprocess
from importlib import metadata
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_COPIES = PACKAGE / "shipped_files"  # made when the wheel is built, see pyproject.toml


def shipped(name: str) -> Path:
    """The path of a shipped file or folder, named as at the top of a checkout."""
    return (_COPIES if _COPIES.is_dir() else _top()) / name


def found(path: str) -> str:
    """The path as it is, or of the shipped file of that name where there is none."""
    return str(shipped(path)) if not Path(path).exists() and shipped(path).is_file() else path


def checkout() -> Path | None:
    """The top of the checkout that this package lies in; None where it was installed from a wheel."""
    return _top() if (_top() / "default_config.yaml").is_file() else None


def version() -> str:
    """`1.0.0 (commit 8e765a5)`; the commit only where it is known."""
    try:
        number = metadata.version("crnn-mindspore")
    except metadata.PackageNotFoundError:
        number = "not installed"
    commit = _commit()
    return f"{number} (commit {commit})" if commit else number


def _top() -> Path:
    return PACKAGE.parents[1]


def _commit() -> str:
    """Of the checkout as git tells it, or of the one that the wheel was built from."""
    if checkout() is None:
        file = _COPIES / "commit"
        return file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    command = ["git", "-C", str(_top()), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
