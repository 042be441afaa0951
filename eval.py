"""Evaluates a checkpoint or a MINDIR: `crnn eval`, with every option of default_config.yaml."""

import sys
from collections.abc import Sequence

import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.cli import eval as command


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.main(argv, "eval.py", takes_all=True)


if __name__ == "__main__":
    sys.exit(main())
