"""Reads words from images over HTTP: an endpoint for programs, and a page for people at its root.

The model is --checkpoint_path, an .onnx file or a .ckpt that describes itself; without it, the weights that
come with the project. --models serves several, each under a name. ONNX Runtime runs them; MindSpore is not
needed.
"""

import sys
from collections.abc import Sequence

from crnn_mindspore.artifacts.agreement import check_artifact, check_derived, kind_in
from crnn_mindspore.artifacts.model_path import PRETRAINED, resolve_model
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import ServeOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.text.decoding import decoding_of


def main(argv: Sequence[str] | None = None, program: str = "crnn serve") -> int:
    """Serves until a signal ends it; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: _serve(load_options(ServeOptions, arguments, program, __doc__ or "")), output_is_result=False
    )


def _serve(options: ServeOptions) -> int:
    # The web framework is an extra.
    from crnn_mindspore.serving.limits import MEBIBYTE, MEGAPIXEL, Limits
    from crnn_mindspore.serving.served_models import ONLY, parse_models
    from crnn_mindspore.serving.service import load_recognizer, run_service

    kind_in(options)  # a module that is named may be imported
    named = parse_models(options.models)
    if options.checkpoint_path or not named:
        if ONLY in named:
            raise UserError(f"models: {ONLY!r} is the name of checkpoint_path; choose another")
        path = resolve_model(options.checkpoint_path or PRETRAINED, options.task)
        named = {ONLY: path, **named}
    limits = Limits(
        body_bytes=options.max_body_mb * MEBIBYTE,
        body_seconds=options.body_seconds,
        image_pixels=options.max_image_megapixels * MEGAPIXEL,
        request_images=options.max_request_images,
        waiting_images=options.max_waiting_images,
        connections=options.max_connections,
        shutdown_seconds=options.shutdown_seconds,
    )
    recognizers = {}
    for name, model in named.items():
        path = resolve_model(model)  # `pretrained` is that of words, whatever the task of another model
        recognizer = load_recognizer(
            path,
            decoding_of(options),
            device_target=options.device_target,
            device_id=options.device_id,
            onnx_threads=options.onnx_threads,
            batch_size=options.batch_size,
        )
        if len(named) == 1:  # what is said of a model can be said of one alone
            check_derived(options, recognizer.backend.artifact.kind)
            check_artifact(options, recognizer.backend.artifact, path)
        recognizers[name] = path, recognizer
    run_service(
        recognizers,
        limits,
        host=options.host,
        port=options.port,
        metrics_port=options.metrics_port,
        allowed_hosts=options.allowed_hosts.split(","),
        batch_wait=options.batch_wait_ms / 1000,
        workers=max(1, options.num_parallel_workers),
    )
    return 0
