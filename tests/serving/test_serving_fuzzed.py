"""Requests made of pieces that are cut, swapped, doubled and lied about; FUZZ_SECONDS is for how long.

Each is the function of its number and FUZZ_SEED. Whatever is sent is answered with a status of the interface
or by closing, nothing is logged, and the service reads on.
"""

import base64
import json
import os
import random
import re
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hostile_images import cheap_png, scan_bomb
from running_service import listening, service, talk, wait_for, word_png
from table_backend import TableBackend

from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.limits import Limits

SECONDS = float(os.environ.get("FUZZ_SECONDS", "20"))
SEED = os.environ.get("FUZZ_SEED", "1")
CLIENTS = 8
CAT = word_png("cat")
PICTURES = [CAT, cheap_png(300, 16, 2), scan_bomb(64, 4), b"GIF89a", b"", CAT[:200]]
STATUSES = {200, 204, 400, 403, 404, 405, 408, 413, 415, 421, 422, 429, 431, 503}
NAMES = [
    "Host",
    "Content-Type",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
    "Origin",
    "Upgrade",
]
VALUES = [
    *("x", "", "0", "-1", "9" * 30, "5", "chunked", "gzip, chunked", "identity", "close", "keep-alive"),
    *("100-continue", "websocket", "h2c", "null", "http://[", "multipart/form-data; boundary=", "upgrade"),
    *("multipart/form-data; boundary=b; charset=idna", 'multipart/form-data; boundary="a\\"b"'),
    *("text/plain", "application/json; charset=utf-16", "\xff\xfe", "a" * 5000, "image/png;" * 99),
]  # fmt: skip
PATHS = [
    "/recognize",
    "/models/model/recognize",
    "/health",
    "/metrics",
    "/",
    "/docs",
    "/static/..%2f",
    "/%00",
    "*",
]
QUERIES = ["?top_k=9", "?positions=%ff", "?a&=&&"]


def made(number: int) -> list[bytes]:
    """The parts in which one request is sent."""
    dice = random.Random(f"{SEED} {number}")
    method = dice.choice(["POST"] * 40 + ["GET", "HEAD", "OPTIONS", "PUT", "BREW", ""])
    path = dice.choice(["/recognize"] * 40 + PATHS) + dice.choice([""] * 20 + QUERIES)
    kind, body = dice.choice([_form, _json, _image])(dice)
    body = _mutated(dice, body) if dice.random() < 0.4 else body
    lines = [f"{method} {path} HTTP/{dice.choice(['1.1'] * 30 + ['1.0', '2.0', '0.9'])}".encode(), b"Host: x"]
    lines.append(b"Content-Type: " + kind)
    if dice.random() < 0.3:
        sent, body = b"Transfer-Encoding: chunked", _chunked(dice, body)
    else:
        lie = dice.choice([0] * 20 + [-1, 1, 100])
        sent = b"Content-Length: %d" % max(len(body) + lie, 0)
    lines += [sent, dice.choice([b"Connection: close"] * 4 + [b"Connection: keep-alive"])]
    for _ in range(dice.choice([0, 0, 0, 0, 0, 1, 2, 30])):
        lines.insert(
            dice.randrange(1, len(lines) + 1),
            f"{dice.choice(NAMES)}: {dice.choice(VALUES)}".encode("latin-1"),
        )
    head = dice.choice([b"\r\n"] * 20 + [b"\n"]).join([*lines, b"", b""])
    whole = (_mutated(dice, head) if dice.random() < 0.1 else head) + body
    whole *= dice.choice([1] * 9 + [3, 20])
    cut = dice.randrange(len(whole) + 1)
    return [whole[:cut], whole[cut:]] if dice.random() < 0.5 else [whole]


def _image(dice: random.Random) -> tuple[bytes, bytes]:
    return dice.choice([b"image/png", b"", b"application/octet-stream"]), dice.choice(PICTURES)


def _json(dice: random.Random) -> tuple[bytes, bytes]:
    def value(depth: int) -> object:
        kinds = dice.choice(["image", "image", "text", "number", "list", "object"] if depth < 4 else ["text"])
        if kinds == "list":
            return [value(depth + 1) for _ in range(dice.choice([0, 1, 3, 70]))]
        if kinds == "object":
            return {dice.choice(["image", "images", "name", "x"]): value(depth + 1) for _ in range(3)}
        plain = {
            "image": base64.b64encode(dice.choice(PICTURES)).decode(),
            "text": dice.choice(["", "\ud800", "data:,", "a" * 2000]),
        }
        return plain.get(kinds, dice.choice([None, 1e308, -1, True]))

    found = {"images": value(0)} if dice.random() < 0.5 else value(0)
    return b"application/json", json.dumps(found).encode() * dice.choice([1, 1, 1, 2])


