"""`crnn serve` as a process: what it prints, how it ends, and that it needs no MindSpore."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest
from conftest import WORDS, Run, TinyModel, assert_refused, word_image

from crnn_mindspore.cli import serve
from crnn_mindspore.reading.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[2]
CAT = cv2.imencode(".png", word_image("cat"))[1].tobytes()

# Python runs a module of this name at its start.
WITHOUT_MINDSPORE = "import sys; sys.modules['mindspore'] = None\n"


@contextmanager
def process(command: list[object], folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server that cannot import MindSpore, and its port."""
    (folder / "sitecustomize.py").write_text(WITHOUT_MINDSPORE)
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHON": sys.executable}
    environment |= {"PYTHONUNBUFFERED": "1", "EXTRA_OPTIONS": "--shutdown_seconds=60"}
    server = subprocess.Popen(
        list(map(str, command)), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        lines = iter(server.stdout.readline, "")
        ports = (re.fullmatch(r"serving on http://127\.0\.0\.1:(\d+)\n", line) for line in lines)
        port = next((int(match[1]) for match in ports if match), None)
        assert port is not None, server.wait()
        yield server, port
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def post(port: int, image: bytes) -> dict[str, object]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/recognize", image, {"Content-Type": "image/png"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["results"][0]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["ckpt", "onnx"])
def test_the_request_in_flight_at_sigterm_is_answered_and_the_status_is_0(
    ending: str, tiny_models: dict[str, TinyModel], tmp_path: Path
) -> None:
    model = tiny_models["V2"].file(ending)
    with process(["bash", ROOT / "scripts" / "run_server.sh", model, 0], tmp_path) as (server, port):
        expected = Recognizer.load(str(model))(
            [cv2.imencode(".png", word_image(w))[1].tobytes() for w in WORDS]
        )
        for word, reading in zip(WORDS, expected, strict=True):
            found = post(port, cv2.imencode(".png", word_image(word))[1].tobytes())
            assert found["text"] == reading.text
            assert found["confidence"] == pytest.approx(reading.confidence, abs=2e-6)

        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            head = "POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
            head += "Expect: 100-continue\r\n"
            connection.sendall(f"{head}Content-Length: {len(CAT)}\r\n\r\n".encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")  # the request is being read
            server.send_signal(signal.SIGTERM)
            # It listens no more, yet it has not gone.
            with pytest.raises(ConnectionError):
                while True:
                    socket.create_connection(("127.0.0.1", port), timeout=60).close()
                    time.sleep(0.05)
            assert server.poll() is None
            connection.sendall(CAT)
            answer = b""
            while received := connection.recv(65536):
                answer += received
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert f'"text":"{expected[0].text}"'.encode() in answer
        assert server.wait(60) == 0
        assert server.stdout.read() == "every request is answered\n"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--checkpoint_path=gone.ckpt"], ["gone.ckpt"]),
        (["--checkpoint_path=model.mindir"], ["model.mindir", ".onnx"]),
        (["--max_request_images=300"], ["max_request_images is 300, above max_waiting_images 256"]),
        (["--max_body_mb=0"], ["max_body_mb is 0, must be at least 1"]),
        (["--port=70000"], ["port is 70000"]),
        (["--decoder=lexicon", "--lexicon=50"], ["lexicon '50'", "name a file"]),
        (["--lexicon=words.txt"], ["lexicon 'words.txt' needs --decoder=lexicon"]),
        (["--label_dict=abc"], ["crnn_v2_half.ckpt: was made with label_dict", "label_dict 'abc' was given"]),
        (["--image_width=160"], ["image_width 160 was given"]),
        (["--ports=1"], ["unknown option 'ports', did you mean 'port'?"]),
    ],
)
def test_a_wrong_option_is_named(options: list[str], parts: list[str], run_program: Run) -> None:
    assert_refused(run_program(serve.main, *options), *parts)


def test_a_port_in_use_is_named(run_program: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = run_program(serve.main, f"--port={port}")
    assert_refused(outcome, f"cannot listen on host 127.0.0.1, port {port}: Address already in use")
