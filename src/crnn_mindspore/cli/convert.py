"""Converts data sets, as downloaded, to word images with their annotation, or to LMDB."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from crnn_mindspore.cli.command import run_command
from crnn_mindspore.data.converting.converting import Summary, convert
from crnn_mindspore.data.converting.copying import copy_samples
from crnn_mindspore.data.converting.mat_scenes import read_iiit5k
from crnn_mindspore.data.converting.scene_text import read_icdar
from crnn_mindspore.data.converting.scenes import (
    is_word_list,
    read_tagged_scenes,
    read_word_list,
    with_full_lexicon,
)
from crnn_mindspore.data.converting.word_output import (
    FolderOutput,
    LmdbOutput,
    WordOutput,
    require_no_labels,
    write_comma_annotation,
    write_labels,
)
from crnn_mindspore.data.readers.registry import READERS, load_samples
from crnn_mindspore.data.sources.samples import FilterReport
from crnn_mindspore.options.base import Options
from crnn_mindspore.options.converters import (
    AnnotationOptions,
    Ic03Options,
    IcdarOptions,
    Iiit5kOptions,
    LmdbOptions,
    SvtOptions,
)
from crnn_mindspore.options.load import load_options

_ANNOTATION = "annotation.txt"
Arguments = Sequence[str] | None
Kind = TypeVar("Kind", bound=Options)


def ic03(argv: Arguments = None, program: str = "crnn convert ic03") -> int:
    """ICDAR 2003 robust reading, as downloaded, to word images with `annotation.txt` (or to LMDB).

        crnn convert ic03 -d SceneTrialTest -x SceneTrialTest/words.xml -o OUT_DIR

    `words.xml` (photographs with boxes) and `word.xml` (word images) are both read. The lexicon 'full', all
    words of the file, is kept in `lexicon_full.json`.
    """

    def work(options: Ic03Options) -> int:
        report = FilterReport()
        read = read_word_list if is_word_list(options.xml_file) else read_tagged_scenes
        scenes = with_full_lexicon(read(options.xml_file, report))
        with _annotated_output(options) as output:
            return _print_summary(convert(scenes, options.dataset_dir, output, report))

    return _run(Ic03Options, argv, program, ic03.__doc__, work)


def ic13(argv: Arguments = None, program: str = "crnn convert ic13") -> int:
    """ICDAR 2013, as downloaded, to word images with `annotation.txt` (or to LMDB).

        crnn convert ic13 -d WORD_IMAGES -g WORD_IMAGES/gt.txt -o OUT_DIR
        crnn convert ic13 -d SCENES -g FOLDER_OF_GT_FILES -o OUT_DIR

    The first form is the word recognition task (task 3), the second the scenes with a `gt_img_1.txt` each.
    """
    return _run(IcdarOptions, argv, program, ic13.__doc__, _convert_icdar)


def ic15(argv: Arguments = None, program: str = "crnn convert ic15") -> int:
    """ICDAR 2015, as downloaded, to word images with `annotation.txt` (or to LMDB).

        crnn convert ic15 -d WORD_IMAGES -g WORD_IMAGES/gt.txt -o OUT_DIR
        crnn convert ic15 -d SCENES -g FOLDER_OF_GT_FILES -o OUT_DIR

    The first form is the word recognition task (task 4.3), the second the scenes with a `gt_img_1.txt` each.
    """
    return _run(IcdarOptions, argv, program, ic15.__doc__, _convert_icdar)


def iiit5k(argv: Arguments = None, program: str = "crnn convert iiit5k") -> int:
    """IIIT 5K-Word, as downloaded, to word images with `annotation.txt` (or to LMDB).

        crnn convert iiit5k -m IIIT5K/testdata.mat -o OUT_DIR

    `testdata.mat` / `traindata.mat` have the lexicons of 50 and 1,000 words, kept in `lexicon_50.json` and
    `lexicon_1000.json`; `testCharBound.mat` / `trainCharBound.mat` have the labels in their true case.
    """

    def work(options: Iiit5kOptions) -> int:
        report = FilterReport()
        scenes = read_iiit5k(options.mat_file, report)
        images = options.dataset_dir or os.path.dirname(options.mat_file) or "."
        with _annotated_output(options) as output:
            return _print_summary(convert(scenes, images, output, report))

    return _run(Iiit5kOptions, argv, program, iiit5k.__doc__, work)


def svt(argv: Arguments = None, program: str = "crnn convert svt") -> int:
    """Street View Text, as downloaded, to word images named `..._LABEL.jpg` (or to LMDB).

        crnn convert svt -d svt1 -x svt1/test.xml -o OUT_DIR

    The 50-word lexicon of each photograph is kept in `lexicon_50.json`; `labels.tsv` holds each label as it
    is, of which a file name keeps only letters and digits.
    """

    def work(options: SvtOptions) -> int:
        report = FilterReport()
        scenes = read_tagged_scenes(options.xml_file, report)
        output = LmdbOutput if options.lmdb else _labelled_folder
        with output(options.output_dir) as written:
            return _print_summary(convert(scenes, options.dataset_dir, written, report))

    return _run(SvtOptions, argv, program, svt.__doc__, work)


def lmdb(argv: Arguments = None, program: str = "crnn convert lmdb") -> int:
    """Any data set this project reads to LMDB, and LMDB back to images with `labels.tsv`.

        crnn convert lmdb --dataset synth --dataset_path MJSynth --split train -o MJSYNTH_LMDB
        crnn convert lmdb --dataset lmdb --dataset_path SOME_LMDB -o FOLDER --to folder

    Images are copied byte for byte. One that cannot be decoded is left out and counted; `--keep_unreadable`
    copies it all the same.
    """

    def work(options: LmdbOptions) -> int:
        lexicon = options.lexicon or None
        source = load_samples(options.dataset, options.dataset_path, split=options.split, lexicon=lexicon)
        is_lmdb = options.to == "lmdb"
        folder = options.output_dir if is_lmdb else require_no_labels(options.output_dir)
        with (LmdbOutput if is_lmdb else _labelled_folder)(folder) as written:
            report = copy_samples(source, written, lexicon, check_images=not options.keep_unreadable)
        print("\n".join(report.lines()))
        return 0 if report.kept else 1

    description = f"{lmdb.__doc__}\nData sets: {', '.join(READERS)}, or folder:PATTERN."
    return _run(LmdbOptions, argv, program, description, work)


def _run(
    kind: type[Kind], argv: Arguments, program: str, description: str | None, work: Callable[[Kind], int]
) -> int:
    """Reads the options and converts; returns 0, 1 if no word was written, 2 for a mistake."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: work(load_options(kind, arguments, program, description or "")), output_is_result=False
    )


