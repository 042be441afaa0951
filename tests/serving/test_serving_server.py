"""The server on a socket: slow, lying and vanishing clients."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from running_service import listening, service, talk, tiny_onnx, wait_for, word_png
from table_backend import TableBackend

from crnn_mindspore.errors import UserError
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.limits import Limits
from crnn_mindspore.serving.served_models import parse_models
from crnn_mindspore.serving.server import open_socket
from crnn_mindspore.serving.service import load_recognizer
from crnn_mindspore.text.decoding import Decoding

CAT = word_png("cat")


def head(*lines: str) -> bytes:
    """The head of a request with an image as its body."""
    fixed = "POST /recognize HTTP/1.1", "Host: x", "Content-Type: image/png"
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


WHOLE = head(f"Content-Length: {len(CAT)}", "Connection: close") + CAT


@pytest.fixture
def recognizer() -> Recognizer:
    return Recognizer(TableBackend(["cat"]))


def test_an_image_in_pieces_and_in_chunks_is_read(recognizer: Recognizer) -> None:
    with service(recognizer) as running, listening(running) as port:
        half = len(WHOLE) // 2
        assert b'"text":"cat"' in talk(port, WHOLE[:half], WHOLE[half:], pause=0.05)
        pieces = chunk(CAT[:100]), chunk(CAT[100:]), b"0\r\n\r\n"
        answer = talk(port, head("Transfer-Encoding: chunked", "Connection: close"), *pieces, pause=0.02)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"text":"cat"' in answer


def test_a_slow_body_ends_with_408(recognizer: Recognizer) -> None:
    with service(recognizer, Limits(body_seconds=0.3)) as running, listening(running) as port:
        answer = talk(port, head(f"Content-Length: {len(CAT)}") + CAT[:50])
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"the body did not arrive within 0.3 seconds" in answer


def test_slow_clients_hold_up_nobody(recognizer: Recognizer) -> None:
    begun = head(f"Content-Length: {len(CAT)}", "Expect: 100-continue")
    with service(recognizer) as running, listening(running) as port, ExitStack() as slow_clients:
        for _ in range(50):
            client = slow_clients.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            client.sendall(begun)
            assert client.recv(100).startswith(b"HTTP/1.1 100 ")
            client.sendall(CAT[:50])
        assert b'"text":"cat"' in talk(port, WHOLE)


@pytest.mark.parametrize(
    "sent", [b"", b"POST /recog", WHOLE.replace(b"Connection: close", b"X: y") + b"GET /"]
)
def test_a_connection_without_a_whole_head_is_closed(sent: bytes, recognizer: Recognizer) -> None:
    limits = Limits(header_seconds=0.5)
    with service(recognizer, limits) as running, listening(running) as port:
        # `talk` ends when the server closes; the answer to a request before is complete.
        answer = talk(port, sent)
        assert answer == b"" or answer.endswith(b"}]}")


def test_a_request_that_takes_longer_than_a_head_may_is_answered(recognizer: Recognizer) -> None:
    limits = Limits(header_seconds=1.0)
    with service(recognizer, limits) as running, listening(running) as port:
        begun = head(f"Content-Length: {len(CAT)}", "Connection: close")
        assert b'"text":"cat"' in talk(port, begun, CAT, pause=1.3)


def test_too_large_a_body_is_refused_while_it_arrives(recognizer: Recognizer) -> None:
    limits = Limits(body_bytes=2000, discard_seconds=0.3)
    with service(recognizer, limits) as running, listening(running) as port:
        # More is announced than allowed; nothing more needs to be sent.
        answer = talk(port, head("Content-Length: 2001", "Expect: 100-continue"))
        assert answer.startswith(b"HTTP/1.1 413 ")
        # No length is announced, and the end never comes.
        answer = talk(port, head("Transfer-Encoding: chunked"), *[chunk(bytes(800))] * 12)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"the body is larger than 2,000 bytes" in answer
        # Less is announced than sent: what is beyond is no part of the request.
        lying = head("Content-Length: 10", "Connection: close") + bytes(5000)
        assert talk(port, lying).startswith(b"HTTP/1.1 415 ")
        assert b'"text":"cat"' in talk(port, WHOLE)


def test_the_bodies_of_all_clients_together_are_bounded(recognizer: Recognizer) -> None:
    limits = Limits(body_bytes=len(CAT), held_bytes=len(CAT) + 100)
    with service(recognizer, limits) as running, listening(running) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
            slow.sendall(head(f"Content-Length: {len(CAT)}", "Expect: 100-continue"))
            assert slow.recv(100).startswith(b"HTTP/1.1 100 ")
            slow.sendall(CAT[:200])
            wait_for(lambda: talk(port, WHOLE).startswith(b"HTTP/1.1 503 "))
            assert b"retry-after: 1\r\n" in talk(port, WHOLE).lower()
        # The slow client is gone, and its bytes with it.
        wait_for(lambda: b'"text":"cat"' in talk(port, WHOLE))
        metrics = talk(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b'crnn_requests_total{path="/recognize",status="499"} 1.0' in metrics


def test_noise_is_no_request_and_the_server_lives(recognizer: Recognizer) -> None:
    with service(recognizer) as running, listening(running) as port:
        for noise in (bytes(1000), b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", b"POST / HTTP/9.9\r\n\r\n"):
            assert talk(port, noise).startswith(b"HTTP/1.1 400 ")
        negative = head("Content-Length: -1", "Connection: close")
        assert talk(port, negative).startswith(b"HTTP/1.1 400 ")
        assert b'"text":"cat"' in talk(port, WHOLE)


def test_an_address_that_cannot_be_had_is_named() -> None:
    with open_socket("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"host 127\.0\.0\.1, port {port}: Address already in use"):
            open_socket("127.0.0.1", port)
    with pytest.raises(UserError, match=r"host no\.such\.host\.invalid, port 80: "):
        open_socket("no.such.host.invalid", 80)
    with pytest.raises(UserError, match=r"host a\.\.b, port 80: "):
        open_socket("a..b", 80)
    with pytest.raises(UserError, match="port is 99999, must be at most 65535"):
        open_socket("127.0.0.1", 99999)


def test_limits_that_contradict_each_other_are_named() -> None:
    with pytest.raises(UserError, match="max_request_images is 9, above max_waiting_images 8"):
        Limits(request_images=9, waiting_images=8)
    with pytest.raises(UserError, match="max_image_megapixels is 68, must be at most 67"):
        Limits(image_pixels=68_000_000)
    with pytest.raises(UserError, match="max_body_mb is 300, must be at most 256"):
        Limits(body_bytes=300 << 20)


def test_words_that_a_lexicon_lists_in_vain_are_said_at_the_start(tmp_path: Path, log: list[str]) -> None:
    (tmp_path / "m.onnx").write_bytes(tiny_onnx())
    (tmp_path / "words.txt").write_text("cat\nx-ray\n")
    load_recognizer(str(tmp_path / "m.onnx"), Decoding("lexicon", str(tmp_path / "words.txt")))
    assert "lexicon words.txt: words left out: 1 the charset cannot write (e.g. 'x-ray')" in log


def test_a_model_is_refused_if_it_gives_no_numbers(tmp_path: Path) -> None:
    good, broken = tmp_path / "good.onnx", tmp_path / "broken.onnx"
    good.write_bytes(tiny_onnx())
    broken.write_bytes(tiny_onnx(rnn_1_embedding_bias=float("nan")))
    assert load_recognizer(str(good), Decoding(reject_below=0.5), batch_size=3).reject_below == 0.5
    with pytest.raises(UserError, match=r"broken\.onnx: parameter rnn\.1\.embedding\.bias .* not finite"):
        load_recognizer(str(broken), Decoding())


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("words", "'words'"),
        ("=a.onnx", "'=a.onnx'"),
        ("a/b=c.onnx", "'a/b=c.onnx'"),
        ("a=1,a=2", "'a' comes twice"),
    ],
)
def test_models_that_are_not_named_are_refused(text: str, part: str) -> None:
    with pytest.raises(UserError, match=f"models: .*{part}"):
        parse_models(text)


def test_models_keep_their_order() -> None:
    found = parse_models("plates=a=b.onnx, words=pretrained")
    assert list(found.items()) == [("plates", "a=b.onnx"), ("words", "pretrained")]
