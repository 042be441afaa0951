"""Exports a checkpoint to MINDIR, ONNX, AIR (on Ascend), or a small checkpoint of the weights alone."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.agreement import check_artifact, check_derived, codec_of, preprocessing_of
from crnn_mindspore.artifacts.artifact import Artifact, checked_reading
from crnn_mindspore.artifacts.formats import check_format, output_path
from crnn_mindspore.artifacts.model_path import PRETRAINED, resolve_model
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.data.loading.datasets import create_dataset
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.engines.mindspore.opening import open_checkpoint
from crnn_mindspore.engines.mindspore.runtime import find_device
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.parity import compare_on, print_parity
from crnn_mindspore.modelarts.job import run_job
from crnn_mindspore.options.commands import ExportCommandOptions
from crnn_mindspore.options.load import load_options


def main(argv: Sequence[str] | None = None, program: str = "crnn export", takes_all: bool = False) -> int:
    """Exports as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv

    def command() -> int:
        options = load_options(ExportCommandOptions, arguments, program, __doc__ or "", takes_all)
        return run_job(options, _export)

    return run_command(command, output_is_result=False)


def _export(options: ExportCommandOptions) -> int:
    check_format(options.file_format, options.device_target, options.precision)
    if options.file_format != "ONNX":
        for name in ("onnx_batch", "onnx_width"):
            if getattr(options, name):
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
    device_target = find_device(options.device_target)
    check_format(options.file_format, device_target, options.precision)
    path = resolve_model(options.ckpt_file or PRETRAINED, options.task)
    if output_path(options.file_name, options.file_format).resolve() == Path(path).resolve():
        raise UserError(f"file_name: the export would take the place of ckpt_file {path}; give another name")
    backend = open_checkpoint(
        path, device_target, options.device_id, lambda: (codec_of(options), preprocessing_of(options))
    )
    check_derived(options, backend.artifact.kind)
    check_artifact(options, backend.artifact, path)
    if options.reading:
        backend.artifact = replace(backend.artifact, reading=_reading(options.reading))
    # Imports MindSpore, which by now has read its environment.
    from crnn_mindspore.exporting.export import OnnxSize, export_model

    exported = export_model(
        backend,
        options.file_name,
        options.file_format,
        device_target,
        options.precision,
        _calibration(options, backend.artifact) if options.precision == "int8" else (),
        OnnxSize(options.onnx_batch, options.onnx_width),
    )
    print(f"exported {path} to {exported}")
    if not options.verify:
        return 0
    opened = open_backend(str(exported), device_target, options.device_id, onnx_threads=options.onnx_threads)
    # With --onnx_width, both are compared at that width.
    backend.artifact = replace(backend.artifact, preprocessing=opened.artifact.preprocessing)
    results = compare_on([backend, opened], options.verify, options.verify_path, options.batch_size)
    return print_parity([path, str(exported)], results)


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
