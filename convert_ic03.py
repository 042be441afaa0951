"""ICDAR 2003 to word images or LMDB: `crnn convert ic03`."""

import sys

import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.cli.convert import ic03 as main

if __name__ == "__main__":
    sys.exit(main())
