"""The web application: what it answers, what it refuses, and what it counts."""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin

import cv2
import pytest
from conftest import word_image
from hostile_images import cheap_png, run_length_bmp, scan_bomb
from mangled_images import encoded, mangled_files, unusual_images
from odd_images import write_damaged
from running_service import PNG, form, service, word_png
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from table_backend import TableBackend

from crnn_mindspore.data.image_formats import TAKEN
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.answers import health
from crnn_mindspore.serving.app import create_app
from crnn_mindspore.serving.batching import BatchingReader
from crnn_mindspore.serving.limits import Limits
from crnn_mindspore.serving.metrics import Metrics
from crnn_mindspore.serving.served_models import ServedModel


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """The service of a table that knows two words, one of them not surely."""
    backend = TableBackend({"cat": ("cat", 30.0), "moon": ("moon", 3.0)})
    with service(Recognizer(backend, batch_size=4)) as running:
        yield TestClient(running.app)


def test_one_image_as_the_body(client: TestClient) -> None:
    answer = client.post("/recognize", content=word_png("cat"), headers=PNG)
    assert answer.status_code == 200
    (result,) = answer.json()["results"]
    assert result == {
        "name": "image",
        "text": "cat",
        "confidence": 1.0,
        "rejected": False,
        "decoder": "greedy",
    }


def test_many_images_in_a_form_are_answered_in_order_and_broken_ones_beside_the_others(
    client: TestClient,
) -> None:
    images = {"1.png": word_png("cat"), "2.png": b"nothing", "3.png": word_png("moon"), "4.png": b""}
    answer = client.post("/recognize", files=form(images))
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [r["name"] for r in results] == list(images)
    assert [r["text"] for r in results] == ["cat", "", "moon", ""]
    assert [r.get("error") for r in results] == [
        None,
        f"2.png: not an image (7 bytes); {TAKEN}",
        None,
        "4.png: empty file (0 bytes)",
    ]


def test_readings_below_the_threshold_are_rejected() -> None:
    with service(Recognizer(TableBackend({"moon": ("moon", 3.0)}), reject_below=0.5)) as running:
        answer = TestClient(running.app).post("/recognize", content=word_png("moon"), headers=PNG)
    (result,) = answer.json()["results"]
    assert (result["rejected"], result["text"]) == (True, "moon")


@pytest.mark.parametrize(
    ("name", "status"), [("empty.jpg", 422), ("half.jpg", 422), ("huge.png", 422), ("page.html", 415)]
)
def test_one_image_that_cannot_be_read_is_a_refusal(client: TestClient, name: str, status: int) -> None:
    answer = client.post("/recognize", files=form({name: mangled_files()[name]}))
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(f"{name}: ")


def test_mangled_files_have_their_messages_and_the_server_lives(client: TestClient) -> None:
    files = mangled_files()
    assert len(files) >= 30
    results = client.post("/recognize", files=form(files)).json()["results"]
    assert [r["name"] for r in results] == list(files)
    for result in results:
        assert result["text"] == ""
        assert re.fullmatch(rf"{re.escape(result['name'])}: .+", result["error"]), result
    sizes = next(r["error"] for r in results if r["name"] == "huge.png")
    assert sizes == "huge.png: 100000 x 100000 pixels, more than 16,000,000 pixels in all"
    for name, data in files.items():
        assert client.post("/recognize", files=form({name: data})).status_code in (415, 422), name
    answer = client.post("/recognize", content=word_png("cat"), headers=PNG)
    assert answer.json()["results"][0]["text"] == "cat"


@pytest.mark.slow
def test_damaged_images_are_read_or_refused_with_their_name(client: TestClient, tmp_path: Path) -> None:
    outcomes: Counter[int] = Counter()
    for path in write_damaged(tmp_path / "odd"):
        if path.is_file():
            answer = client.post("/recognize", files=form({path.name: path.read_bytes()}))
            outcomes[answer.status_code] += 1
            if answer.status_code != 200:
                assert answer.json()["detail"].startswith(f"{path.name}: "), answer.json()
    assert set(outcomes) == {200, 415, 422}
    assert outcomes[415] + outcomes[422] > 100


