"""The service from its parts: a model with its decoder, the reader, the application, the socket."""

import logging
from pathlib import Path

import numpy as np

from crnn_mindspore.engines.onnx_backend import OnnxBackend
from crnn_mindspore.errors import UserError
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.answers import health
from crnn_mindspore.serving.app import create_app
from crnn_mindspore.serving.batching import BatchingReader
from crnn_mindspore.serving.limits import Limits
from crnn_mindspore.serving.metrics import Metrics
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
    if not np.isfinite(backend.forward(np.zeros((1, 3, size.height, size.width), np.float32))).all():
        raise UserError(f"{path}: gives numbers that are not finite: its weights are damaged")
    return recognizer


def run_service(
    path: str,
    recognizer: Recognizer,
    limits: Limits,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    batch_wait: float = 0.005,
    workers: int = 2,
) -> None:
    """Answers requests until the process is told to end, then finishes those in flight.

    Args:
        path: Of the model, for messages.
        recognizer: Reads.
        limits: On requests.
        host: Address to listen at.
        port: Its port; 0 for a free one.
        batch_wait: Seconds for which a batch waits for images being prepared.
        workers: Threads that prepare images.

    Raises:
        UserError: If the address cannot be had.
    """
    metrics = Metrics()
    with open_socket(host, port) as listener:
        reader = BatchingReader(
            recognizer,
            batch_wait=batch_wait,
            waiting_images=limits.waiting_images,
            most_pixels=limits.image_pixels,
            workers=workers,
            on_batch=metrics.count_batch,
        )
        metrics.watch_waiting(lambda: reader.waiting)
        description = health(recognizer.backend, Path(path).name, recognizer.decoder.name)
        app = create_app(recognizer.backend, reader, description, metrics, limits)
        _logger.info("model %s, decoder %s", path, recognizer.decoder.name)
        try:
            serve(create_server(app, limits), listener)
        finally:
            reader.close()
    _logger.info("every request is answered")
