"""Exports a checkpoint: `crnn export`, with every option of default_config.yaml."""

import sys
from collections.abc import Sequence

import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.cli import export as command


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.main(argv, "export.py", takes_all=True)


if __name__ == "__main__":
    sys.exit(main())
