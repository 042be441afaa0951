"""What the converters' command lines share."""

import argparse
import os
from collections.abc import Sequence

from src.data.converting import Summary, convert
from src.data.samples import FilterReport
from src.data.scene_text import read_icdar
from src.data.word_output import FolderOutput, LmdbOutput, WordOutput, write_comma_annotation, write_labels

_ANNOTATION = "annotation.txt"


def add_output_options(parser: argparse.ArgumentParser, *, annotation: bool) -> None:
    """Adds -o and --lmdb, and -a where the layout has an annotation file."""
    parser.add_argument("-o", "--output_dir", default="./processed", help="folder to write to")
    if annotation:
        parser.add_argument(
            "-a",
            "--output_annotation",
            default=_ANNOTATION,
            help=f"a further copy of the annotation, which is always written to OUTPUT_DIR/{_ANNOTATION}; "
            "a bare name lies in OUTPUT_DIR",
        )
    parser.add_argument("--lmdb", action="store_true", help="make OUTPUT_DIR an LMDB instead")


def annotated_output(args: argparse.Namespace) -> WordOutput:
    """The output of parsed options: images with `annotation.txt`, or LMDB."""
    if args.lmdb:
        return LmdbOutput(args.output_dir)

    def write(root: str, pairs: list[tuple[str, str]]) -> None:
        write_comma_annotation(root, pairs)
        folder, name = os.path.split(args.output_annotation)
        if folder or name != _ANNOTATION:
            os.makedirs(folder or root, exist_ok=True)
            write_comma_annotation(folder or root, pairs, name)

    return FolderOutput(args.output_dir, write)


def labelled_output(args: argparse.Namespace) -> WordOutput:
    """The output of parsed options: images with `labels.tsv`, or LMDB."""
    return LmdbOutput(args.output_dir) if args.lmdb else FolderOutput(args.output_dir, write_labels)


def convert_icdar(title: str, argv: Sequence[str] | None) -> Summary:
    """The converter of ICDAR 2013 and 2015, which were published in the same forms.

    Args:
        title: Name of the data set, for --help.
        argv: The command line without the program's name; the program's own by default.
    """
    parser = argparse.ArgumentParser(description=f"{title} to word images or LMDB")
    parser.add_argument("-d", "--dataset_dir", default="./", help="folder of the images")
    parser.add_argument(
        "-g", "--ground_truth", help="gt.txt of word images, or folder of the scenes' gt_*.txt"
    )
    add_output_options(parser, annotation=True)
    args = parser.parse_args(argv)
    report = FilterReport()
    ground_truth = args.ground_truth or os.path.join(args.dataset_dir, "gt.txt")
    scenes = read_icdar(args.dataset_dir, ground_truth, report)
    with annotated_output(args) as output:
        return convert(scenes, args.dataset_dir, output, report)


def print_summary(summary: Summary) -> int:
    """Prints what a conversion did; returns the exit status 0, or 1 if no word was written."""
    print("\n".join(summary.lines()))
    return 0 if summary.report.kept else 1
