"""ICDAR 2003 robust reading, as downloaded, to word images with `annotation.txt` (or to LMDB).

    python convert_ic03.py -d SceneTrialTest -x SceneTrialTest/words.xml -o OUT_DIR -a annotation.txt

`words.xml` (photographs with boxes) and `word.xml` (word images) are both read. The lexicon 'full', all words
of the file, is kept in `lexicon_full.json`.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from src.data.conversion_options import add_output_options, annotated_output, print_summary
from src.data.converting import convert
from src.data.samples import FilterReport
from src.data.scenes import Scene, is_word_list, read_tagged_scenes, read_word_list
from src.model_utils.command import run_command


def with_full_lexicon(scenes: Sequence[Scene]) -> list[Scene]:
    """The scenes with the lexicon 'full': every word of them all, lower-case, sorted.

    Source: Wang et al. 2011, section 5: the full lexicon is all words of the test set.
    """
    words = tuple(
        sorted({region.label.lower() for scene in scenes for region in scene.regions if region.label})
    )
    return [
        replace(scene, regions=tuple(replace(region, lexicons={"full": words}) for region in scene.regions))
        for scene in scenes
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns 0, or 2 for a mistake in the arguments or the data."""
    parser = argparse.ArgumentParser(description="ICDAR 2003 to word images or LMDB")
    parser.add_argument("-d", "--dataset_dir", default="./", help="folder the image names are relative to")
    parser.add_argument("-x", "--xml_file", default="words.xml", help="words.xml or word.xml")
    add_output_options(parser, annotation=True)
    args = parser.parse_args(argv)

    def command() -> int:
        report = FilterReport()
        read = read_word_list if is_word_list(args.xml_file) else read_tagged_scenes
        scenes = with_full_lexicon(read(args.xml_file, report))
        with annotated_output(args) as output:
            return print_summary(convert(scenes, args.dataset_dir, output, report))

    return run_command(command)


if __name__ == "__main__":
    sys.exit(main())
