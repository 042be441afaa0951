"""Clients that send what no client sends, that do not read, that leave, and that come in crowds."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
from hostile_images import cheap_png
from running_service import listening, service, talk, wait_for, word_png
from table_backend import TableBackend

from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.connections import quiet_complaints
from crnn_mindspore.serving.limits import Limits
from crnn_mindspore.serving.turns import ANY, LARGE, Turns

CAT = word_png("cat")
POST = b"POST /recognize HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
WHOLE = POST + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(CAT) + CAT
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
BUNDLE = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def recognizer() -> Recognizer:
    return Recognizer(TableBackend(["cat"]))


def connected(port: int, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has ended a connection; what it sent before is read away."""
    connection.settimeout(0.01)
    try:
        while connection.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def sent_until_closed(port: int, begin: bytes, more: bytes, most: int) -> tuple[int, bytes]:
    """How many bytes a server takes of one beginning and endless repetitions, and what it answers."""
    taken, answer = 0, b""
    with connected(port) as connection:
        try:
            connection.sendall(begin)
            while taken < most:
                connection.sendall(more)
                taken += len(more)
        except ConnectionError:
            pass
        try:
            while received := connection.recv(65536):
                answer += received
        except (ConnectionError, TimeoutError):
            pass
    return taken, answer


def counted(port: int, reason: str) -> bool:
    answer = talk(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return f'crnn_connections_ended_total{{reason="{reason}"}}'.encode() in answer


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (POST, b"a: b\r\n" * 1000),
        (POST + b"a: ", b"b" * 6000),
        (POST, b"b" * 6000),
        (b"GET /?", b"b" * 6000),
        (HEALTH + b"GET /health HTTP/1.1\r\n", b"a: b\r\n" * 1000),
        (CHUNKED + b"0\r\n", b"a: b\r\n" * 1000),
        (CHUNKED + b"4\r\nabcd\r\n0\r\na: ", b"b" * 6000),
        (CHUNKED, b"1\r\nx\r\n" * 1000),
        (CHUNKED, b"1;%b\r\nx\r\n" % (b"e" * 6000)),
    ],
    ids=["lines", "value", "name", "address", "second", "trailers", "trailer", "chunks", "extensions"],
)
def test_heads_trailers_and_framing_are_bounded(
    begin: bytes, more: bytes, recognizer: Recognizer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is sent, the server takes little of it: what does not end is not held."""
    with service(recognizer, Limits(discard_seconds=0.3)) as running, listening(running) as port:
        start = time.monotonic()
        _, answer = sent_until_closed(port, begin, more, 64 << 20)
        assert time.monotonic() - start < 10
        refused = answer.rpartition(b"HTTP/1.1 ")[2]
        assert refused[:4] in (b"431 ", b"400 ", b""), answer
        assert counted(port, "status 431") or counted(port, "status 400")
        assert b'"text":"cat"' in talk(port, WHOLE)
    assert not caplog.records


def test_a_head_above_64_kib_has_status_431_and_one_below_is_read(recognizer: Recognizer) -> None:
    with service(recognizer) as running, listening(running) as port:
        for size, status in ((60_000, b"200"), (66_000, b"431")):
            begin = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\na: "
            answer = talk(port, begin + b"b" * size + b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 " + status), answer[:100]
        assert b"the head of the request is larger than 65,536 bytes" in answer


def test_large_chunks_and_short_trailers_are_read(recognizer: Recognizer) -> None:
    pieces = [CAT[i : i + 64] for i in range(0, len(CAT), 64)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = CHUNKED.replace(b"Host", b"Connection: close\r\nHost")
    with service(recognizer) as running, listening(running) as port:
        assert b'"text":"cat"' in talk(port, head, chunks, b"0\r\nchecksum: 1\r\n\r\n", pause=0.02)


def test_an_answer_that_is_not_taken_ends_the_connection(recognizer: Recognizer) -> None:
    limits = Limits(write_seconds=0.5)
    with service(recognizer, limits) as running, listening(running) as port, ExitStack() as opened:
        for _ in range(5):
            client = opened.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(BUNDLE * 10)
        wait_for(lambda: len(running.connections) == 5)
        assert b'"text":"cat"' in talk(port, WHOLE)
        wait_for(lambda: len(running.connections) == 0)
        assert counted(port, "answer not taken")


def test_requests_sent_ahead_are_answered_in_order_and_are_bounded(recognizer: Recognizer) -> None:
    with service(recognizer) as running, listening(running) as port:
        ahead = HEALTH * 5 + WHOLE.replace(b"Connection: close\r\n", b"") + HEALTH
        answer = talk(port, ahead + HEALTH.replace(b"Host", b"Connection: close\r\nHost"))
        kinds = [b"text" in part for part in answer.split(b"HTTP/1.1 200 ")[1:]]
        assert kinds == [False] * 5 + [True] + [False] * 2
        taken, answer = sent_until_closed(port, b"", HEALTH * 1000, 64 << 20)
        assert taken < 16 << 20
        assert counted(port, "status 429")


def test_a_new_connection_takes_the_place_of_the_one_that_was_waited_for_longest(
    recognizer: Recognizer,
) -> None:
    limits = Limits(connections=4)
    with service(recognizer, limits) as running, listening(running) as port, ExitStack() as opened:
        idle = []
        for sent in (b"", b"GET /", POST + b"Content-Length: 9\r\n\r\n", b""):
            client = opened.enter_context(connected(port))
            client.sendall(sent)
            wait_for(lambda: len(running.connections) == len(idle) + 1)
            idle.append(client)
        for number in range(3):
            assert b'"text":"cat"' in talk(port, WHOLE)
            assert len(running.connections) <= 4
            wait_for(lambda number=number: is_closed(idle[number]) or number > 0)
        assert not is_closed(idle[3])
        assert counted(port, "replaced")


def test_a_crowd_is_refused_in_silence_where_all_connections_are_worked_for(log: list[str]) -> None:
    release = threading.Event()

    class Slow(TableBackend):
        def forward(self, images: np.ndarray) -> np.ndarray:
            assert release.wait(20)
            return super().forward(images)

    limits = Limits(connections=2)
    with service(Recognizer(Slow(["cat"])), limits) as running, listening(running) as port:
        with ThreadPoolExecutor(2) as pool:
            accepted = [pool.submit(talk, port, WHOLE) for _ in range(2)]
            wait_for(lambda: running.reader.waiting == 2)
            for _ in range(20):
                with connected(port) as refused:
                    assert refused.recv(1000).startswith(b"HTTP/1.1 503 ")
            release.set()
            assert all(b'"text":"cat"' in answer.result() for answer in accepted)
        assert counted(port, "refused")
    assert log == []


@pytest.fixture
def slow() -> Iterator[tuple[Recognizer, list[str]]]:
    """A recogniser that takes a tenth of a second to prepare an image, and the names of those it prepared."""
    recognizer = Recognizer(TableBackend(["cat"]))
    prepare, prepared = recognizer.prepare, []

    def slowly(data: bytes, name: str, *others: object) -> object:
        prepared.append(name)
        time.sleep(0.1)
        return prepare(data, name, *others)

    recognizer.prepare = slowly  # type: ignore[method-assign]
    yield recognizer, prepared


def many(count: int, name: str) -> bytes:
    """A request of many images."""
    part = b'--b\r\nContent-Disposition: form-data; name="a"; filename="%b"\r\n\r\n%b\r\n'
    body = (part % (name.encode(), CAT)) * count + b"--b--\r\n"
    head = b"POST /recognize HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    return head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


def test_work_for_a_client_that_has_gone_is_left_undone(slow: tuple[Recognizer, list[str]]) -> None:
    recognizer, prepared = slow
    with service(recognizer) as running, listening(running) as port:
        with connected(port) as gone:
            gone.sendall(many(60, "gone"))
            wait_for(lambda: "gone" in prepared)
        wait_for(lambda: running.reader.waiting == 0)
        assert b'"text":"cat"' in talk(port, WHOLE)
        assert prepared.count("gone") < 20  # of 60, which would take 3 s
        metrics = talk(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b'crnn_requests_total{path="/recognize",status="499"} 1.0' in metrics


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"])
def test_one_image_waits_for_no_crowd(source: str, slow: tuple[Recognizer, list[str]]) -> None:
    """Neither for the many images of another request, nor for the many requests of another client."""
    recognizer, prepared = slow
    with service(recognizer) as running, listening(running) as port, ExitStack() as opened:
        crowd = [many(50, "crowd")] if source == "127.0.0.1" else [many(2, "crowd")] * 25
        for request in crowd:
            opened.enter_context(connected(port)).sendall(request)
        wait_for(lambda: running.reader.waiting > 40)
        before = len(prepared)
        with connected(port, source) as client:
            client.sendall(WHOLE)
            assert b'"text":"cat"' in b"".join(iter(lambda: client.recv(65536), b""))
        assert len(prepared) - before < 8


def test_a_word_waits_for_no_large_image(recognizer: Recognizer) -> None:
    prepare, release = recognizer.prepare, threading.Event()

    def slowly(data: bytes, *others: object) -> object:
        assert data == CAT or release.wait(20)
        return prepare(data, *others)

    recognizer.prepare = slowly  # type: ignore[method-assign]
    with service(recognizer) as running, listening(running) as port, ThreadPoolExecutor(9) as pool:
        large = cheap_png(1100, 8, 2)
        head = POST + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(large)
        waiting = [pool.submit(talk, port, head + large) for _ in range(8)]
        wait_for(lambda: running.reader.waiting == 8)
        for _ in range(5):
            assert b'"text":"cat"' in talk(port, WHOLE)
        release.set()
        assert all(answer.result().startswith(b"HTTP/1.1 200 ") for answer in waiting)


def test_where_the_queue_is_full_the_largest_request_yields(slow: tuple[Recognizer, list[str]]) -> None:
    recognizer, _ = slow
    limits = Limits(request_images=32, waiting_images=32)
    with service(recognizer, limits) as running, listening(running) as port, ThreadPoolExecutor(1) as pool:
        large = pool.submit(talk, port, many(32, "large"))
        wait_for(lambda: running.reader.waiting > 20)
        assert b'"text":"cat"' in talk(port, WHOLE)
        assert large.result().startswith(b"HTTP/1.1 503 ")
        assert b"too many images are waiting; try again" in large.result()


def test_turns_go_by_client_then_by_request() -> None:
    turns: Turns[str] = Turns()
    turns.put("a", 1, ["a1", "a2", "a3"])
    turns.put("a", 2, ["A1", "A2"])
    turns.put("b", 3, ["b1", "b2"])
    assert turns.drop("c", 4) == []
    assert [turns.take()[2] for _ in range(4)] == ["a1", "b1", "A1", "b2"]
    assert turns.displace("b", 3) == []  # of a, which has most, no more wait
    assert turns.displace("b", 1) == ["a2", "a3"]
    assert turns.displace("a", 1) == []  # its own request is no larger
    assert turns.drop("a", 2) == ["A2"]
    turns.put("a", 1, ["huge"], LARGE)
    turns.put("b", 2, ["small"])
    assert turns.take((LARGE, ANY)) == ("a", 1, "huge")
    turns.close()
    assert turns.take((LARGE, ANY)) == ("b", 2, "small")
    assert turns.take() is None


def test_a_lack_of_descriptors_is_said_once(log: list[str]) -> None:
    handle, left = quiet_complaints(), []

    class Loop:
        default_exception_handler: Callable[..., None] = staticmethod(left.append)

    for _ in range(1000):
        context = {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many")}
        handle(Loop(), context)  # type: ignore[arg-type]
    assert log == ["connections cannot be accepted: [Errno 24] Too many"]
    other = {"message": "Fatal error", "exception": RuntimeError("x")}
    handle(Loop(), other)  # type: ignore[arg-type]
    assert left == [other]