def test_images_of_unusual_modes_and_formats_are_read(client: TestClient) -> None:
    results = client.post("/recognize", files=form(unusual_images())).json()["results"]
    assert len(results) == 12
    assert [r for r in results if "error" in r] == []


@pytest.mark.parametrize("kind", ["", "application/octet-stream", "application/x-www-form-urlencoded"])
def test_an_image_is_known_by_its_bytes_where_its_client_does_not_describe_it(
    client: TestClient, kind: str
) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = client.post("/recognize", content=word_png("cat"), headers=headers)
    assert answer.json()["results"][0]["text"] == "cat"
    answer = client.post("/recognize", content=b"images=cat", headers=headers)
    assert answer.status_code == 415
    assert "send an image as the body" in answer.json()["detail"]
    answer = client.post("/recognize", content=b"GIF89a....", headers=headers)
    assert (answer.status_code, answer.json()["detail"][:22]) == (415, "image: GIF is not read")


def test_images_as_base64_in_json(client: TestClient) -> None:
    cat, moon = (base64.b64encode(word_png(word)).decode() for word in ("cat", "moon"))
    broken = "\n".join([cat[:76], cat[76:]])
    url_safe = cat.replace("+", "-").replace("/", "_").rstrip("=")
    for sent, read in (
        ({"image": cat}, [("image", "cat")]),
        ({"image": f"data:image/png;base64,{cat}"}, [("image", "cat")]),
        ({"image": broken}, [("image", "cat")]),
        ({"image": url_safe}, [("image", "cat")]),
        ({"images": [moon, cat]}, [("0", "moon"), ("1", "cat")]),
        ({"images": [{"image": cat, "name": "a.png"}, moon]}, [("a.png", "cat"), ("1", "moon")]),
        ({"images": [cat, "AAAA"]}, [("0", "cat"), ("1", "")]),
    ):
        answer = client.post("/recognize", json=sent)
        assert answer.status_code == 200, answer.text
        assert [(r["name"], r["text"]) for r in answer.json()["results"]] == read


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "the JSON cannot be read: Invalid JSON"),
        (b"[" * 100_000, "the JSON cannot be read: "),
        (b"[]", "the JSON cannot be read: "),
        (b"{}", 'must hold "image" or "images"'),
        (b'{"image": "AA", "images": []}', 'must hold "image" or "images"'),
        (b'{"image": 7}', "image: Value error, must be a string"),
        (b'{"image": "a b c!"}', "image: Value error, is not base64"),
        ('{"image": "é"}'.encode(), "image: Value error, is not base64"),
        (b'{"picture": "AA"}', "picture: Extra inputs are not permitted"),
        (b'{"images": ["AAAA", 7]}', "images.1: "),
        (b'{"images": []}', "the JSON holds 0 images, must hold 1 to 64"),
        (json.dumps({"images": ["AAAA"] * 65}).encode(), "the JSON holds 65 images, must hold 1 to 64"),
    ],
)
def test_json_that_holds_no_images_is_refused_with_the_place(
    client: TestClient, body: bytes, detail: str
) -> None:
    answer = client.post("/recognize", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, detail in answer.json()["detail"]) == (400, True), answer.text


def test_cheap_pixels_are_refused_and_large_photographs_reduced() -> None:
    """A quarter of a megabyte would else cost seconds and gigabytes."""
    photograph = cv2.resize(word_image("cat"), (2000, 1000))
    jpeg = cv2.imencode(".jpg", photograph)[1].tobytes()
    backend = TableBackend({"cat": ("cat", 30.0)})
    with service(Recognizer(backend), Limits(image_pixels=600_000)) as running:
        client = TestClient(running.app)
        answer = client.post("/recognize?positions=true", files=form({"a.jpg": jpeg}))
        assert answer.status_code == 200
        result = answer.json()["results"][0]
        assert result["text"] == "unknown"  # to the table
        # In pixels of the photograph, not of the half of it that was decoded: step 12 of 24.
        assert result["characters"][-1]["end"] == pytest.approx((4 * 13 + 2) / 100 * 2000)
        for name, data in (
            ("grey.png", cheap_png(1000, 16, 4)),
            ("runs.bmp", run_length_bmp(1000)),
            ("scans.jpg", scan_bomb(1000, 20)),
        ):
            answer = client.post("/recognize", files=form({name: data}))
            assert answer.status_code == 422
            detail = f"{name}: 1000 x 1000 pixels, more than 600,000 pixels in all"
            assert answer.json()["detail"] == detail


