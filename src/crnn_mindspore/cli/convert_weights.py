"""Turns weights of the MindSpore model zoo or of PyTorch into a checkpoint that describes itself, and back.

    crnn convert weights --ckpt_file ZOO.ckpt --output OUT.ckpt
    crnn convert weights --from_torch WEIGHTS.pth --output OUT.ckpt
    crnn convert weights --ckpt_file OWN.ckpt --to_torch WEIGHTS.safetensors

All commands read the zoo's checkpoints as they are; this writes down the alphabet and the image size, so that
they need not be given again, and a training with another alphabet can start from them.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.checkpoint_file import Weights, read_checkpoint_file
from crnn_mindspore.artifacts.model_path import resolve_model
from crnn_mindspore.artifacts.torch.torch_weights import layout_for, read_torch_weights, write_torch_weights
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.sources.charset_file import AUTO, resolve_charset
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.converters import WeightsOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.tasks.channels import channels_text
from crnn_mindspore.tasks.ctc.foreign import describe_foreign
from crnn_mindspore.tasks.ctc.network_spec import GRU
from crnn_mindspore.tasks.ctc.pytorch_models import Given, described
from crnn_mindspore.tasks.finding import allow_task

_OF_A_DESCRIPTION = ("label_dict", "with_space", "image_width")
# Of another project's network; what this project writes says them of itself.
_OF_A_PROJECT = ("blank", "image_colours", "image_resize", "image_mean", "image_std", "leaky_slope")


def main(argv: Sequence[str] | None = None, program: str = "crnn convert weights") -> int:
    """Converts; returns 0, or 2 for a mistake in the options or the weights."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: _convert(load_options(WeightsOptions, arguments, program, __doc__ or "")),
        output_is_result=False,
    )


def _convert(options: WeightsOptions) -> int:
    allow_task(options.task)
    source = options.from_torch or resolve_model(options.ckpt_file, options.task)
    if not source or (options.from_torch and options.ckpt_file):
        raise UserError("give one of ckpt_file and from_torch: what to convert")
    if options.label_dict == AUTO:
        raise UserError("label_dict 'auto' is of a training; give the alphabet of the checkpoint")
    if options.to_torch:
        return _to_torch(options, source)
    target = Path(options.output or (Path(source).with_suffix(".ckpt") if options.from_torch else ""))
    if target.suffix.lower() != ".ckpt":
        raise UserError(f"output {options.output!r} must end in .ckpt")
    if target.resolve() == Path(source).resolve():
        raise UserError(f"output {options.output!r} is the checkpoint to convert")
    weights, artifact = _read(options, source)
    initialize("CPU")
    # Imports MindSpore, which by now has read its environment.
    from crnn_mindspore.engines.mindspore.network_backend import create_network
    from crnn_mindspore.engines.mindspore.parameters import load_weights, write_checkpoint

    load_weights(create_network(artifact), weights, source)  # checks names and shapes
    write_checkpoint(str(target), weights, artifact)
    _report(source, str(target), artifact)
    return 0


def _read(options: WeightsOptions, source: str) -> tuple[Weights, Artifact]:
    """Weights and what describes them, in the file or made of its shapes and the options."""
    if options.from_torch:
        found = read_torch_weights(source)
        if found.artifact is not None:
            _check_not_given(options, source)
            return _in_one_precision(found.weights, found.artifact)
        if found.layout is not None:
            weights, artifact = described(found.weights, found.layout, _given(options), source)
            training = {**artifact.training, "converted_from": Path(source).name}
            return _in_one_precision(weights, replace(artifact, training=training))
        weights, others = found.weights, {}
    else:
        checkpoint = read_checkpoint_file(source)
        if checkpoint.artifact is not None:
            raise UserError(f"{source}: describes itself already, there is nothing to convert")
        weights, others = checkpoint.weights, checkpoint.others
    given = [name for name in _OF_A_PROJECT if name in options.given]
    if given:
        raise UserError(f"{source}: is of no other project of PyTorch; leave out {', '.join(given)}")
    charset = resolve_charset(options.label_dict, with_space=options.with_space)
    artifact = describe_foreign(weights, others, charset, Preprocessing(width=options.image_width), source)
    artifact = replace(artifact, training={"converted_from": Path(source).name})
    return _in_one_precision(weights, artifact) if options.from_torch else (weights, artifact)


def _given(options: WeightsOptions) -> Given:
    return Given(
        options.label_dict if "label_dict" in options.given else "",
        options.with_space,
        options.blank == "first",
        options.image_width if "image_width" in options.given else 0,
        "" if options.image_colours == "auto" else options.image_colours,
        "" if options.image_resize == "auto" else options.image_resize,
        options.image_mean,
        options.image_std,
        options.leaky_slope,
    )


def _to_torch(options: WeightsOptions, source: str) -> int:
    if options.from_torch or options.output:
        name = "from_torch" if options.from_torch else "output"
        raise UserError(f"to_torch takes the place of output and needs ckpt_file: leave out {name}")
    checkpoint = read_checkpoint_file(source)
    artifact = checkpoint.artifact
    if artifact is None:
        _, artifact = _read(options, source)
    else:
        _check_not_given(options, source)
    stored = write_torch_weights(options.to_torch, checkpoint.weights, artifact)
    _report(source, options.to_torch, stored)
    layout = layout_for(stored)
    if layout is not None:
        changed = ", with nn.GRU in place of nn.LSTM" if stored.network.rnn_type == GRU else ""
        print(f"loads into: {layout.made_by}{changed}; the blank is class 0")
    elif stored.task == "ctc":
        print("loads into: TorchCRNN of benchmarks/torch_twin.py")
    else:
        print("loads into: the networks of benchmarks/torch_positions.py")
    return 0


def _check_not_given(options: WeightsOptions, source: str) -> None:
    """Raises UserError where options say what the file says of itself."""
    given = [name for name in (*_OF_A_DESCRIPTION, *_OF_A_PROJECT) if name in options.given]
    if given:
        raise UserError(f"{source}: describes itself; leave out {', '.join(given)}")


def _in_one_precision(weights: Weights, artifact: Artifact) -> tuple[Weights, Artifact]:
    """float16 if all is, else float32, as checkpoints of this project are."""
    kind = np.float16 if all(array.dtype == np.float16 for array in weights.values()) else np.float32
    same = {name: array.astype(kind, copy=False) for name, array in weights.items()}
    return same, replace(artifact, precision="fp16" if kind is np.float16 else "fp32")


def _channels(network: Any) -> str:
    if network.channels:
        return f"channels {channels_text(network.channels)}"
    return f"channel_scale {network.channel_scale:g}"


def _report(source: str, target: str, artifact: Artifact) -> None:
    network = artifact.network
    sizes = f"{network.version}, "
    if artifact.task == "ctc":
        sizes += f"hidden_size {network.hidden_size}, "
    print(
        f"converted {source} to {target}: {sizes}{_channels(network)}, {artifact.codec.num_classes} classes"
    )
