"""The service from its parts: a model with its decoder, the reader, the application, the socket."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from crnn_mindspore.engines.onnx_backend import OnnxBackend
from crnn_mindspore.errors import UserError
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.answers import health
from crnn_mindspore.serving.app import create_app
from crnn_mindspore.serving.batching import BatchingReader
from crnn_mindspore.serving.browsers import BrowserRules
from crnn_mindspore.serving.connections import Connections
from crnn_mindspore.serving.limits import Limits
from crnn_mindspore.serving.metrics import Metrics
from crnn_mindspore.serving.served_models import ServedModel
from crnn_mindspore.serving.server import create_server, open_socket, serve
from crnn_mindspore.text.decoding import Decoding

_logger = logging.getLogger(__name__)


def load_recognizer(
    path: str,
    decoding: Decoding,
    *,
    device_target: str = "auto",
    device_id: int = 0,
    onnx_threads: int = 0,
    batch_size: int = 64,
) -> Recognizer:
    """A model that has read its first batch, on ONNX Runtime.

    Args:
        path: An .onnx file, or a .ckpt that describes itself.
        decoding: How to decode; the words of a lexicon must be in a file.
        device_target: "CPU", "GPU", "Ascend" or "auto"; a .ckpt runs on the CPU only.
        device_id: Which accelerator.
        onnx_threads: That compute; 0 for the cores that this process may use.
        batch_size: Images read at a time.

    Raises:
        UserError: If the model cannot be opened, is no model for ONNX Runtime or gives no finite numbers, or
            the options of decoding are wrong.
    """
    decoding.check()
    if Path(path).suffix.lower() == ".mindir":
        raise UserError(f"{path}: is served from an .onnx file or a checkpoint; write one with `crnn export`")
    recognizer = Recognizer.load(
        path, device_target, device_id, decoding, onnx_threads=onnx_threads, batch_size=batch_size
    )
    for note in recognizer.decoder.notes():
        _logger.warning("%s", note)
    backend = recognizer.backend
    if not isinstance(backend, OnnxBackend):
        if device_target in ("auto", "CPU"):
            raise UserError(
                f"{path}: is no checkpoint that describes itself; make one with `crnn convert weights`"
            )
        raise UserError(f"{path}: export it to ONNX with `crnn export`")
    size = backend.artifact.preprocessing
    if not np.isfinite(
        backend.forward(np.zeros((1, size.channels, size.height, size.width), np.float32))
    ).all():
        raise UserError(f"{path}: gives numbers that are not finite: its weights are damaged")
    return recognizer


def run_service(
    recognizers: Mapping[str, tuple[str, Recognizer]],
    limits: Limits,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    metrics_port: int = 0,
    allowed_hosts: Sequence[str] = (),
    batch_wait: float = 0.005,
    workers: int = 2,
) -> None:
    """Answers requests until the process is told to end, then finishes those in flight.

    Args:
        recognizers: Name -> path of the model, for messages, and what reads with it; the first answers under
            the paths without a name.
        limits: On requests.
        host: Address to listen at.
        port: Its port; 0 for a free one.
        metrics_port: Where the metrics are; 0 for beside the rest.
        allowed_hosts: See `BrowserRules`.
        batch_wait: Seconds for which a batch waits for images being prepared.
        workers: Threads that prepare images.

    Raises:
        UserError: If the address cannot be had.
    """
    metrics, rules = Metrics(), BrowserRules(allowed_hosts, host)
    with ExitStack() as opened:
        ports = [port, *([metrics_port] if metrics_port else [])]
        listeners = [opened.enter_context(open_socket(host, number)) for number in ports]
        served = []
        for name, (path, recognizer) in recognizers.items():
            reader = BatchingReader(
                recognizer,
                batch_wait=batch_wait,
                waiting_images=limits.waiting_images,
                most_pixels=limits.image_pixels,
                workers=workers,
                on_batch=metrics.count_batch,
            )
            opened.callback(reader.close)
            description = health(recognizer.backend, Path(path).name, recognizer.decoder.name)
            served.append(ServedModel(name, recognizer.backend.artifact, reader, description))
            called = f"{name}: " if len(recognizers) > 1 else ""
            _logger.info("%smodel %s, decoder %s", called, path, recognizer.decoder.name)
        metrics.watch_waiting(lambda: sum(model.reader.waiting for model in served))
        connections = Connections(limits, metrics.count_ended)
        metrics.watch_connections(lambda: len(connections))
        app = create_app(served, metrics, limits, rules, metrics_port or None)
        serve(create_server(app, connections), listeners)
    _logger.info("every request is answered")
