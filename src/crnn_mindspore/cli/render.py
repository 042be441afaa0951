"""Renders words into the MJSynth layout: numbered folders of JPEG files, annotation files, lexicon.txt.

Example: crnn render --output_dir words --num_train 20000 --num_test 2000 --num_workers 2
"""

import sys
from collections.abc import Sequence

from crnn_mindspore.cli.command import run_command
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import RenderOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.synth.writer import WordSetSpec, write_word_set


def main(argv: Sequence[str] | None = None, program: str = "crnn render") -> int:
    """Renders as the options say; 0 on success, 2 when the user must mend something."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: _render(load_options(RenderOptions, arguments, program, __doc__ or "")),
        output_is_result=False,
    )


def _render(options: RenderOptions) -> int:
    options.require("output_dir")
    spec = WordSetSpec(
        num_train=options.num_train,
        num_test=options.num_test,
        characters=options.charset,
        words_file=options.words or None,
        font_dir=options.font_dir or None,
        photo_dir=options.photos or None,
        effects_file=options.effects or None,
        seed=options.seed,
        difficulty=_difficulty(options.difficulty),
        max_time_steps=options.max_time_steps,
    )
    print(
        write_word_set(options.output_dir, spec, num_workers=options.num_workers, overwrite=options.overwrite)
    )
    return 0


def _difficulty(text: str) -> tuple[float, float]:
    first, _, last = text.partition(":")
    try:
        ends = float(first), float(last or first)
    except ValueError:
        raise UserError(f"--difficulty is {text!r}, must be A:B with numbers in 0..1") from None
    if not all(0 <= end <= 1 for end in ends):
        raise UserError(f"--difficulty is {text!r}, both ends must lie in 0..1")
    return ends
