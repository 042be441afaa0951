"""`python -m crnn_mindspore SUBCOMMAND`: the same as `crnn`."""

import sys

from crnn_mindspore.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
