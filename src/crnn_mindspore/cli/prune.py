"""Cuts out the channels that do least: a smaller network, to be trained further, evaluated and exported.

    crnn train --pretrained=F.ckpt --gamma_l1=0.3 --optimizer=adamw ...
    crnn prune --ckpt_file=SPARSE.ckpt --prune_share=0.4 --output=SMALL.ckpt
    crnn train --pretrained=SMALL.ckpt ...

How much a channel does is the size of its gamma in batch norm. Those of the whole network are ranked
together, those that residual blocks add to the same channel as one. The smaller network equals the original
with gamma and beta of the cut channels set to 0.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.artifacts.model_path import resolve_model
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.converters import PruneOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.tasks.finding import allow_task

_CHECKPOINT = ".ckpt"


def main(argv: Sequence[str] | None = None, program: str = "crnn prune") -> int:
    """Prunes as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: _prune(load_options(PruneOptions, arguments, program, __doc__ or "")), output_is_result=False
    )


def _prune(options: PruneOptions) -> int:
    allow_task(options.task)
    options.require("ckpt_file", "output")
    source = resolve_model(options.ckpt_file, options.task)
    for name in ("output", "masked"):
        target = Path(getattr(options, name))
        if target.name and target.suffix.lower() != _CHECKPOINT:
            raise UserError(f"{name} {str(target)!r} must end in {_CHECKPOINT}")
        if target.name and target.resolve() == Path(source).resolve():
            raise UserError(f"{name} {str(target)!r} is the checkpoint to prune")
    if options.masked and Path(options.masked).resolve() == Path(options.output).resolve():
        raise UserError(f"output and masked are both {options.output!r}")
    if Path(source).suffix.lower() != _CHECKPOINT:
        raise UserError(f"{source}: is no checkpoint; prune the {_CHECKPOINT} that it was exported from")
    checkpoint = read_checkpoint_file(source)
    artifact = checkpoint.artifact
    if artifact is None:
        raise UserError(f"{source}: does not describe itself; `crnn convert weights` first")
    try:
        groups = artifact.kind.channel_groups(artifact)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    initialize("CPU")
    # Imports MindSpore, which by now has read its environment.
    from crnn_mindspore.exporting import slimming
    from crnn_mindspore.exporting.pruning import write_pruned

    limits = slimming.Limits(options.prune_least, options.prune_layer_share, options.prune_multiple)
    cuts = slimming.choose(checkpoint.weights, groups, options.prune_share, limits, source)
    weights = slimming.pruned(checkpoint.weights, cuts, source)
    training = {**artifact.training, "pruned_from": Path(source).name, "prune_share": options.prune_share}
    network = replace(artifact.network, channels=slimming.channels_of(cuts))
    smaller = replace(artifact, network=network, training=training)
    masked = slimming.masked(checkpoint.weights, cuts), replace(artifact, training=training)
    difference = write_pruned(options.output, (weights, smaller), masked, options.masked)
    print("\n".join(slimming.report_lines(cuts, checkpoint.weights, weights)))
    print(f"pruned {source} to {options.output}; scores within {difference:.1e} of the masked original's")
    return 0
