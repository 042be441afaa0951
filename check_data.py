"""Looks through a data set before training: what would be dropped, what is broken, what would fit.

    python check_data.py --train_dataset=folder --train_dataset_path=DIR [--eval_dataset=... \\
        --eval_dataset_path=DIR] [--html report.html] [--json report.json]

Takes the options of train.py, so that the same command line can be checked first; the evaluation set is
checked too, and compared with the training set, if its path is given. Exit status: 0 if training would
start, 1 if not, 2 for a mistake in the options.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from src.data.charset_file import resolve_characters
from src.data.check_report import html_page, text_lines
from src.data.checking import check_sets
from src.data.text_file import write_text
from src.dataset import load_samples
from src.model_utils.command import run_command
from src.model_utils.config import load_config
from src.text.charset import Charset


def main(argv: Sequence[str] | None = None) -> int:
    """Checks as the options say; returns the exit status."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--html", default="", help="file for the report as a page")
    parser.add_argument("--json", default="", help="file for the report as JSON")
    parser.add_argument("--max_images", type=int, default=20_000, help="images to look at; 0 for all")
    parser.add_argument("--train_split", default="train")
    parser.add_argument("--eval_split", default="test")
    own, rest = parser.parse_known_args(argv)
    return run_command(lambda: _check(own, rest))


def _check(own: argparse.Namespace, rest: Sequence[str]) -> int:
    config = load_config(
        rest, f"{__doc__}\nFurther options: --html, --json, --max_images, --train_split, --eval_split"
    )
    config.require("train_dataset_path")
    train = load_samples(config.train_dataset, config.train_dataset_path, split=own.train_split)
    test = None
    if config.eval_dataset_path:
        test = load_samples(config.eval_dataset, config.eval_dataset_path, split=own.eval_split)
    charset = Charset(resolve_characters(config.label_dict, train))
    preprocessing = config.preprocessing
    checks = check_sets(
        train,
        test,
        charset,
        preprocessing,
        config.max_text_length,
        most_images=own.max_images,
        workers=config.num_parallel_workers,
    )
    settings = {
        "label_dict": charset.characters,
        "image_width": f"{preprocessing.width} ({preprocessing.time_steps} time steps)",
        "image_height": str(preprocessing.height),
        "max_text_length": str(config.max_text_length),
    }
    print("\n".join(text_lines(checks, settings)))
    if own.json:
        record = {"settings": settings, "sets": [check.as_dict() for check in checks]}
        write_text(own.json, json.dumps(record, ensure_ascii=False, indent=2))
    if own.html:
        write_text(own.html, html_page(checks, settings))
    return 0 if all(check.starts for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
