"""Street View Text, as downloaded, to word images named `..._LABEL.jpg` (or to LMDB).

    python convert_svt.py -d svt1 -x svt1/test.xml -o OUT_DIR

The 50-word lexicon of each photograph is kept in `lexicon_50.json`; `labels.tsv` holds each label as it is,
of which a file name keeps only letters and digits.
"""

import argparse
import sys
from collections.abc import Sequence

from src.data.conversion_options import add_output_options, labelled_output, print_summary
from src.data.converting import convert
from src.data.samples import FilterReport
from src.data.scenes import read_tagged_scenes
from src.model_utils.command import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns 0, or 2 for a mistake in the arguments or the data."""
    parser = argparse.ArgumentParser(description="Street View Text to word images or LMDB")
    parser.add_argument("-d", "--dataset_dir", default="./", help="folder the image names are relative to")
    parser.add_argument("-x", "--xml_file", default="test.xml", help="train.xml or test.xml")
    add_output_options(parser, annotation=False)
    args = parser.parse_args(argv)

    def command() -> int:
        report = FilterReport()
        scenes = read_tagged_scenes(args.xml_file, report)
        with labelled_output(args) as output:
            return print_summary(convert(scenes, args.dataset_dir, output, report))

    return run_command(command)


if __name__ == "__main__":
    sys.exit(main())
