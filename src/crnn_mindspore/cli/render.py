"""Renders words into the MJSynth layout: numbered folders of JPEG files, annotation files, lexicon.txt.

Images of another --task go to train/ and test/, each with labels.tsv.

Example: crnn render --output_dir words --num_train 20000 --num_test 2000 --num_workers 2
"""

import sys
from collections.abc import Sequence
from types import SimpleNamespace

from crnn_mindspore.artifacts.agreement import kind_in
from crnn_mindspore.artifacts.model_path import WORDS
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import RenderOptions, TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.synth.folder_writer import write_folders
from crnn_mindspore.synth.writer import LineSpec, WordSetSpec, write_word_set

_OF_WORDS = {"words"}
_OF_LINES = {"text", "length", "rare"}
_OF_TASKS = {  # option -> that of training which says the same
    "words": "render_words",
    "font_dir": "render_fonts",
    "only_fonts": "render_only_fonts",
    "photos": "render_photos",
    "effects": "render_effects",
    "seed": "seed",
}
_LINES = {"charset": "configs/charsets/char_std_5990.txt", "max_time_steps": 69}  # of images 280 wide


def main(argv: Sequence[str] | None = None, program: str = "crnn render") -> int:
    """Renders as the options say; 0 on success, 2 when the user must mend something."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: _render(load_options(RenderOptions, arguments, program, __doc__ or "")),
        output_is_result=False,
    )


def _render(options: RenderOptions) -> int:
    options.require("output_dir")
    if options.task != WORDS:
        return _render_task(options)
    other = options.given & (_OF_WORDS if options.lines else _OF_LINES)
    if other:
        raise UserError(f"--{min(other)} is for {'words' if options.lines else 'lines, with --lines'}")
    options = options.replaced(
        **{k: v for k, v in _LINES.items() if options.lines and k not in options.given}
    )
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
        only_font_dir=options.only_fonts,
        lines=LineSpec(options.text or None, options.length, options.rare) if options.lines else None,
    )
    print(
        write_word_set(options.output_dir, spec, num_workers=options.num_workers, overwrite=options.overwrite)
    )
    return 0


def _render_task(options: RenderOptions) -> int:
    """Images of any task's renderer; alphabet and sizes are those of the task."""
    for name in ("charset", "max_time_steps"):
        if name in options.given:
            raise UserError(
                f"--{name} belongs to task {WORDS}; that of {options.task!r} follows from the task"
            )
    values = options.values()
    given = [f"--{name}={values[own]}" for own, name in _OF_TASKS.items() if own in options.given]
    of_task = load_options(TrainOptions, [f"--task={options.task}", "--train_dataset=render", *given])
    kind, splits = kind_in(of_task), {}
    for split, count in (("train", options.num_train), ("test", options.num_test)):
        if count > 0:
            # What is tested on is held out, unless nothing is.
            values = {**of_task.values(), "render_split": split if options.num_test else "all"}
            splits[split] = kind.renderer(SimpleNamespace(**values)), count
    difficulty = _difficulty(options.difficulty)
    print(write_folders(options.output_dir, splits, difficulty, options.num_workers, options.overwrite))
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
