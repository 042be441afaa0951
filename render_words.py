"""Renders words into the MJSynth layout: numbered folders of JPEG files, annotation files, lexicon.txt.

Example: python render_words.py --output_dir words --num_train 20000 --num_test 2000 --num_workers 2
"""

import argparse
import sys
from collections.abc import Sequence

from src.errors import UserError
from src.synth.writer import WordSetSpec, write_word_set
from src.text.charset import DEFAULT_CHARACTERS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="render_words.py", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--output_dir",
        required=True,
        help="folder to write; new, empty, or an earlier output with --overwrite",
    )
    add("--num_train", type=int, required=True, help="training images")
    add("--num_test", type=int, required=True, help="test images, of words that no training image shows")
    add("--words", help="file with one word a line (UTF-8), optionally a tab and a weight")
    add(
        "--charset", default=DEFAULT_CHARACTERS, help="characters that labels may hold (default: %(default)s)"
    )
    add("--font_dir", help="folder of typefaces, in addition to those of the machine")
    add("--effects", help="yaml that replaces values of configs/effects.yaml")
    add("--seed", type=int, default=0, help="series of images (default: %(default)s)")
    add(
        "--num_workers",
        type=int,
        default=1,
        help="processes; the files do not depend on it (default: %(default)s)",
    )
    add(
        "--difficulty",
        default="1:1",
        help="A:B, from the first training image to the last, 0..1; test images at B",
    )
    add(
        "--max_time_steps",
        type=int,
        default=24,
        help="longest label for CTC (default: %(default)s, width 100)",
    )
    add("--overwrite", action="store_true", help="replace an earlier output of this program")
    return parser


def _difficulty(text: str) -> tuple[float, float]:
    first, _, last = text.partition(":")
    try:
        ends = float(first), float(last or first)
    except ValueError:
        raise UserError(f"--difficulty is {text!r}, must be A:B with numbers in 0..1") from None
    if not all(0 <= end <= 1 for end in ends):
        raise UserError(f"--difficulty is {text!r}, both ends must lie in 0..1")
    return ends


def main(argv: Sequence[str] | None = None) -> int:
    """Renders as the options say; 0 on success, 2 when the user must mend something."""
    args = _parser().parse_args(argv)
    try:
        spec = WordSetSpec(
            num_train=args.num_train,
            num_test=args.num_test,
            characters=args.charset,
            words_file=args.words,
            font_dir=args.font_dir,
            effects_file=args.effects,
            seed=args.seed,
            difficulty=_difficulty(args.difficulty),
            max_time_steps=args.max_time_steps,
        )
        summary = write_word_set(
            args.output_dir, spec, num_workers=args.num_workers, overwrite=args.overwrite
        )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(summary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
