"""Any data set this project reads to LMDB, and LMDB back to images with `labels.tsv`.

    python convert_lmdb.py --dataset synth --dataset_path MJSynth --split train -o MJSYNTH_LMDB
    python convert_lmdb.py --dataset lmdb --dataset_path SOME_LMDB -o FOLDER --to folder

Images are copied byte for byte. One that cannot be decoded is left out and counted; `--keep_unreadable`
copies it all the same.
"""

import argparse
import sys
from collections.abc import Sequence

from src.data.copying import copy_samples
from src.data.word_output import FolderOutput, LmdbOutput, WordOutput, write_labels
from src.dataset import READERS, load_samples
from src.model_utils.command import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns 0, 1 if nothing was written, or 2 for a mistake in the arguments or the data."""
    parser = argparse.ArgumentParser(description="data sets to LMDB and back")
    parser.add_argument(
        "-n", "--dataset", required=True, help=f"one of {', '.join(READERS)}, or folder:PATTERN"
    )
    parser.add_argument("-d", "--dataset_path", required=True, help="its folder")
    parser.add_argument("-s", "--split", default="train", help="train, test or val, where it has them")
    parser.add_argument("-o", "--output_dir", required=True, help="the LMDB or the folder to write")
    parser.add_argument("--to", choices=("lmdb", "folder"), default="lmdb", help="what to write")
    parser.add_argument("--lexicon", help="lexicon to keep: 50, 1000 or full")
    parser.add_argument("--keep_unreadable", action="store_true", help="copy images without decoding them")
    args = parser.parse_args(argv)

    def command() -> int:
        source = load_samples(args.dataset, args.dataset_path, split=args.split, lexicon=args.lexicon)
        output: WordOutput
        if args.to == "lmdb":
            output = LmdbOutput(args.output_dir)
        else:
            output = FolderOutput(args.output_dir, write_labels)
        with output:
            report = copy_samples(source, output, args.lexicon, check_images=not args.keep_unreadable)
        print("\n".join(report.lines()))
        return 0 if report.kept else 1

    return run_command(command)


if __name__ == "__main__":
    sys.exit(main())
