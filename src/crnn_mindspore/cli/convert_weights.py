"""Turns a checkpoint of the MindSpore model zoo into one that describes itself.

    crnn convert weights --ckpt_file ZOO.ckpt --output OUT.ckpt

All commands read the zoo's checkpoints as they are; this writes down the alphabet and the image size, so that
they need not be given again, and a training with another alphabet can start from them.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.sources.charset_file import AUTO, resolve_charset
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.converters import WeightsOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.tasks.ctc.foreign import describe_foreign


def main(argv: Sequence[str] | None = None, program: str = "crnn convert weights") -> int:
    """Converts; returns 0, or 2 for a mistake in the options or the checkpoint."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: _convert(load_options(WeightsOptions, arguments, program, __doc__ or "")),
        output_is_result=False,
    )


def _convert(options: WeightsOptions) -> int:
    source, target = options.ckpt_file, Path(options.output)
    if target.suffix.lower() != ".ckpt":
        raise UserError(f"output {options.output!r} must end in .ckpt")
    if target.resolve() == Path(source).resolve():
        raise UserError(f"output {options.output!r} is the checkpoint to convert")
    if options.label_dict == AUTO:
        raise UserError("label_dict 'auto' is of a training; give the alphabet of the checkpoint")
    charset = resolve_charset(options.label_dict, with_space=options.with_space)
    preprocessing = Preprocessing(width=options.image_width)
    initialize("CPU")
    # Imports MindSpore, which by now has read its environment.
    from crnn_mindspore.engines.mindspore.network_backend import create_network
    from crnn_mindspore.engines.mindspore.parameters import load_weights, write_checkpoint

    checkpoint = read_checkpoint_file(source)
    if checkpoint.artifact is not None:
        raise UserError(f"{source}: describes itself already, there is nothing to convert")
    artifact = describe_foreign(checkpoint.weights, checkpoint.others, charset, preprocessing, source)
    load_weights(create_network(artifact), checkpoint.weights, source)  # checks names and shapes
    artifact = replace(artifact, training={"converted_from": Path(source).name})
    write_checkpoint(options.output, checkpoint.weights, artifact)
    network = artifact.network
    print(
        f"converted {source} to {target}: {network.version}, hidden_size {network.hidden_size}, "
        f"channel_scale {network.channel_scale:g}, {charset.num_classes} classes"
    )
    return 0
