"""What hostile clients cost a whole service: memory, descriptors and log, at ten times what it accepts."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hostile_images import cheap_png
from running_service import wait_for

ROOT = Path(__file__).resolve().parents[2]
CRNN = (sys.executable, "-u", str(ROOT / "src" / "__main__.py"))
WORD = next((ROOT / "examples").glob("*.png")).read_bytes()
HOST = b"Host: localhost\r\n"
POST = b"POST /recognize HTTP/1.1\r\n" + HOST
MIB = 1 << 20
CLIENTS = 16

pytestmark = pytest.mark.slow


@contextmanager
def serving(tmp_path: Path, *options: str, files: int = 1024) -> Iterator[tuple[int, int, Path]]:
    """Process id and port of a service with the project's weights, and its log; it must end with status 0."""
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            ["bash", "-c", f'ulimit -n {files} && exec "$0" "$@"', *CRNN, "serve", "--port=0", *options],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: b"serving on" in log.read_bytes() or process.poll() is not None, 60)
        port = int(re.search(rb"serving on http://\S+:(\d+)", log.read_bytes())[1])
        yield process.pid, port, log
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def read(port: int) -> float:
    """Seconds until a word is read."""
    start = time.monotonic()
    head = POST + b"Content-Type: image/png\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(WORD)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head + WORD)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    return time.monotonic() - start


def send(port: int, begin: bytes, more: bytes, size: int) -> None:
    """Sends one beginning and so many bytes of repetitions, or as many as are taken."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(begin)
            for _ in range(size // len(more)):
                connection.sendall(more)
            connection.settimeout(1)
            connection.recv(1000)
    except OSError:
        pass


CHUNKED = POST + b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
FORM = POST + b"Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
JSON = POST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunks(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (POST, b"a: b\r\n" * 10_000),
        (POST + b"a: ", b"b" * 60_000),
        (CHUNKED + b"0\r\n", b"a: b\r\n" * 10_000),
        (CHUNKED, b"1\r\nx\r\n" * 10_000),
        (CHUNKED, chunks(bytes(60_000))),
        (FORM, chunks(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 1_000)),
        (FORM, chunks(b"--b\r\n" + b"a: b\r\n" * 10_000)),
        (JSON + chunks(b'{"images": ['), chunks(b'"A",' * 15_000)),
        (JSON + chunks(b'{"image": "'), chunks(b"A" * 60_000)),
        (b"", (b"GET /docs HTTP/1.1\r\n" + HOST + b"\r\n") * 1_000),
        (b"", (POST + b"Content-Length: 0\r\n\r\n") * 1_000),
    ],
    ids=[
        *("lines", "value", "trailers", "small_chunks", "body", "fields", "part_heads", "json", "base64"),
        *("pipelined", "pipelined_posts"),
    ],
)
def test_ten_times_what_is_accepted_costs_a_bounded_memory(begin: bytes, more: bytes, tmp_path: Path) -> None:
    """160 MiB on each of 16 connections, of which a body may have 16."""
    with serving(tmp_path) as (pid, port, log):
        read(port)
        before = peak_mib(pid)
        with ThreadPoolExecutor(CLIENTS) as pool:
            for sent in [pool.submit(send, port, begin, more, 160 * MIB) for _ in range(CLIENTS)]:
                sent.result()
        assert read(port) < 10
        # What all bodies may hold, twice, as a form is held in pieces and as a whole.
        assert peak_mib(pid) - before < 512
        assert len(log.read_bytes().splitlines()) < 10, log.read_text(encoding="utf-8")


def test_a_crowd_of_clients_and_few_descriptors_cost_a_line_of_log(tmp_path: Path) -> None:
    """At 64 descriptors, 60 idle clients had the same traceback logged 143,000 times."""
    with serving(tmp_path, files=64) as (pid, port, log), ExitStack() as opened:
        for _ in range(3):
            for _ in range(60):
                client = opened.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
            assert read(port) < 30
        assert len(os.listdir(f"/proc/{pid}/fd")) < 64
        text = log.read_text(encoding="utf-8")
        assert re.search(r"\d+ connections at a time, not 512: this process may open 64 files", text)
        assert len(text.splitlines()) < 10, text


def test_bombs_and_clients_that_leave_delay_a_word_little(tmp_path: Path) -> None:
    bomb = cheap_png(4000, 8, 2)
    part = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\n%b\r\n' % bomb
    body = part * 12 + b"--b--\r\n"
    head = POST + b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n" % len(body)
    with serving(tmp_path) as (pid, port, _):
        read(port)
        alone = max(read(port) for _ in range(10))
        end = threading.Event()

        def leave() -> None:
            while not end.is_set():
                with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                    connection.sendall(head + body)
                    end.wait(0.2)

        with ThreadPoolExecutor(2) as pool:
            leaving = [pool.submit(leave) for _ in range(2)]
            beside = sorted(read(port) for _ in range(40))
            end.set()
            for client in leaving:
                client.result()
        assert beside[35] < 2 + 10 * alone  # it took 7.7 s for one such client
        assert peak_mib(pid) < 1536


def test_metrics_on_a_port_of_their_own(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port_of_metrics = free_port()
    with serving(tmp_path, f"--metrics_port={port_of_metrics}") as (_, port, log):
        assert f"metrics on http://127.0.0.1:{port_of_metrics}" in log.read_text(encoding="utf-8")
        for asked, path, status in (
            (port, "metrics", 404),
            (port, "health", 200),
            (port_of_metrics, "metrics", 200),
            (port_of_metrics, "health", 404),
        ):
            with socket.create_connection(("127.0.0.1", asked), timeout=60) as connection:
                connection.sendall(b"GET /%b HTTP/1.0\r\n\r\n" % path.encode())
                assert connection.recv(100).startswith(b"HTTP/1.1 %d " % status)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A port that nobody listens at."""

    def find() -> int:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            return taken.getsockname()[1]

    return find
