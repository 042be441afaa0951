"""What a machine says of itself; a test puts another in its place."""

import ctypes
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """Files, environment and programs.

    Attributes:
        root: Where the file system begins.
        environment: The variables.
    """

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def text(self, path: str) -> str:
        """Of a file; "" where there is none that can be read."""
        try:
            return (self.root / path.lstrip("/")).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def paths(self, pattern: str) -> list[Path]:
        """The files of a pattern such as /dev/davinci[0-9]*."""
        return sorted(self.root.glob(pattern.lstrip("/")))

    def output(self, command: Sequence[str], seconds: float = 20) -> str | None:
        """What a program prints; None where there is none of this name, or it fails."""
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
                env=dict(self.environment),
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    def has_program(self, name: str) -> bool:
        """Whether the PATH has a program of this name."""
        return shutil.which(name, path=self.environment.get("PATH", "")) is not None

    def version(self, package: str) -> str:
        """Of an installed package; "" without it."""
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return ""

    def has_module(self, name: str) -> bool:
        """Whether Python would find a module."""
        try:
            return importlib.util.find_spec(name) is not None
        except (ImportError, ValueError):
            return False

    def has_library(self, name: str) -> bool:
        """Whether the system loads a shared library."""
        try:
            ctypes.CDLL(name)
        except OSError:
            return False
        return True

    def free_bytes(self, folder: str) -> int:
        """Free for this user where a folder is, or would be made."""
        path = Path(folder).absolute()
        while not path.exists():
            path = path.parent
        return shutil.disk_usage(path).free