def _form(dice: random.Random) -> tuple[bytes, bytes]:
    boundary = dice.choice([b"b", b"--", b"a b", b"x" * 70, b"x" * 5000])
    parts = []
    for _ in range(dice.choice([0, 1, 1, 2, 70])):
        named = dice.choice(
            [b'; name="a"', b"", b'; name="\xff"', b"; name=a\\", b"; name*=utf-8''%ff; name=\"a\""]
        )
        file = dice.choice(
            [
                b'; filename="a.png"',
                b'; filename="b.png"',
                b'; filename=""',
                b"",
                b'; filename="\x1b]52;c;x\x07"',
            ]
        )
        more = dice.choice([b"", b"Content-Type: x\r\n", b"a: b\r\n" * 50, b"Content-Length: 9\r\n"])
        head = b"Content-Disposition: form-data" + named + file + b"\r\n" + more
        parts.append(b"--" + boundary + b"\r\n" + head + b"\r\n" + dice.choice(PICTURES) + b"\r\n")
    end = b"--" + boundary + dice.choice([b"--\r\n", b"--", b""])
    return b"multipart/form-data; boundary=" + boundary, b"".join(parts) + end


def _mutated(dice: random.Random, data: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 5])):
        start = dice.randrange(len(found) + 1)
        end = min(len(found), start + dice.choice([1, 2, 8, 100]))
        new = dice.choice(
            [b"", dice.randbytes(2), b"\r\n", b"\0", b'"', b"--", bytes(found[start:end]) * 3, b"\xff" * 50]
        )
        found[start:end] = new
    return bytes(found)


def _chunked(dice: random.Random, data: bytes) -> bytes:
    size = dice.choice([1, 7, 100, 10_000])
    chunks = [data[i : i + size] for i in range(0, min(len(data), 400 * size), size)]
    framed = b"".join(b"%x%b\r\n%b\r\n" % (len(c), dice.choice([b"", b"", b";a=b"]), c) for c in chunks)
    return framed + dice.choice(
        [b"0\r\n\r\n", b"0\r\na: b\r\n\r\n", b"0\r\n", b"", b"-1\r\n\r\n", b"ffffffffffffffff\r\n"]
    )


def exchanged(port: int, parts: list[bytes]) -> bytes:
    """What comes back to a request, until the connection closes or nothing comes for a while."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            connection.settimeout(0.15)
            while received := connection.recv(65536):
                answer += received
        except (ConnectionError, TimeoutError):
            pass
    return answer


@pytest.mark.slow
def test_fuzzed_requests_are_answered_or_refused(log: list[str], caplog: pytest.LogCaptureFixture) -> None:
    outcomes: Counter[str] = Counter()
    lock, end = threading.Lock(), time.monotonic() + SECONDS
    numbers = iter(range(1 << 60))
    limits = Limits(body_seconds=1, header_seconds=1, discard_seconds=0.2, image_pixels=100_000)
    with service(Recognizer(TableBackend(["cat"])), limits) as running, listening(running) as port:

        def client() -> None:
            while time.monotonic() < end:
                with lock:
                    number = next(numbers)
                answer = exchanged(port, made(number))
                statuses = re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", answer) or [b"closed"]
                with lock:
                    outcomes.update(s.decode() for s in statuses)
                known = {str(s).encode() for s in STATUSES} | {b"closed", b"100"}
                assert set(statuses) <= known, (number, answer[:500])

        with ThreadPoolExecutor(CLIENTS) as pool:
            for running_client in [pool.submit(client) for _ in range(CLIENTS)]:
                running_client.result()
        wait_for(lambda: len(running.connections) == 0)
        wait_for(lambda: running.reader.waiting == 0)
        whole = b"POST /recognize HTTP/1.1\r\nContent-Type: image/png\r\nConnection: close\r\n"
        assert b'"text":"cat"' in talk(port, whole + b"Content-Length: %d\r\n\r\n" % len(CAT) + CAT)
    print(f"{sum(outcomes.values()):,} answers to {next(numbers):,} requests: {dict(outcomes.most_common())}")
    assert {"200", "400", "415", "422"} <= set(outcomes)
    assert log == []
    assert [record.getMessage() for record in caplog.records] == []  # what other packages would print
