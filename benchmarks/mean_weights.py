"""The mean of two weights of one network, such as those before and after a further training.

    python benchmarks/mean_weights.py BEFORE.ckpt AFTER.ckpt OUT.ckpt

What a network has learnt on new images it often keeps in the mean, with most of what it forgot meanwhile:
Wortsman et al., "Robust fine-tuning of zero-shot models" (2022), https://arxiv.org/abs/2109.01903.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the mean in float32; 0, or 2 where the files do not fit each other."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _mean(arguments), output_is_result=False)


def _mean(arguments: Sequence[str]) -> int:
    if len(arguments) != 3:
        raise UserError("give three files: two to read and the one to write")
    before, after, target = arguments
    if not target.endswith(".ckpt"):
        raise UserError(f"{target}: must end in .ckpt")
    first, second = read_checkpoint_file(before), read_checkpoint_file(after)
    for checkpoint, path in ((first, before), (second, after)):
        if checkpoint.artifact is None:
            raise UserError(f"{path}: describes itself not; `crnn convert weights` writes the description")
    first.artifact.check_same_model(second.artifact, before)
    mean = {
        name: (first.weights[name].astype(np.float32) + weight.astype(np.float32)) / 2
        for name, weight in second.weights.items()
    }
    initialize("CPU")
    # Imports MindSpore, which by now has read its environment.
    from crnn_mindspore.engines.mindspore.parameters import write_checkpoint

    training = {**second.artifact.training, "mean_with": Path(before).name}
    write_checkpoint(target, mean, replace(second.artifact, precision="fp32", training=training))
    print(f"{target}: the mean of {before} and {after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
