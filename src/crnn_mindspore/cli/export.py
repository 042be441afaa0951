"""Exports a checkpoint to MINDIR, ONNX, AIR (on Ascend), or a small checkpoint of the weights alone."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.agreement import check_artifact, check_derived, codec_of, preprocessing_of
from crnn_mindspore.artifacts.artifact import Artifact, checked_reading
from crnn_mindspore.artifacts.formats import check_format, output_path
from crnn_mindspore.artifacts.model_path import PRETRAINED, resolve_model
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.data.loading.datasets import create_dataset
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.engines.choices import AscendChoices
from crnn_mindspore.engines.mindspore.opening import open_checkpoint
from crnn_mindspore.engines.mindspore.runtime import find_device
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.parity import compare_on, print_parity
from crnn_mindspore.modelarts.job import run_job
from crnn_mindspore.options.commands import ExportCommandOptions
from crnn_mindspore.options.load import load_options

if TYPE_CHECKING:
    from crnn_mindspore.engines.mindspore.network_backend import MindSporeBackend


def main(argv: Sequence[str] | None = None, program: str = "crnn export", takes_all: bool = False) -> int:
    """Exports as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv

    def command() -> int:
        options = load_options(ExportCommandOptions, arguments, program, __doc__ or "", takes_all)
        return run_job(options, _export)

    return run_command(command, output_is_result=False)


def _check(options: ExportCommandOptions, device_target: str) -> None:
    """Raises UserError where options contradict each other."""
    if options.for_chip and (options.precision != "fp32" or options.verify):
        name = "verify" if options.verify else "precision"
        raise UserError(f"for {options.for_chip}: not with {name}; compare the files with `crnn parity`")
    check_format(options.file_format, device_target, options.precision)
    if not (options.for_chip or options.file_format == "ONNX"):
        may_be_fixed = device_target in ("auto", "Ascend") or options.fixed_shapes == "always"
        is_fixed = options.file_format == "MINDIR" and may_be_fixed
        for name in ("onnx_batch", "onnx_width"):
            if getattr(options, name) and not is_fixed:
                raise UserError(f"{name} needs file_format ONNX, not {options.file_format}")
    if 0 < options.onnx_width < 8:
        raise UserError(
            f"onnx_width is {options.onnx_width}, must be at least 8 (one time step), or 0 for any"
        )
    if options.precision == "int8":
        options.require("calibration_dataset", "calibration_path")
    if options.verify:
        options.require("verify_path")
        if options.file_format == "AIR":
            raise UserError("verify: an AIR file cannot be run, so it cannot be compared with the checkpoint")


def _export(options: ExportCommandOptions) -> int:
    _check(options, options.device_target)
    device_target = find_device(options.device_target)
    _check(options, device_target)
    path = resolve_model(options.ckpt_file or PRETRAINED, options.task)
    if output_path(options.file_name, options.file_format).resolve() == Path(path).resolve():
        raise UserError(f"file_name: the export would take the place of ckpt_file {path}; give another name")
    backend = open_checkpoint(
        path,
        device_target,
        options.device_id,
        lambda: (codec_of(options), preprocessing_of(options)),
        _choices(options, device_target),
    )
    check_derived(options, backend.artifact.kind)
    check_artifact(options, backend.artifact, path)
    if options.reading:
        backend.artifact = replace(backend.artifact, reading=_reading(options.reading))
    # Imports MindSpore, which by now has read its environment.
    from crnn_mindspore.exporting.export import OnnxSize, export_model

    size = OnnxSize(options.onnx_batch, options.onnx_width)
    if options.for_chip:
        return _export_for(options, backend, path, device_target)
    exported = export_model(
        backend,
        options.file_name,
        options.file_format,
        device_target,
        options.precision,
        _calibration(options, backend.artifact) if options.precision == "int8" else (),
        size,
    )
    print(f"exported {path} to {exported}")
    if not options.verify:
        return 0
    opened = open_backend(
        str(exported),
        device_target,
        options.device_id,
        onnx_threads=options.onnx_threads,
        choices=AscendChoices.of(options),
        batch_size=options.batch_size,
    )
    # With --onnx_width, both are compared at that width.
    backend.artifact = replace(backend.artifact, preprocessing=opened.artifact.preprocessing)
    results = compare_on([backend, opened], options.verify, options.verify_path, options.batch_size)
    return print_parity([path, str(exported)], results)


def _choices(options: ExportCommandOptions, device_target: str) -> AscendChoices:
    """Of the settings for Ascend; a model for a chip has one size, and no LSTM that its converter refuses."""
    choices = AscendChoices.of(options)
    if not options.for_chip:
        return choices
    kernel = choices.lstm_kernel
    if kernel == "auto" and device_target != "Ascend":
        kernel = "cells"
    return replace(choices, fixed_shapes="always", lstm_kernel=kernel)


def _export_for(
    options: ExportCommandOptions, backend: "MindSporeBackend", path: str, device_target: str
) -> int:
    from crnn_mindspore.exporting.export import OnnxSize
    from crnn_mindspore.exporting.for_chip import export_for

    width = options.onnx_width or backend.artifact.preprocessing.width
    size = OnnxSize(options.onnx_batch or 1, width)
    files = export_for(backend, options.file_name, options.for_chip, device_target, size)
    print(f"exported {path} to {files.onnx}, {files.mindir} and {files.configuration}")
    print("convert it where MindSpore Lite or CANN is installed, by one of")
    for command in files.commands:
        print(f"  {command}")
    if files.note:
        print(files.note)
    return 0


def _reading(text: str) -> dict[str, Any]:
    """`decoder=prior prior=en widest=160` as a description has it; `none` is nothing."""
    found: dict[str, Any] = {}
    for part in text.split() if text != "none" else ():
        name, _, value = part.partition("=")
        found[name] = int(value) if value.isdecimal() else value
    return checked_reading(found)


def _calibration(options: ExportCommandOptions, artifact: Artifact) -> Iterator[npt.NDArray[np.float32]]:
    from crnn_mindspore.exporting.onnx_precision import calibration_images

    dataset = create_dataset(
        options.calibration_dataset,
        options.calibration_path,
        split="train",
        codec=artifact.codec,
        preprocessing=artifact.preprocessing,
        for_training=False,
    )
    return calibration_images(dataset, options.calibration_images)
