"""`python -m crnn_mindspore SUBCOMMAND`: the same as `crnn`."""

import sys


def main() -> int:
    """Runs the subcommand of the command line; a Ctrl-C while Python imports ends it as one later does."""
    try:
        from crnn_mindspore.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
