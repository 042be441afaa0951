"""Words or lines read by this project and by others: accuracy, speed and size in one table.

    python benchmarks/other_readers.py IIIT5K=FOLDER SVT=FOLDER [--checkpoint F.ckpt] [--others_python PYTHON]
    python benchmarks/other_readers.py --task=lines --font_dir=FONTS 360CC=FOLDER signs=FOLDER

A FOLDER holds images and `labels.tsv`. Others are measured where they are installed, and named where not:

    apt-get install tesseract-ocr tesseract-ocr-chi-sim                 # Tesseract 5
    pip install rapidocr==3.10.0 rapidocr-onnxruntime==1.4.4 onnxruntime  # PP-OCRv6 small, PP-OCRv4 mobile

The second may be in an environment of its own, given as `--others_python`; both models are inside the wheels.
Only recognition is measured: an image is one word or line, and nothing is looked for in it.

Each reader is a process of its own with the same encoded images in memory. All images are read once for the
accuracy; for the speed some of them, evenly spread, in turns, from the bytes to the text. int8 is calibrated
on words or lines rendered here, for which MindSpore is needed.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import ROOT, Engines, cores, machine, markdown_table
from benchmarks.reader_processes import OWN_INT8, READERS, TESSERACT, WITH_RAPIDOCR
from crnn_mindspore.artifacts.model_path import PRETRAINED, resolve_model
from crnn_mindspore.data.image_io import UnreadableImageError
from crnn_mindspore.data.readers.folder_dataset import load_folder
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.metric import classic_text
from crnn_mindspore.text.folding import fold_width
from crnn_mindspore.text.interval import Share

CALIBRATION = {  # task -> what `crnn render` is told
    "words": ["--num_train=600", "--seed=77"],
    "lines": ["--num_train=200", "--seed=9", "--lines"],
}


@dataclass(frozen=True)
class MeasuredSet:
    """Images that are measured together: those with the numbers `first` to `first + len(truths) - 1`."""

    name: str
    first: int
    truths: Sequence[str]


@dataclass(frozen=True)
class Row:
    """What is known of a reader.

    Attributes:
        name: Of the reader.
        shares: Right readings of each test set.
        images: Read in a turn.
        seconds: Of each turn.
        megabytes: The files of its model.
        classes: Characters that it tells apart; 0: not known.
    """

    name: str
    shares: Sequence[Share]
    images: int
    seconds: Sequence[float]
    megabytes: float
    classes: int

    def cells(self) -> list[str]:
        """As the table shows them: per cent with 95 % interval, images a second of the median turn, range."""
        speed = [
            self.images / seconds for seconds in (statistics.median(self.seconds), *_range(self.seconds))
        ]
        return [
            self.name,
            *(
                f"{100 * s.rate:.2f} ({100 * s.interval[0]:.2f} to {100 * s.interval[1]:.2f})"
                for s in self.shares
            ),
            f"{speed[0]:.0f} ({speed[2]:.0f} to {speed[1]:.0f})",
            f"{self.megabytes:.1f}",
            f"{self.classes:,}" if self.classes else "",
        ]


def table(rows: Sequence[Row], sets: Sequence[MeasuredSet], task: str) -> str:
    """The rows as markdown."""
    of_sets = [f"{test_set.name}, {len(test_set.truths):,}" for test_set in sets]
    return markdown_table(
        ["reader", *of_sets, f"{task}/s", "model, MB", "characters"], [row.cells() for row in rows]
    )


def lines_text(text: str) -> str:
    """What is compared of a line: protocol `width`, without spaces, which readers set as they like."""
    return re.sub(r"\s", "", fold_width(text))


# Task -> what is compared of a text; of a word, protocol `classic`.
COMPARED: dict[str, Callable[[str], str]] = {"words": classic_text, "lines": lines_text}


def count_right(texts: Sequence[str], truths: Sequence[str], task: str) -> Share:
    """How many texts are right in the protocol of the task."""
    compared = COMPARED[task]
    right = sum(compared(text) == compared(truth) for text, truth in zip(texts, truths, strict=True))
    return Share(right, len(truths))


def spread(total: int, wanted: int) -> list[int]:
    """The numbers of `wanted` of `total` images, evenly spread; of all, if there are no more."""
    count = min(total, wanted)
    return [number * total // count for number in range(count)]


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    args = _parse(argv)
    left_out: dict[str, str] = {}
    with Engines() as engines:
        try:
            sets = _load(args.sets, engines.folder / "images")
            model = resolve_model(args.checkpoint, args.task)
        except (UserError, UnreadableImageError) as error:
            raise SystemExit(f"error: {error}") from None
        int8 = args.int8
        names = [name for name in READERS if args.task == "words" or "word prior" not in name]
        if not int8:
            int8, problem = _to_int8(model, args, engines.folder)
            left_out |= {name: problem for name in names if problem and name.startswith(OWN_INT8)}
        facts: dict[str, dict[str, Any]] = {}
        for name in [name for name in names if name not in left_out]:
            command = [str(Path(__file__).with_name("reader_processes.py")), f"--reader={name}"]
            command += [f"--images={engines.folder / 'images'}", f"--task={args.task}"]
            command += [f"--model={model}", f"--int8={int8}", f"--threads={args.threads}"]
            python = args.others_python if name in WITH_RAPIDOCR else sys.executable
            engines.start(name, command, python, args.threads)
            facts[name] = engines[name].ask("prepare")
            if "missing" in facts[name]:
                left_out[name] = facts.pop(name)["missing"]
        rows = _measure(engines, facts, sets, args)
    print(table(rows, sets, args.task))
    versions = sorted({fact["version"] for name, fact in facts.items() if not name.startswith("ours")})
    print(f"\n{model}; {args.threads} threads; {machine()}; {', '.join(versions)}")
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}")
    if args.json:
        values = [{**vars(row), "shares": [share.as_dict() for share in row.shares]} for row in rows]
        Path(args.json).write_text(json.dumps(values, indent=2), encoding="utf-8")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="+", metavar="NAME=FOLDER", help="images with labels.tsv")
    parser.add_argument("--task", choices=TESSERACT, default="words")
    parser.add_argument("--checkpoint", default=PRETRAINED, help="this project's model, a .ckpt file")
    parser.add_argument(
        "--int8", default="", help="the same in int8, an .onnx file; without it, it is made here"
    )
    parser.add_argument("--font_dir", default="", help="typefaces for what int8 is calibrated on")
    parser.add_argument("--others_python", default=sys.executable, help="interpreter that has rapidocr")
    parser.add_argument("--speed_images", type=int, default=300, help="read in a turn")
    parser.add_argument("--repeats", type=int, default=5, help="turns of every reader")
    parser.add_argument("--threads", type=int, default=0, help="of every reader; 0: the cores")
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args(argv)
    args.sets = [text.partition("=")[::2] for text in args.sets]
    for name, folder in args.sets:
        if not (name and folder):
            parser.error(
                f"{name}={folder}: a set is given as NAME=FOLDER"
                if folder
                else f"{name!r} is not NAME=FOLDER"
            )
    for option in ("speed_images", "repeats"):
        if getattr(args, option) < 1:
            parser.error(f"--{option} is {getattr(args, option)}, must be at least 1")
    if shutil.which(args.others_python) is None:
        parser.error(f"--others_python: no such interpreter: {args.others_python}")
    args.threads = args.threads or cores()
    return args


def _load(sets: Sequence[tuple[str, str]], target: Path) -> list[MeasuredSet]:
    """The test sets; writes their images, as they are, under their numbers."""
    target.mkdir()
    loaded: list[MeasuredSet] = []
    number = 0
    for name, folder in sets:
        source = load_folder(folder)
        if not len(source):
            raise UserError(f"{folder}: no labelled images")
        loaded.append(MeasuredSet(name, number, [source.text(i) for i in range(len(source))]))
        for i in range(len(source)):
            (target / f"{number:06d}").write_bytes(source.image_bytes(i))
            number += 1
    return loaded


def _to_int8(model: str, args: argparse.Namespace, folder: Path) -> tuple[str, str]:
    """The model in int8, calibrated on renders, and "" ; or "" and why there is none."""
    rendered, target = folder / "rendered", folder / "int8.onnx"
    render = ["render", f"--output_dir={rendered}", "--num_test=0", *CALIBRATION[args.task]]
    if args.font_dir:
        render += [f"--font_dir={args.font_dir}", "--only_fonts"]
    export = ["export", f"--ckpt_file={model}", f"--file_name={target}", "--file_format=ONNX"]
    export += ["--precision=int8", "--device_target=CPU", "--calibration_dataset=synth"]
    export += [f"--calibration_path={rendered}"]
    for command in (render, export):
        done = subprocess.run(
            [sys.executable, "-m", "src", *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            return "", f"`crnn {command[0]}`: {lines[-1]}"
    return str(target), ""


def _measure(
    engines: Engines, facts: dict[str, dict[str, Any]], sets: Sequence[MeasuredSet], args: argparse.Namespace
) -> list[Row]:
    shares: dict[str, list[Share]] = {}
    for name in facts:
        shares[name] = []
        for test_set in sets:
            numbers = list(range(test_set.first, test_set.first + len(test_set.truths)))
            texts = engines[name].ask("read", numbers=numbers)["texts"]
            shares[name].append(count_right(texts, test_set.truths, args.task))
    numbers = spread(sum(len(test_set.truths) for test_set in sets), args.speed_images)
    seconds = engines.in_turns(list(facts), "read", args.repeats, numbers=numbers)
    return [
        Row(name, shares[name], len(numbers), seconds[name], fact["megabytes"], fact["classes"])
        for name, fact in facts.items()
    ]


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


if __name__ == "__main__":
    sys.exit(main())
