"""Names and pages: what a browser may be made to do, and that programs and proxies are not concerned."""

import json
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from running_service import PNG, service, word_png
from starlette.datastructures import Headers
from starlette.testclient import TestClient
from table_backend import TableBackend

from crnn_mindspore.errors import UserError
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.app import create_app
from crnn_mindspore.serving.browsers import BrowserRules
from crnn_mindspore.serving.limits import Limits
from crnn_mindspore.serving.metrics import Metrics

CAT = word_png("cat")
OPEN = BrowserRules(bound_to="0.0.0.0")
LOCAL = BrowserRules(bound_to="127.0.0.1")
NAMED = BrowserRules(["words.example.com", " *.inner.example.com "], "0.0.0.0")


def asked(rules: BrowserRules, method: str = "POST", **headers: str) -> int:
    with service(Recognizer(TableBackend(["cat"])), rules=rules) as running:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = "/recognize" if method == "POST" else "/health"
        content = CAT if method == "POST" else None
        client = TestClient(running.app, base_url="http://words.example.com")
        return client.request(method, path, content=content, headers=PNG | named).status_code


@pytest.mark.parametrize(
    ("rules", "host", "status"),
    [
        *((LOCAL, host, 200) for host in ("127.0.0.1:80", "localhost", "LOCALHOST:1", "[::1]:8")),
        *((LOCAL, host, 421) for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.org")),
        *((LOCAL, host, 421) for host in ("10.0.0.7", "evil@localhost", "[::2]", "localhost:80:80", "?")),
        *((OPEN, host, 200) for host in ("10.0.0.7:8000", "words", "proxy.example", "127.0.0.1")),
        *((NAMED, host, 200) for host in ("words.example.com", "Words.example.com.", "a.inner.example.com")),
        *((NAMED, host, 200) for host in ("127.0.0.1:8000",)),
        *((NAMED, host, 421) for host in ("inner.example.com", "example.com", "xwords.example.com")),
        (BrowserRules(["*"], "127.0.0.1"), "evil.example", 200),
        (BrowserRules(bound_to="::1"), "evil.example", 421),
        (BrowserRules(bound_to="localhost"), "evil.example", 421),
        (BrowserRules(["words.example.com"], "10.0.0.7"), "10.0.0.7:8000", 200),
        (BrowserRules(["words.example.com"], "fd00::7"), "[fd00::7]:8000", 200),
    ],
)  # fmt: skip
def test_names(rules: BrowserRules, host: str, status: int) -> None:
    assert asked(rules, "GET", host=host) == status


@pytest.mark.parametrize(
    ("rules", "headers", "status"),
    [
        (LOCAL, {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}, 200),
        (LOCAL, {"host": "127.0.0.1:8000", "origin": "http://localhost:8000"}, 403),
        (LOCAL, {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:3000"}, 403),
        (LOCAL, {"host": "127.0.0.1:8000", "origin": "https://evil.example"}, 403),
        (LOCAL, {"host": "127.0.0.1:8000", "origin": "null"}, 403),
        (LOCAL, {"host": "127.0.0.1:8000", "origin": "http://["}, 403),
        (LOCAL, {"host": "127.0.0.1:8000", "sec_fetch_site": "cross-site"}, 403),
        (OPEN, {"origin": "http://evil.example"}, 403),
        (OPEN, {"origin": "http://words.example.com"}, 200),
        # Behind a proxy: TLS ends there, and it may pass on another Host.
        (OPEN, {"origin": "https://words.example.com"}, 200),
        (
            OPEN,
            {"host": "10.0.0.7", "origin": "https://words.example.com", "sec_fetch_site": "same-origin"},
            200,
        ),
        (OPEN, {"host": "10.0.0.7", "origin": "http://a.b", "x_forwarded_host": "a.b"}, 200),
        (OPEN, {"host": "10.0.0.7", "origin": "http://a.b"}, 403),
        (OPEN, {"origin": "https://a.b", "x_forwarded_host": "a.b", "sec_fetch_site": "cross-site"}, 403),
        (OPEN, {"origin": "https://words.example.com", "sec_fetch_site": "same-site"}, 403),
        (OPEN, {"sec_fetch_site": "none"}, 200),
        (NAMED, {"origin": "https://a.inner.example.com", "sec_fetch_site": "same-site"}, 200),
        (NAMED, {"origin": "https://evil.example", "sec_fetch_site": "cross-site"}, 403),
        (BrowserRules(["*"]), {"origin": "https://evil.example", "sec_fetch_site": "cross-site"}, 403),
    ],
)
def test_pages(rules: BrowserRules, headers: dict[str, str], status: int) -> None:
    assert asked(rules, **headers) == status
    if headers.get("host", "") in ("", "127.0.0.1:8000", "10.0.0.7"):
        assert asked(rules, "GET", **headers) == 200  # a page cannot see the answer


def test_a_program_sends_no_origin() -> None:
    for rules, host in ((OPEN, "a"), (LOCAL, "localhost"), (NAMED, "words.example.com")):
        assert asked(rules, host=host) == 200


def test_two_hosts_are_refused() -> None:
    assert OPEN.refusal("GET", Headers(raw=[(b"host", b"a"), (b"host", b"b")])).status == 400


@pytest.mark.parametrize("name", ["http://a", "a:80", "a/b", "*", "a b", "*.*.a", "ä", "-"])
def test_what_is_no_name_is_refused(name: str) -> None:
    if name == "*":
        BrowserRules([name])
        return
    with pytest.raises(UserError, match="allowed_hosts: "):
        BrowserRules([name])


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with service(Recognizer(TableBackend(["cat"]))) as running:
        yield TestClient(running.app)


@pytest.mark.parametrize("path", ["/health/", "/recognize/", "/static", "/docs/", "/models/"])
def test_nothing_redirects(client: TestClient, path: str) -> None:
    """A redirect would lead to whatever the request calls its host."""
    answer = client.get(path, follow_redirects=False, headers={"host": "evil.example"})
    assert answer.status_code in (404, 405)
    assert "location" not in answer.headers


def test_no_page_may_use_an_answer(client: TestClient) -> None:
    headers = client.get("/health", headers={"origin": "https://evil.example"}).headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in headers if name.startswith("access-control")]


def test_metrics_have_a_port_of_their_own() -> None:
    app = create_app([], Metrics(), Limits(), metrics_port=9100)
    here, there = (TestClient(app, base_url=f"http://localhost:{port}") for port in (9100, 8000))
    assert here.get("/metrics").status_code == 200
    assert [there.get("/metrics").status_code, here.get("/models").status_code] == [404, 404]
    assert there.get("/models").status_code == 200
    assert b'path="/metrics",status="404"' in here.get("/metrics").content


@pytest.mark.parametrize(
    "charset", ["idna", "punycode", "undefined", "hex", "zip", "rot13", "utf-7", "unicode_escape", "\x00"]
)
def test_names_of_a_form_are_utf_8_whatever_it_says(client: TestClient, charset: str) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="a"; filename="\xe5\xad\x97.png"\r\n\r\n%b\r\n--b--\r\n'
    )
    kind = f"multipart/form-data; charset={charset}; boundary=b"
    answer = client.post("/recognize", content=body % CAT, headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text
    assert [r["name"] for r in answer.json()["results"]] == ["字.png"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"images": [' + b'"A",' * 3_000_000 + b'"A"]}',
        b'{"images": [' + b"0," * 6_000_000 + b"0]}",
        b'{"images": [' + b"[" * 12_000_000,
        b"{" + b'"a": 0,' * 1_000_000 + b'"b": 0}',
        b'{"image": "' + b"\\u0022" * 2_000_000 + b'"}',
    ],
    ids=["strings", "numbers", "nesting", "keys", "escapes"],
)
def test_json_that_holds_much_and_means_nothing_is_cheap(client: TestClient, body: bytes) -> None:
    """Of 12 MB each; the first held 2.7 GB for half a minute."""
    tracemalloc.start()
    start = time.monotonic()
    answer = client.post("/recognize", content=body, headers={"Content-Type": "application/json"})
    elapsed, most = time.monotonic() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 400
    assert elapsed < 10
    assert most < 150 << 20
    assert len(json.dumps(answer.json())) < 1000
