"""Self-description, evaluation and the Python API with a network that is a table."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import word_image, write_folder
from table_backend import TableBackend

from crnn_mindspore.artifacts.artifact import Artifact, hash_weights
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluation_report import evaluate_and_report
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset

ARTIFACT = Artifact(
    Charset("abcÄ中", case_sensitive=True),
    Preprocessing(width=60, mean=1.0),
    NetworkSpec("V1", 32, 0.5),
    step=7,
    weights_sha256="0f",
    versions={"numpy": "1.26.4"},
    training={"seed": 3},
)


def test_a_description_is_read_back_equal() -> None:
    assert Artifact.from_json(ARTIFACT.to_json(), "a.json") == ARTIFACT
    assert Artifact.from_json(ARTIFACT.to_json(indent=2), "a.json") == ARTIFACT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 3}, "a.json: its description has format 3; this program reads up to 2"),
        ({"format_version": "x"}, "a.json: its description is damaged"),
        ({"network": None}, "a.json: its description is damaged"),
        ({"network": {"depth": 3}}, "a.json: its description is damaged"),
        ({"preprocessing": []}, "preprocessing is []: input should be a valid dictionary"),
        ({"charset": "aa"}, "a.json: the charset (label_dict) repeats 'a'"),
        ({"precision": "int4"}, "a.json: precision 'int4' is none of fp32, fp16, int8"),
        ({"blank": 0}, "a.json: blank 0 of 6 classes contradicts its charset of 5 characters"),
        ({"num_classes": 37}, "a.json: blank 5 of 37 classes contradicts its charset of 5 characters"),
    ],
)
def test_a_damaged_description_is_refused(change: dict, message: str) -> None:
    text = json.dumps(json.loads(ARTIFACT.to_json()) | change)
    with pytest.raises(UserError) as caught:
        Artifact.from_json(text, "a.json")
    assert message in str(caught.value)


@pytest.mark.parametrize("field", sorted(json.loads(ARTIFACT.to_json()).keys() - {"precision"}))
def test_a_description_without_a_field_is_refused_with_its_name(field: str) -> None:
    values = json.loads(ARTIFACT.to_json())
    del values[field]
    with pytest.raises(UserError, match=rf"^a\.json: its description is damaged .*{field}"):
        Artifact.from_json(json.dumps(values), "a.json")


def test_a_description_of_an_earlier_version_is_that_of_a_model_in_fp32() -> None:
    values = json.loads(ARTIFACT.to_json())
    del values["precision"]
    assert Artifact.from_json(json.dumps(values), "a.json") == ARTIFACT


def test_a_description_that_is_no_json_is_refused() -> None:
    for text in ("", "{", "[]", "3"):
        with pytest.raises(UserError, match=r"^a\.json: its description is damaged"):
            Artifact.from_json(text, "a.json")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(ARTIFACT, codec=Charset("abc")), "label_dict 'abcÄ中', but label_dict 'abc'"),
        (replace(ARTIFACT, preprocessing=Preprocessing(width=60)), "image_mean 1.0, but image_mean 127.5"),
        (replace(ARTIFACT, network=NetworkSpec("V1", 64, 0.5)), "hidden_size 32, but hidden_size 64"),
    ],
)
def test_another_model_is_refused_with_both_values(other: Artifact, message: str) -> None:
    with pytest.raises(UserError, match=rf"^m: was made with {message}"):
        ARTIFACT.check_same_model(other, "m")


def test_the_same_model_may_differ_in_step_and_history() -> None:
    ARTIFACT.check_same_model(replace(ARTIFACT, step=9, training={}, weights_sha256="1"), "m")


def test_the_hash_sees_names_types_shapes_and_bytes_but_not_the_order() -> None:
    base = {"a": np.arange(6, dtype=np.float32), "b": np.ones(2)}
    hashes = [
        hash_weights(w)
        for w in (
            base,
            {"a2": base["a"], "b": base["b"]},
            base | {"a": base["a"].reshape(2, 3)},
            base | {"a": base["a"].astype(np.float64)},
            base | {"a": np.nextafter(base["a"], 9)},
        )
    ]
    assert len(set(hashes)) == 5
    assert hash_weights({"b": base["b"], "a": base["a"]}) == hashes[0]


def test_evaluation_keeps_the_order_and_the_last_batch_and_counts_unreadable_as_wrong(
    tmp_path: Path, log: list[str]
) -> None:
    words = ["alpha", "beta", "gamma", "Delta!", "eps", "zeta", "eta"]
    folder = write_folder(tmp_path / "words", words)
    (folder / "1.png").write_bytes(b"no image")
    with (folder / "labels.tsv").open("a") as file:
        file.write("0.png\t!?\n")  # nothing to compare under the classic protocol
    backend = TableBackend(["alpha", "beta", "gamma", "eps", "zeta"])
    found = evaluate_and_report(
        backend,
        "m.onnx",
        "folder",
        str(folder),
        batch_size=3,
        predictions_path=str(tmp_path / "out" / "p.tsv"),
        json_path=str(tmp_path / "out" / "r.json"),
    )
    assert backend.batch_sizes == [3, 3, 2]
    assert [p.truth for p in found.predictions] == words
    assert [p.correct for p in found.predictions] == [True, False, True, False, True, True, False]
    assert (found.accuracy.correct, found.accuracy.total) == (4, 7)
    assert (found.unreadable, found.empty_truths, found.protocol) == (1, 1, "classic")
    assert "correct num: 4 , total num: 7" in log
    assert f"result: {{'CRNNAccuracy': {4 / 7}}}" in log
    assert any("1 unreadable images counted as wrong, 1 words left out" in line for line in log)
    assert any(line.startswith("unreadable image, counted as wrong:") and "1.png" in line for line in log)

    with (tmp_path / "out" / "p.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [(Path(r["path"]).name, r["truth"], r["prediction"], r["correct"]) for r in rows[:3]] == [
        ("0.png", "alpha", "alpha", "1"),
        ("1.png", "beta", "", "0"),
        ("2.png", "gamma", "gamma", "1"),
    ]
    assert [float(r["confidence"]) for r in rows[:2]] == pytest.approx([1.0, 0.0], abs=1e-6)
    record = json.loads((tmp_path / "out" / "r.json").read_text(encoding="utf-8"))
    assert (record["correct"], record["total"], record["unreadable"]) == (4, 7, 1)
    assert (record["model"], record["engine"], record["dataset"]) == ("m.onnx", "table", "folder")


def test_predictions_can_be_json(tmp_path: Path, log: list[str]) -> None:
    folder = write_folder(tmp_path / "words", ["alpha"])
    path = tmp_path / "p.json"
    backend = TableBackend(["alpha"])
    evaluate_and_report(backend, "m", "folder", str(folder), predictions_path=str(path))
    (record,) = json.loads(path.read_text(encoding="utf-8"))
    assert (record["truth"], record["prediction"], record["correct"]) == ("alpha", "alpha", True)
    assert record["raw"].startswith("a-l-p-h-a---")


def test_predictions_hold_every_image_also_those_that_are_not_counted(tmp_path: Path, log: list[str]) -> None:
    folder = write_folder(tmp_path / "words", ["alpha", "!?", "beta"])
    backend = TableBackend(["alpha"])
    expected = [("alpha", "alpha", "1", True), ("!?", "unknown", "", None), ("beta", "unknown", "0", False)]
    for name in ("p.tsv", "p.json"):
        found = evaluate_and_report(
            backend, "m", "folder", str(folder), predictions_path=str(tmp_path / name)
        )
        assert (found.accuracy.total, found.empty_truths, len(found.predictions)) == (2, 1, 2)
    rows = list(csv.DictReader((tmp_path / "p.tsv").open(encoding="utf-8"), delimiter="\t"))
    assert [(r["truth"], r["prediction"], r["correct"]) for r in rows] == [row[:3] for row in expected]
    records = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert [(r["truth"], r["prediction"], r["correct"]) for r in records] == [
        (truth, prediction, correct) for truth, prediction, _, correct in expected
    ]


def test_the_result_does_not_depend_on_batch_size_or_workers(tmp_path: Path, log: list[str]) -> None:
    folder = write_folder(tmp_path / "words", ["alpha", "beta", "gamma", "eps", "zeta"])
    results = []
    for batch_size, workers in ((1, 0), (2, 2), (64, 3)):
        backend = TableBackend(["alpha", "gamma"])
        found = evaluate_and_report(
            backend, "m", "folder", str(folder), batch_size=batch_size, num_workers=workers
        )
        results.append((found.accuracy, found.predictions))
    assert results[0] == results[1] == results[2]


def test_the_recognizer_reads_paths_bytes_and_arrays_and_says_what_it_could_not(tmp_path: Path) -> None:
    image = word_image("alpha")
    encoded = cv2.imencode(".png", image)[1].tobytes()
    (tmp_path / "a.png").write_bytes(encoded)
    (tmp_path / "bad.png").write_bytes(b"no image")
    backend = TableBackend(["alpha", "beta"])
    inputs = [
        tmp_path / "a.png",
        encoded,
        image,
        str(tmp_path / "bad.png"),
        word_image("beta"),
        tmp_path / "gone",
    ]
    results = Recognizer(backend, batch_size=2)(inputs)
    assert [r.text for r in results] == ["alpha", "alpha", "alpha", "", "beta", ""]
    assert [bool(r.error) for r in results] == [False, False, False, True, False, True]
    assert results[1].name == "image 1"
    assert "bad.png" in results[3].error
    assert "gone: No such file" in results[5].error
    assert backend.batch_sizes == [2, 1, 1]
    assert Recognizer(backend)([]) == []


def test_an_array_of_another_kind_is_read_or_costs_one_result() -> None:
    image = word_image("cat")
    see_through = np.dstack([np.full_like(image, 255), 255 - image[..., 0]])  # white letters
    arrays = {
        "colour": (image, "cat"),
        "grey": (image[..., 0], "cat"),
        "grey with an axis": (image[..., :1], "cat"),
        "with alpha": (np.dstack([image, np.full_like(image[..., 0], 255)]), "cat"),
        "deep": (image.astype(np.uint16) * 257, "cat"),
        "turned": (image[::-1, ::-1][::-1, ::-1], "cat"),
        "empty": (np.zeros((0, 5, 3), np.uint8), "shape is (0, 5, 3)"),
        "no pixels": (np.zeros((5, 0), np.uint8), "shape is (5, 0)"),
        "nothing": (np.zeros((), np.uint8), "shape is ()"),
        "two channels": (image[..., :2], "shape is (40, "),
        "fractions": (image / 255, "numbers are float64, must be uint8 or uint16"),
        "objects": (np.array([[None]]), "numbers are object"),
        "None": (None, "is of type NoneType, must be a path, bytes or an array"),
    }
    recognizer = Recognizer(TableBackend({"cat": ("cat", 9.0)}), batch_size=3)
    results = recognizer([array for array, _ in arrays.values()])
    for k, ((name, (_, expected)), result) in enumerate(zip(arrays.items(), results, strict=True)):
        assert result.name == f"image {k}"
        assert expected in (result.error or result.text), name
        assert not result.error or result.error.startswith(f"image {k}: "), name
    assert recognizer([see_through])[0].error == ""


def test_opening_names_a_missing_file_a_wrong_ending_and_a_missing_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"no such model file: .*gone\.onnx"):
        open_backend(str(tmp_path / "gone.onnx"))
    other = tmp_path / "model.pth"
    other.write_text("")
    with pytest.raises(UserError, match=r"model\.pth: a model file ends in \.onnx, \.ckpt, \.mindir"):
        open_backend(str(other))
    model = tmp_path / "model.onnx"
    model.write_text("")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "crnn_mindspore.engines.onnx_backend", raising=False)
    with pytest.raises(UserError, match=r"model\.onnx: opening it needs the package onnxruntime"):
        open_backend(str(model))


@pytest.mark.parametrize(
    ("device", "message"),
    [("GPU", "GPU needs ONNX Runtime's CUDAExecutionProvider"), ("TPU", "'TPU', must be one of CPU, GPU")],
)
def test_a_device_without_provider_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, message: str
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    (tmp_path / "model.onnx").write_text("")
    with pytest.raises(UserError, match=message):
        open_backend(str(tmp_path / "model.onnx"), device)
