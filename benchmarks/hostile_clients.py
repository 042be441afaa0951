"""The HTTP service under attack: honest clients beside those that send or take what no client does.

    python benchmarks/hostile_clients.py --images FOLDER [--checkpoint_path F] [--seconds 60]

A real server process on the loopback interface. Eight honest clients ask for one image after the other, first
among themselves, then beside the hostile ones, which have addresses of their own (127.0.0.2 and so on):

- heads: lines of a head without end, as fast as they are taken, on 4 connections
- trickles: a byte of a head or of a body a second, on 64 connections, each begun again when it is closed
- readers: ask for 15 MB and read nothing, on 16 connections
- vanishing: send a form of 12 images of 16 megapixels, and leave, 2 at a time
- bombs: an image of 16 megapixels in 50 KB, or 16 MB of JSON without meaning, with an answer, 4 at a time

Every honest request must have status 200 and the text that it had before.
"""

import argparse
import json
import os
import socket
import statistics
import struct
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import machine, markdown_table
from benchmarks.serve import Load, ask_for, images_in, sampled, server

HONEST = 8
SIDE = 4000  # pixels; 16 megapixels are the service's limit

Attack = Callable[[int, str, threading.Event], str]  # port, source address, end -> what came of one attempt


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 if an honest answer was wrong or missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", required=True, help="folder with word images")
    parser.add_argument("--checkpoint_path", default="", help="the project's weights by default")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--calm_seconds", type=float, default=15, help="before the hostile clients come")
    args = parser.parse_args(argv)
    images = images_in(args.images)
    if not images:
        parser.error(f"{args.images}: no image in this folder")
    with server(args.checkpoint_path) as (pid, port):
        calm = ask_for(port, images, HONEST, args.calm_seconds)
        before = peak_mb(pid)
        memory: list[float] = []
        with hostile(port) as outcomes, sampled(pid, memory):
            beside = ask_for(port, images, HONEST, args.seconds)
        after = ask_for(port, images, HONEST, 5)
        most = peak_mb(pid)
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return report([calm, beside, after], outcomes, [before, most], descriptors)


class hostile:
    """Hostile clients while the context lasts; gives how often each attempt ended how."""

    def __init__(self, port: int) -> None:
        self._end = threading.Event()
        self._outcomes: Counter[tuple[str, str]] = Counter()
        crowd: list[tuple[str, Attack]] = [
            *[("heads", heads)] * 4,
            *[("trickles", trickle)] * 64,
            *[("readers", reader)] * 16,
            *[("vanishing", vanishing)] * 2,
            *[("bombs", bomb)] * 4,
        ]
        self._threads = [
            threading.Thread(target=self._attack, args=(name, attack, port, f"127.0.0.{number + 2}"))
            for number, (name, attack) in enumerate(crowd)
        ]

    def __enter__(self) -> Counter[tuple[str, str]]:
        """Starts them all."""
        for thread in self._threads:
            thread.start()
        return self._outcomes

    def __exit__(self, *_: object) -> None:
        """Ends them all."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _attack(self, name: str, attack: Attack, port: int, source: str) -> None:
        while not self._end.is_set():
            try:
                outcome = attack(port, source, self._end)
            except OSError:
                outcome = "closed"
            self._outcomes[name, outcome] += 1


def _connect(port: int, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(source, 0))


def heads(port: int, source: str, end: threading.Event) -> str:
    """Lines of a head without end."""
    with _connect(port, source) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        while not end.is_set():
            connection.sendall(b"a: b\r\n" * 10_000)
    return "open at the end"


def trickle(port: int, source: str, end: threading.Event) -> str:
    """A byte a second."""
    half = int(source.rpartition(".")[2]) % 2
    body = b"Host: localhost\r\nContent-Length: 1000\r\n\r\n"
    with _connect(port, source) as connection:
        connection.sendall(b"POST /recognize HTTP/1.1\r\n" + (body if half else b"a: "))
        while not end.wait(1):
            connection.sendall(b"x")
    return "open at the end"


def reader(port: int, source: str, end: threading.Event) -> str:
    """Asks, and takes nothing."""
    request = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.bind((source, 0))
        connection.connect(("127.0.0.1", port))
        connection.sendall(request * 10)
        while not end.wait(1):
            connection.send(b"")
            if connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1:  # ESTABLISHED
                return "closed"
    return "open at the end"


def vanishing(port: int, source: str, end: threading.Event) -> str:
    """Twelve large images, for nobody."""
    part = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\n%b\r\n' % PICTURE
    body = part * 12 + b"--b--\r\n"
    with _connect(port, source) as connection:
        connection.sendall(_head("multipart/form-data; boundary=b", body) + body)
        end.wait(0.3)
    return "left"


def bomb(port: int, source: str, _: threading.Event) -> str:
    """What is small to send and large to read."""
    kind, body = "image/png", PICTURE
    if int(source.rpartition(".")[2]) % 4 == 0:
        kind, body = "application/json", b'{"images": [' + b'"A",' * 4_000_000 + b'"A"]}'
    with _connect(port, source) as connection:
        connection.sendall(_head(kind, body) + body)
        status = connection.recv(100).split(b" ")[1:2]
    return f"status {status[0].decode()}" if status else "closed"


def _head(kind: str, body: bytes) -> bytes:
    lines = f"POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nConnection: close\r\n"
    return f"{lines}Content-Length: {len(body)}\r\n\r\n".encode()


def _picture() -> bytes:
    """A white PNG of 16 megapixels, in colour with one transparent value, in some 60 KB."""
    rows = zlib.compress(bytes(1 + 3 * SIDE) * SIDE, 9)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"tRNS", bytes(6))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


PICTURE = _picture()


def peak_mb(pid: int) -> float:
    """The most memory that a process has had, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def report(
    loads: Sequence[Load], outcomes: Mapping[tuple[str, str], int], memory: Sequence[float], descriptors: int
) -> int:
    """Prints the figures; 1 if an honest answer was wrong or missing."""
    print(machine(), end="\n\n")
    rows = []
    for name, load in zip(("8, before", "8 beside the hostile", "8, after"), loads, strict=True):
        percentiles = statistics.quantiles(load.seconds or [0.0, 0.0], n=100)
        times = [
            f"{1000 * value:.0f}"
            for value in (percentiles[49], percentiles[98], max(load.seconds, default=0))
        ]
        rows.append([name, f"{len(load.seconds):,}", f"{load.rate:.0f}", *times])
    print(
        markdown_table(["honest clients", "images", "images/s", "median, ms", "99 %, ms", "most, ms"], rows)
    )
    print("\nhostile attempts: " + json.dumps({" ".join(key): n for key, n in sorted(outcomes.items())}))
    print(f"most memory, MiB: {memory[0]:.0f} before, {memory[1]:.0f} in all; files open: {descriptors}")
    texts: dict[str, set[str]] = {}
    for load in loads:
        for image, found in load.texts.items():
            texts.setdefault(image, set()).update(found)
    errors = [error for load in loads for error in load.errors]
    differing = sum(len(found) > 1 for found in texts.values())
    print(f"honest errors: {len(errors)}; images with different texts: {differing} of {len(texts):,}")
    for error in errors[:5]:
        print(f"  {error}")
    return 1 if errors or differing else 0


if __name__ == "__main__":
    sys.exit(main())
