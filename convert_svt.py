"""Street View Text to word images or LMDB: `crnn convert svt`."""

import sys

import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.cli.convert import svt as main

if __name__ == "__main__":
    sys.exit(main())
