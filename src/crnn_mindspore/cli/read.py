"""Reads words from images.

IMAGE is a file, a folder, a pattern like 'crops/*.png', a file:// URL, or - for standard input, which holds
an image, or a list of all these, one a line.
"""

import logging
import sys
import time
from collections.abc import Iterator, Sequence

from crnn_mindspore.artifacts.agreement import check_task
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.engines.choices import AscendChoices
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import ReadOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.progress_bar import progress_bar
from crnn_mindspore.reading.named_images import find_images
from crnn_mindspore.reading.page_reading import read_page
from crnn_mindspore.reading.printing import PRINTERS
from crnn_mindspore.reading.recognition import Recognition
from crnn_mindspore.reading.recognizer import Image, Recognizer, name_of
from crnn_mindspore.tasks.finding import allow_task
from crnn_mindspore.text.decoding import decoding_of

_logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None, program: str = "crnn read") -> int:
    """Reads the images named; the exit status is 1 if some could not be read."""
    arguments = sys.argv[1:] if argv is None else argv
    # Results alone go to standard output, so that it can be piped.
    return run_command(
        lambda: _read(load_options(ReadOptions, arguments, program, __doc__ or "")), log_to_stderr=True
    )


def _pages(recognizer: Recognizer, images: Sequence[Image]) -> Iterator[Recognition]:
    """The lines of every image."""
    for number, image in enumerate(images):
        yield from read_page(recognizer, image, name_of(image, number))


def _read(options: ReadOptions) -> int:
    decoding = decoding_of(options)
    if options.characters and options.format == "tsv":
        raise UserError("--characters does not fit into --format=tsv; choose json, jsonl or table")
    allow_task(options.task)
    recognizer = Recognizer.load(
        options.model,
        options.device_target,
        options.device_id,
        decoding,
        options.task,
        onnx_threads=options.onnx_threads,
        choices=AscendChoices.of(options),
        batch_size=options.batch_size,
        top_k=options.top_k,
        characters=options.characters,
        keep_ratio=options.keep_ratio if "keep_ratio" in options.given else None,
    )
    if "task" in options.given:
        check_task(options.task, recognizer.backend.artifact, options.model)
    images = list(find_images(options.images, sys.stdin.buffer, natural=recognizer.reads_one_class))
    start = time.perf_counter()
    failed: list[str] = []
    texts: list[str] = []

    def results() -> Iterator[Recognition]:
        found = _pages(recognizer, images) if options.cut else recognizer.stream(images)
        for result in progress_bar(found, total=len(images), unit="image", leave=False):
            if result.error:
                failed.append(result.error)
            texts.append(result.text)
            yield result

    for line in PRINTERS[options.format](results(), decoding.reject_below > 0):
        print(line, flush=True)
    if recognizer.reads_one_class and options.format == "table":
        print(("\n" if options.cut else "").join(["", *texts] if options.cut else ["text: ", *texts]))
    seconds = time.perf_counter() - start
    _logger.info("read %d images in %.2f s, %.0f a second", len(images), seconds, len(images) / seconds)
    _logger.info("decoder %s", recognizer.decoder.name)
    for note in recognizer.decoder.notes():
        print(f"warning: {note}", file=sys.stderr)
    for error in failed:
        print(f"warning: {error}", file=sys.stderr)
    if failed:
        print(f"error: {len(failed)} of {len(images)} images could not be read", file=sys.stderr)
    return 1 if failed else 0
