"""`python -m src SUBCOMMAND`: the same as `crnn`, where nothing is installed."""

import sys

from crnn_mindspore.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
