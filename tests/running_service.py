"""The service of a recogniser: as an application, and on a socket of its own."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from conftest import TINY_HIDDEN, TINY_SCALE, word_image
from reference import random_weights
from starlette.types import ASGIApp

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.protobuf import prepare_protobuf
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.answers import health
from crnn_mindspore.serving.app import create_app
from crnn_mindspore.serving.batching import BatchingReader
from crnn_mindspore.serving.browsers import BrowserRules
from crnn_mindspore.serving.connections import Connections
from crnn_mindspore.serving.limits import Limits
from crnn_mindspore.serving.metrics import Metrics
from crnn_mindspore.serving.served_models import ServedModel
from crnn_mindspore.serving.server import create_server, open_socket, run
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset

PNG = {"Content-Type": "image/png"}


def word_png(word: str) -> bytes:
    """The image of a word, encoded."""
    return cv2.imencode(".png", word_image(word))[1].tobytes()


def form(images: dict[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    """Name -> image as the files of a form."""
    return [("images", item) for item in images.items()]


def tiny_onnx(**replaced: float) -> bytes:
    """The tiny V2 network with random parameters; its readings are nonsense, but not all the same.

    Args:
        replaced: Name of a parameter, `_` for `.`, and what the first of its numbers is to be.
    """
    prepare_protobuf()
    from crnn_mindspore.artifacts.onnx_graph import build_onnx

    channels = [int(c * TINY_SCALE) for c in (64, 128, 256, 256, 512, 512, 512)]
    weights = random_weights(37, TINY_HIDDEN, channels, "V2")
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    for name, value in replaced.items():
        weights[name.replace("_", ".")].flat[0] = value
    artifact = Artifact(Charset(), Preprocessing(), NetworkSpec("V2", TINY_HIDDEN, TINY_SCALE))
    return build_onnx(weights, artifact).SerializeToString()


@dataclass
class Service:
    """An application and its reader."""

    app: ASGIApp
    reader: BatchingReader
    batches: list[int]
    connections: Connections


@contextmanager
def service(
    recognizer: Recognizer,
    limits: Limits | None = None,
    rules: BrowserRules | None = None,
    **options: float,
) -> Iterator[Service]:
    """The application of a recogniser, and the sizes of the batches that it reads.

    Args:
        recognizer: Reads.
        limits: Those of a server by default.
        rules: On names and pages; by default those of a service that is reached under any name.
        options: Of the reader.
    """
    limits, metrics, batches = limits or Limits(), Metrics(), []

    def on_batch(size: int) -> None:
        batches.append(size)
        metrics.count_batch(size)

    reader = BatchingReader(
        recognizer,
        waiting_images=limits.waiting_images,
        most_pixels=limits.image_pixels,
        on_batch=on_batch,
        **options,
    )
    metrics.watch_waiting(lambda: reader.waiting)
    description = health(recognizer.backend, "tiny.onnx", recognizer.decoder.name)
    try:
        yield Service(
            create_app(
                [ServedModel("model", recognizer.backend.artifact, reader, description)],
                metrics,
                limits,
                rules,
            ),
            reader,
            batches,
            Connections(limits, metrics.count_ended),
        )
    finally:
        reader.close()


@contextmanager
def listening(running: Service) -> Iterator[int]:
    """The port at which a real server answers for the application."""
    server = create_server(running.app, running.connections)
    with open_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=run, args=(server, [listener]))
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield port
        finally:
            server.should_exit = True
            thread.join()


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Returns once the condition holds; an AssertionError if it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def talk(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What a server answers to bytes sent part by part, seconds apart, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for number, part in enumerate(parts):
            time.sleep(pause if number else 0)
            connection.sendall(part)
        answer = b""
        while received := connection.recv(65536):
            answer += received
        return answer
