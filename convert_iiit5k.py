"""IIIT 5K-Word, as downloaded, to word images with `annotation.txt` (or to LMDB).

    python convert_iiit5k.py -m IIIT5K/testdata.mat -o OUT_DIR -a annotation.txt

`testdata.mat` / `traindata.mat` have the lexicons of 50 and 1,000 words, kept in `lexicon_50.json` and
`lexicon_1000.json`; `testCharBound.mat` / `trainCharBound.mat` have the labels in their true case.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from src.data.conversion_options import add_output_options, annotated_output, print_summary
from src.data.converting import convert
from src.data.mat_scenes import read_iiit5k
from src.data.samples import FilterReport
from src.model_utils.command import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns 0, or 2 for a mistake in the arguments or the data."""
    parser = argparse.ArgumentParser(description="IIIT 5K-Word to word images or LMDB")
    parser.add_argument("-m", "--mat_file", default="testdata.mat", help="the annotation")
    parser.add_argument("-d", "--dataset_dir", help="folder of the images; that of the .mat file by default")
    add_output_options(parser, annotation=True)
    args = parser.parse_args(argv)

    def command() -> int:
        report = FilterReport()
        scenes = read_iiit5k(args.mat_file, report)
        images = args.dataset_dir or os.path.dirname(args.mat_file) or "."
        with annotated_output(args) as output:
            return print_summary(convert(scenes, images, output, report))

    return run_command(command)


if __name__ == "__main__":
    sys.exit(main())
