"""Build hook: a wheel carries the commit it was built from, for `crnn --version`."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the file `commit` where git knows it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; an editable install asks git itself."""
        command = ["git", "-C", self.root, "describe", "--always", "--dirty", "--exclude=*"]
        try:
            commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return
        if version == "standard":
            file = Path(tempfile.mkdtemp()) / "commit"
            file.write_text(commit, encoding="utf-8")
            build_data["force_include"][str(file)] = "crnn_mindspore/shipped_files/commit"
