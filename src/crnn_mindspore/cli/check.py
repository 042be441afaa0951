"""Looks through a data set before training: what would be dropped, what is broken, what would fit.

The evaluation set is checked too, and compared with the training set, if its path is given. Exit status: 0 if
training would start, 1 if not, 2 for a mistake in the options.
"""

import json
import sys
from collections.abc import Sequence

from crnn_mindspore.artifacts.agreement import model_of
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.data.checking.check_report import html_page, text_lines
from crnn_mindspore.data.checking.checking import check_sets
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.charset_file import AUTO, derive_characters, label_dict_of
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import CheckOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text_file import write_text


def main(argv: Sequence[str] | None = None, program: str = "crnn check") -> int:
    """Checks as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _check(load_options(CheckOptions, arguments, program, __doc__ or "")))


def _check(options: CheckOptions) -> int:
    if options.train_dataset == "render":
        raise UserError("train_dataset render: is made while training, there is nothing to check")
    options.require("train_dataset_path")
    train = load_samples(options.train_dataset, options.train_dataset_path, split=options.train_split)
    test = None
    if options.eval_dataset_path:
        test = load_samples(options.eval_dataset, options.eval_dataset_path, split=options.eval_split)
    if options.label_dict == AUTO:
        options = options.replaced(label_dict=label_dict_of(Charset(derive_characters(train))))
    model = model_of(options)
    checks = check_sets(
        train,
        test,
        model.codec,
        model.preprocessing,
        options.max_text_length,
        most_images=options.max_images,
        workers=options.num_parallel_workers,
    )
    settings = _settings(model, options.max_text_length)
    if options.json_path:
        record = {"settings": settings, "sets": [check.as_dict() for check in checks]}
        write_text(options.json_path, json.dumps(record, ensure_ascii=False, indent=2))
    if options.html:
        write_text(options.html, html_page(checks, settings))
    print("\n".join(text_lines(checks, settings)))
    return 0 if all(check.starts for check in checks) else 1


def _settings(model: Artifact, max_text_length: int) -> dict[str, str]:
    """What the labels and images are judged by, for people."""
    own = model.preprocessing
    if not isinstance(model.codec, Charset):
        sizes = {"image_width": str(own.width), "image_height": str(own.height)}
        return {"output": model.task, **model.kind.facts(model), **sizes}
    return {
        "label_dict": label_dict_of(model.codec),
        "image_width": f"{own.width} ({own.time_steps} time steps)",
        "image_height": str(own.height),
        "max_text_length": str(max_text_length),
    }
