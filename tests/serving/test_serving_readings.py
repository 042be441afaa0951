"""What the service reads: the recogniser's answers, in whatever batches, with their details."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import WORDS, word_image
from running_service import PNG, form, service, tiny_onnx, wait_for, word_png
from starlette.testclient import TestClient
from table_backend import TableBackend

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing, decode_image, preprocess
from crnn_mindspore.engines.onnx_backend import OnnxBackend
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.serving.limits import Limits
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoders.beam import BeamDecoder
from crnn_mindspore.text.decoders.greedy import GreedyDecoder
from crnn_mindspore.text.decoders.prior_decoder import PriorDecoder
from crnn_mindspore.text.temperature import CalibratedDecoder
from crnn_mindspore.text.word_prior import WordPrior


@pytest.fixture(scope="module")
def tiny() -> Recognizer:
    return Recognizer(OnnxBackend("tiny", model=tiny_onnx()), batch_size=4)


def test_answers_are_those_of_the_recognizer(tiny: Recognizer) -> None:
    images = {f"{word}.png": word_png(word) for word in WORDS}
    expected = tiny(list(images.values()))
    with service(tiny) as running:
        results = TestClient(running.app).post("/recognize", files=form(images)).json()["results"]
    assert [r["text"] for r in results] == [r.text for r in expected]
    assert [r["confidence"] for r in results] == pytest.approx([r.confidence for r in expected], abs=2e-6)
    assert len({r.text for r in expected}) > 1


def test_an_answer_does_not_depend_on_what_is_read_beside_it(tiny: Recognizer) -> None:
    """Each image alone, and all at the same time from many clients in batches of all sizes."""
    query = "/recognize?top_k=3&positions=true&alignment=true"
    images = [word_png(word) for word in WORDS]
    release = threading.Event()

    class Held(TableBackend):
        artifact = tiny.backend.artifact

        def __init__(self) -> None:
            pass

        def forward(self, batch: np.ndarray) -> np.ndarray:
            assert release.wait(20)
            return tiny.backend.forward(batch)

    with service(Recognizer(Held(), batch_size=4)) as running:
        client = TestClient(running.app)

        def ask(image: bytes) -> dict[str, object]:
            return client.post(query, content=image, headers=PNG).json()["results"][0]

        with ThreadPoolExecutor(2 * len(images)) as pool:
            together = [pool.submit(ask, image) for image in images * 2]
            wait_for(lambda: running.reader.waiting == 2 * len(images))
            release.set()
            crowded = [future.result() for future in together]
        assert max(running.batches) == 4
        assert sum(running.batches) == 2 * len(images)
        running.batches.clear()
        alone = [ask(image) for image in images]
        assert running.batches == [1] * len(images)
    for one, other in zip(alone * 2, crowded, strict=True):
        assert one["text"] == other["text"]
        assert one["confidence"] == pytest.approx(other["confidence"], abs=2e-6)
        for kind in ("steps", "rows"):
            for a, b in zip(one["alignment"][kind], other["alignment"][kind], strict=True):
                assert a["character"] == b["character"]
        assert [c["first_step"] for c in one["characters"]] == [c["first_step"] for c in other["characters"]]


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_details_come_from_the_logits_of_the_reading_at_its_temperature(temperature: float) -> None:
    backend, charset = TableBackend({"moon": ("moon", 3.0)}), Charset()
    decoder = GreedyDecoder(charset)
    if temperature != 1:
        decoder = CalibratedDecoder(decoder, temperature)
    with service(Recognizer(backend, decoder=decoder)) as running:
        answer = TestClient(running.app).post(
            "/recognize?top_k=2&positions=true&alignment=true", content=word_png("moon"), headers=PNG
        )
    (result,) = answer.json()["results"]
    image = preprocess(decode_image(word_png("moon"), ""), backend.artifact.preprocessing)
    texts = decoder.best(backend.forward(image[None]), 2)[0]
    assert [(result["text"], result["confidence"])] + [
        (a["text"], a["confidence"]) for a in result["alternatives"]
    ] == [(text.text, pytest.approx(text.confidence, abs=1e-6)) for text in texts]
    # The table has one class with the logit 3 and 36 with 0; letters at the steps 0, 2, 4 and 6.
    peak = np.exp(3 / temperature) / (np.exp(3 / temperature) + 36)
    assert result["text"] == "moon"
    assert [(c["text"], c["first_step"], c["last_step"]) for c in result["characters"]] == [
        ("m", 0, 0),
        ("o", 2, 2),
        ("o", 4, 4),
        ("n", 6, 6),
    ]
    assert [c["confidence"] for c in result["characters"]] == pytest.approx([peak] * 4, abs=1e-6)
    # A step is 4 of the network's 100 pixels wide; the first looks at those around 4.
    scale = word_image("moon").shape[1] / 100
    assert [(c["start"], c["end"]) for c in result["characters"]][:2] == [
        (pytest.approx(2 * scale, abs=0.01), pytest.approx(6 * scale, abs=0.01)),
        (pytest.approx(10 * scale, abs=0.01), pytest.approx(14 * scale, abs=0.01)),
    ]
    steps = result["alignment"]["steps"]
    assert [s["character"] for s in steps] == ["m", "", "o", "", "o", "", "n", *[""] * 17]
    assert [s["emits"] for s in steps] == [i in (0, 2, 4, 6) for i in range(24)]
    assert result["alignment"]["centres"] == pytest.approx([(i + 1) / 25 for i in range(24)])
    rows = {row["character"]: row["probabilities"] for row in result["alignment"]["rows"]}
    assert rows["o"] == pytest.approx([peak if i in (2, 4) else (1 - peak) / 36 for i in range(24)], abs=1e-6)


def test_an_answer_tells_what_the_decoder_and_what_the_network_alone_says() -> None:
    """An o and an n that are nearly as probable: the network alone says "mooo", the prior knows "moon"."""

    class Doubtful(TableBackend):
        def forward(self, batch: np.ndarray) -> np.ndarray:
            logits = super().forward(batch)
            n, o = self.artifact.codec.encode("no")
            logits[6, :, n], logits[6, :, o] = 8.0, 8.5
            return logits

    backend = Doubtful({"moon": ("moon", 9.0)})
    decoder = PriorDecoder(Charset(), WordPrior({"moon": 5.0, "sun": 4.0}), 24, "prior of two")
    with service(Recognizer(backend, decoder=decoder)) as running:
        client = TestClient(running.app)
        asked, plain = (
            client.post(f"/recognize?{query}", content=word_png("moon"), headers=PNG).json()["results"][0]
            for query in ("greedy=true", "")
        )
    assert (asked["text"], asked["decoder"], asked["greedy"]["text"]) == ("moon", "prior of two", "mooo")
    assert "greedy" not in plain
    with service(Recognizer(backend)) as running:  # where the network alone is asked, it says nothing beside
        answer = TestClient(running.app).post("/recognize?greedy=true", content=word_png("moon"), headers=PNG)
    (result,) = answer.json()["results"]
    assert (result["text"], result["decoder"]) == ("mooo", "greedy")
    assert "greedy" not in result


def test_a_line_of_more_characters_than_the_alignment_has_rows_for() -> None:
    charset = Charset("".join(map(chr, range(0x4E00, 0x4E00 + 60))))
    line = charset.characters[:40]

    class Line:
        artifact = Artifact(charset, Preprocessing(width=168), NetworkSpec())
        name = "line"

        def forward(self, images: np.ndarray) -> np.ndarray:
            steps = [*range(40), 60]  # (T,) of 168 // 4 - 1: each character once, then the blank
            return np.repeat(9 * np.eye(61, dtype=np.float32)[steps][:, None], len(images), axis=1)

    with service(Recognizer(Line())) as running:
        query = "/recognize?alignment=true"
        answer = TestClient(running.app).post(query, content=word_png("cat"), headers=PNG)
    (result,) = answer.json()["results"]
    assert result["text"] == line
    assert [step["character"] for step in result["alignment"]["steps"]] == [*line, ""]
    peak = np.exp(9) / (np.exp(9) + 60)
    assert [step["probability"] for step in result["alignment"]["steps"]] == pytest.approx(
        [peak] * 41, abs=1e-6
    )
    assert len(result["alignment"]["rows"]) == 33


def test_alternatives_are_those_of_the_decoder_if_it_is_a_beam_search(tiny: Recognizer) -> None:
    backend, found = tiny.backend, []
    image = preprocess(decode_image(word_png("moon"), ""), backend.artifact.preprocessing)
    for bonus in (0.0, 4.0):
        decoder = BeamDecoder(Charset(), 5, length_bonus=bonus)
        with service(Recognizer(backend, decoder=decoder)) as running:
            answer = TestClient(running.app).post("/recognize?top_k=9", content=word_png("moon"), headers=PNG)
        (result,) = answer.json()["results"]
        found.append([result["text"], *(a["text"] for a in result["alternatives"])])
        assert found[-1] == [reading.text for reading in decoder.best(backend.forward(image[None]), 9)[0]]
        assert len(found[-1]) == 5
    assert found[0] != found[1]


def test_a_full_queue_refuses_until_there_is_room() -> None:
    release = threading.Event()

    class Slow(TableBackend):
        def forward(self, images: np.ndarray) -> np.ndarray:
            assert release.wait(20)
            return super().forward(images)

    limits = Limits(request_images=2, waiting_images=2)
    with service(Recognizer(Slow(["cat"]), batch_size=1), limits) as running:
        client = TestClient(running.app)

        def ask() -> int:
            return client.post("/recognize", content=word_png("cat"), headers=PNG).status_code

        with ThreadPoolExecutor(2) as pool:
            accepted = [pool.submit(ask) for _ in range(2)]
            wait_for(lambda: running.reader.waiting == 2)
            refused = client.post("/recognize", content=word_png("cat"), headers=PNG)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert "crnn_waiting_images 2.0\n" in client.get("/metrics").text
            release.set()
            assert [future.result() for future in accepted] == [200, 200]
        assert ask() == 200


def test_a_failing_model_fails_its_batch_and_not_the_server(log: list[str]) -> None:
    class Failing(TableBackend):
        def forward(self, images: np.ndarray) -> np.ndarray:
            if not self.batch_sizes:
                self.batch_sizes.append(0)
                raise RuntimeError("out of memory")
            return super().forward(images)

    with service(Recognizer(Failing(["cat"]))) as running:
        client = TestClient(running.app, raise_server_exceptions=False)
        failed = client.post("/recognize", content=word_png("cat"), headers=PNG)
        assert (failed.status_code, failed.json()) == (500, {"detail": "the server failed; its log says why"})
        assert log == ["a batch of 1 images could not be read"]
        assert client.post("/recognize", content=word_png("cat"), headers=PNG).status_code == 200