@pytest.mark.parametrize(
    ("request_", "status", "detail"),
    [
        ({}, 400, "the request holds no image"),
        ({"headers": PNG}, 400, "the body is empty"),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "Content-Type is 'text/plain'"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "boundary"),
        (
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            400,
            "the form cannot be read",
        ),
        (
            {
                "content": b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nhalf',
                "headers": {"Content-Type": "multipart/form-data; boundary=b"},
            },
            400,
            "it ends before its last boundary",
        ),
        (
            {"content": b"--b--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            400,
            "no file",
        ),
        ({"files": {"a": (None, "text")}}, 400, "the field 'a' of the form is no file"),
        ({"files": form({f"{i}.png": b"x" for i in range(65)})}, 400, "Maximum number of files is 64"),
        ({"params": {"top_k": "11"}, "content": b"x", "headers": PNG}, 422, "top_k is '11'"),
        ({"params": {"topk": "1"}, "content": b"x", "headers": PNG}, 422, "unknown parameter 'topk'"),
        ({"params": {"positions": "much"}, "content": b"x", "headers": PNG}, 422, "positions is 'much'"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_with_what_is_wrong(
    client: TestClient, request_: dict[str, object], status: int, detail: str
) -> None:
    answer = client.post("/recognize", **request_)
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text


def test_too_large_a_body_is_refused_by_its_length_and_by_its_content() -> None:
    limits = Limits(body_bytes=1000)
    with service(Recognizer(TableBackend(["cat"])), limits) as running:
        client = TestClient(running.app)
        parts = iter([bytes(600), bytes(600)])  # no length is announced
        for content in (bytes(1001), parts):
            answer = client.post("/recognize", content=content, headers=PNG)
            assert answer.status_code == 413
            assert answer.json()["detail"] == "the body is larger than 1,000 bytes"
        answer = client.post("/recognize", files=form({"a": bytes(1000)}))
        assert answer.status_code == 413
        assert client.post("/recognize", content=bytes(1000), headers=PNG).status_code == 415


def test_metrics_count_requests_images_and_batches() -> None:
    with service(Recognizer(TableBackend(["cat"]))) as running:
        client = TestClient(running.app)
        client.post("/recognize", content=word_png("cat"), headers=PNG)
        client.post("/recognize", files=form({"1": word_png("cat"), "2": b"x", "3": b"y"}))
        client.post("/recognize", content=b"x", headers=PNG)
        client.get("/recognize")
        client.get("/a/path/of/my/own")
        text = client.get("/metrics").text
    for line in (
        'crnn_requests_total{path="/recognize",status="200"} 2.0',
        'crnn_requests_total{path="/recognize",status="415"} 1.0',
        'crnn_requests_total{path="/recognize",status="405"} 1.0',
        'crnn_requests_total{path="other",status="404"} 1.0',
        'crnn_images_total{result="read"} 2.0',
        'crnn_images_total{result="unreadable"} 3.0',
        "crnn_request_seconds_count 4.0",
        "crnn_batch_images_count 2.0",
        'crnn_batch_images_bucket{le="1.0"} 2.0',
        "crnn_waiting_images 0.0",
    ):
        assert f"{line}\n" in text, line
    assert "my/own" not in text


def test_health_describes_the_model(client: TestClient) -> None:
    assert client.get("/health").json() == {
        "status": "ready",
        "model": "tiny.onnx",
        "weights_sha256": "aa",
        "version": "V1",
        "precision": "fp32",
        "charset_size": 36,
        "image_width": 100,
        "image_height": 32,
        "time_steps": 24,
        "decoder": "greedy",
    }


def test_every_model_answers_under_its_name(client: TestClient) -> None:
    metrics, limits = Metrics(), Limits()
    tables = {"words": {"cat": ("cat", 30.0)}, "plates": {"cat": ("cab7", 30.0)}}
    with ExitStack() as readers:
        models = []
        for name, table in tables.items():
            recognizer = Recognizer(TableBackend(table))
            reader = BatchingReader(recognizer, on_batch=metrics.count_batch)
            readers.callback(reader.close)
            description = health(recognizer.backend, f"{name}.onnx", "greedy")
            models.append(ServedModel(name, recognizer.backend.artifact, reader, description))
        several = TestClient(create_app(models, metrics, limits))

        def read(path: str) -> str:
            return several.post(path, content=word_png("cat"), headers=PNG).json()["results"][0]["text"]

        assert read("/recognize") == read("/models/words/recognize") == "cat"
        assert read("/models/plates/recognize") == "cab7"
        assert several.get("/health").json()["model"] == "words.onnx"
        assert several.get("/models/plates/health").json()["model"] == "plates.onnx"
        listed = several.get("/models").json()["models"]
        assert [(m["name"], m["model"]) for m in listed] == [
            ("words", "words.onnx"),
            ("plates", "plates.onnx"),
        ]
        for path, method in (("health", several.get), ("recognize", several.post)):
            answer = method(f"/models/plate/{path}")
            assert (answer.status_code, "did you mean 'plates'" in answer.json()["detail"]) == (404, True)
        counted = several.get("/metrics").text
        assert 'crnn_requests_total{path="/models/plates/recognize",status="200"} 1.0' in counted
        assert 'path="/models/plate/health"' not in counted
        assert "crnn_request_seconds_count 3.0" in counted
    assert [m["name"] for m in client.get("/models").json()["models"]] == ["model"]


def test_the_pages_load_nothing_from_elsewhere_and_run_no_foreign_script(client: TestClient) -> None:
    for page in ("/", "/docs"):
        answer = client.get(page)
        assert (answer.status_code, "https://" in answer.text) == (200, False)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "http" not in policy and "*" not in policy
    page = client.get("/")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert not re.search(r"<script(?! src=)|<style|\bon\w+=|style=", page.text)
    script = client.get("/static/page.js").text
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|https?://(?!www\.w3\.org)", script
    )


def test_the_pages_ask_below_the_path_that_a_proxy_gives_them(client: TestClient) -> None:
    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is asked below /words, and knows nothing else."""
        path = scope["path"].removeprefix("/words")
        assert path != scope["path"], scope["path"]
        await client.app({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    behind = TestClient(proxy, "http://host")
    asked = set()
    for page in ("/words/", "/words/docs"):
        text = behind.get(page).text
        script = behind.get("/words/static/page.js").text if page == "/words/" else ""
        links = re.findall(r'(?:src|href)="([^"]+)"', text)
        links += re.findall(r"""(?:fetch\(|url: ?|RECOGNIZE = )["']([^"']+)""", text + script)
        asked |= {urljoin(f"http://host{page}", link) for link in links}
    assert {f"http://host/words/{name}" for name in ("health", "docs", "openapi.json")} <= asked
    (recognize,) = [link for link in asked if "/recognize?" in link]
    assert behind.post(recognize, files=form({"cat.png": word_png("cat")})).status_code == 200
    for link in asked - {recognize}:
        assert behind.get(link).status_code == 200, link
    (server,) = behind.get("/words/openapi.json").json()["servers"]
    assert urljoin("http://host/words/openapi.json", server["url"]) == "http://host/words/"


def test_the_api_is_described(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    assert set(description["paths"]) == {
        *("/recognize", "/health", "/metrics", "/models"),
        *("/models/{name}/recognize", "/models/{name}/health"),
    }
    post = description["paths"]["/recognize"]["post"]
    assert set(post["requestBody"]["content"]) == {
        "multipart/form-data",
        "application/json",
        "image/*",
    }
    assert {p["name"] for p in post["parameters"]} == {"top_k", "positions", "alignment", "greedy"}
    assert {"200", "400", "408", "413", "415", "422", "503"} <= set(post["responses"])


def test_the_jpeg_of_a_word_is_read_like_its_png(client: TestClient) -> None:
    answer = client.post("/recognize", content=encoded(".jpg"), headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 200
