"""Reads words from images: predict.py IMAGE... [--model FILE.ckpt|FILE.mindir|FILE.onnx]

IMAGE is a file, a folder, a pattern like 'crops/*.png', a file:// URL, or - for standard input, which holds
an image, or a list of all these, one a line.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields

from src.data.named_images import find_images
from src.errors import UserError
from src.inference.backend import PRETRAINED
from src.inference.decoding import DECODERS, Decoding
from src.inference.printing import PRINTERS
from src.inference.recognizer import Recognition, Recognizer
from src.model_utils.command import OptionParser, run_command
from src.progress_bar import progress_bar


def main(argv: Sequence[str] | None = None) -> int:
    """Reads the images named; the exit status is 1 if some could not be read."""
    arguments = _parser().parse_args(argv)
    # Results alone go to standard output, so that it can be piped.
    return run_command(lambda: _predict(arguments), log_to=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="what to read; see above")
    parser.add_argument(
        "--model", default=PRETRAINED, help="a .ckpt, .mindir or .onnx file; by default the project's weights"
    )
    parser.add_argument("--format", choices=PRINTERS, default="table", help="jsonl and tsv print at once")
    parser.add_argument("--top_k", type=int, default=1, help="texts wanted for each image")
    parser.add_argument("--characters", action="store_true", help="confidence and position of each character")
    parser.add_argument(
        "--keep_ratio", action="store_true", help="do not squeeze images longer than the model's input"
    )
    parser.add_argument("--batch_size", type=int, default=64, help="images read at a time")
    decoding = parser.add_argument_group("decoding")
    decoding.add_argument("--decoder", choices=DECODERS, default=Decoding.decoder)
    decoding.add_argument("--lexicon", default=Decoding.lexicon, help="for lexicon: a file, one word a line")
    decoding.add_argument(
        "--beam_width", type=int, default=Decoding.beam_width, help="for beam: prefixes kept at every step"
    )
    decoding.add_argument(
        "--language_model", default=Decoding.language_model, help="for beam: a file, one word a line"
    )
    decoding.add_argument(
        "--language_weight", type=float, default=Decoding.language_weight, help="for beam: its weight"
    )
    decoding.add_argument(
        "--length_bonus", type=float, default=Decoding.length_bonus, help="for beam: added for each character"
    )
    decoding.add_argument(
        "--reject_below",
        type=float,
        default=Decoding.reject_below,
        help="mark readings with a lower confidence as rejected",
    )
    parser.add_argument("--device_target", choices=("CPU", "GPU", "Ascend"), default="CPU")
    parser.add_argument("--device_id", type=int, default=0)
    return parser


def _predict(arguments: argparse.Namespace) -> int:
    decoding = Decoding(**{f.name: getattr(arguments, f.name) for f in fields(Decoding)})
    decoding.check()
    if arguments.characters and arguments.format == "tsv":
        raise UserError("--characters does not fit into --format=tsv; choose json, jsonl or table")
    recognizer = Recognizer.load(
        arguments.model,
        arguments.device_target,
        arguments.device_id,
        decoding,
        batch_size=arguments.batch_size,
        top_k=arguments.top_k,
        characters=arguments.characters,
        keep_ratio=arguments.keep_ratio,
    )
    images = list(find_images(arguments.images, sys.stdin.buffer))
    failed: list[str] = []

    def results() -> Iterator[Recognition]:
        for result in progress_bar(recognizer.stream(images), total=len(images), unit="image", leave=False):
            if result.error:
                failed.append(result.error)
            yield result

    for line in PRINTERS[arguments.format](results(), decoding.reject_below > 0):
        print(line, flush=True)
    for note in recognizer.decoder.notes():
        print(f"warning: {note}", file=sys.stderr)
    for error in failed:
        print(f"warning: {error}", file=sys.stderr)
    if failed:
        print(f"error: {len(failed)} of {len(images)} images could not be read", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
