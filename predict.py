"""Reads words from images: `crnn read`."""

import sys

import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.cli.read import main

if __name__ == "__main__":
    sys.exit(main())
