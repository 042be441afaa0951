"""The last step of run_demo.sh: one table from the JSON files of the steps before."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

MIN_ACCURACY = 0.85


def main() -> int:
    """Prints the table; the exit status is 1 if the demo fell short of what the README promises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work_dir", type=Path)
    parser.add_argument("--seconds", type=float, required=True, help="duration of the whole demo")
    parser.add_argument("--model", default="crnn", help="name of the exports without their endings")
    parser.add_argument("--images", default="words", help="folder of the rendered images")
    arguments = parser.parse_args()
    folder = arguments.work_dir

    training = read(folder / "training" / "train_result.json")
    evaluations = {name: read(folder / f"eval_{name}.json") for name in ("checkpoint", "mindir", "onnx")}
    parity = read(folder / "parity.json")

    rows = [
        ("training", f"{training['images_seen']:,} images in {training['seconds']:.0f} s"),
        ("training speed", f"{training['images_per_second']:.0f} images/s"),
    ]
    for (name, result), compared in zip(evaluations.items(), parity, strict=True):
        rows.append(
            (
                f"word accuracy, {name}",
                f"{result['word_accuracy']:.2%} of {result['total']:,} unseen words "
                f"({result['words_per_second']:.0f} words/s, largest logit difference "
                f"{compared['max_difference']:.1e})",
            )
        )
    rows += [
        ("whole demo", f"{arguments.seconds:.0f} s"),
        ("checkpoint", training["checkpoint"]),
        ("exports", f"{folder}/{arguments.model}.mindir (+ .json), {folder}/{arguments.model}.onnx"),
        ("training curve", f"{folder}/training/train_log.csv"),
        ("every prediction", f"{folder}/predictions.tsv"),
        (f"rendered {arguments.images}", f"{folder}/{arguments.images}"),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")

    accuracies = {result["word_accuracy"] for result in evaluations.values()}
    if len(accuracies) > 1 or min(accuracies) < MIN_ACCURACY:
        print(f"error: expected three equal accuracies of at least {MIN_ACCURACY:.0%}", file=sys.stderr)
        return 1
    return 0


def read(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
