"""IIIT 5K-Word to word images or LMDB: `crnn convert iiit5k`."""

import sys

import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.cli.convert import iiit5k as main

if __name__ == "__main__":
    sys.exit(main())