def _convert_icdar(options: IcdarOptions) -> int:
    report = FilterReport()
    ground_truth = options.ground_truth or os.path.join(options.dataset_dir, "gt.txt")
    scenes = read_icdar(options.dataset_dir, ground_truth, report)
    with _annotated_output(options) as output:
        return _print_summary(convert(scenes, options.dataset_dir, output, report))


def _labelled_folder(folder: str) -> WordOutput:
    """Images with `labels.tsv`."""
    return FolderOutput(folder, write_labels)


def _annotated_output(options: AnnotationOptions) -> WordOutput:
    """Images with `annotation.txt`, or LMDB."""
    if options.lmdb:
        return LmdbOutput(options.output_dir)

    def write(root: str, pairs: list[tuple[str, str]]) -> None:
        write_comma_annotation(root, pairs)
        folder, name = os.path.split(options.output_annotation)
        if folder or name != _ANNOTATION:
            os.makedirs(folder or root, exist_ok=True)
            write_comma_annotation(folder or root, pairs, name)

    return FolderOutput(options.output_dir, write)


def _print_summary(summary: Summary) -> int:
    """Prints what a conversion did; returns the exit status 0, or 1 if no word was written."""
    print("\n".join(summary.lines()))
    return 0 if summary.report.kept else 1
