"""ICDAR 2015, as downloaded, to word images with `annotation.txt` (or to LMDB).

    python convert_ic15.py -d WORD_IMAGES -g WORD_IMAGES/gt.txt -o OUT_DIR
    python convert_ic15.py -d SCENES -g FOLDER_OF_GT_FILES -o OUT_DIR

The first form is the word recognition task (task 3), the second the scenes with a `gt_img_1.txt` each.
"""

import sys
from collections.abc import Sequence

from src.data.conversion_options import convert_icdar, print_summary
from src.model_utils.command import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns 0, or 2 for a mistake in the arguments or the data."""
    return run_command(lambda: print_summary(convert_icdar("ICDAR 2015", argv)))


if __name__ == "__main__":
    sys.exit(main())
