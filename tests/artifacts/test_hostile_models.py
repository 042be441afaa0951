"""Models that are made to hurt: descriptions, parameters, the files around them, and what they may cost."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from limited import read_within

from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact, hash_weights, read_descriptions
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.artifacts.mindir_digest import file_digest, own_description
from crnn_mindspore.artifacts.onnx_graph import serialize
from crnn_mindspore.artifacts.torch.safetensors_file import read_safetensors, write_safetensors
from crnn_mindspore.artifacts.torch.torch_weights import read_torch_weights
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.onnx_backend import OnnxBackend, open_weights
from crnn_mindspore.errors import UserError
from crnn_mindspore.shipped import shipped
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset

MEBIBYTES, SECONDS = 512, 20  # as docs/guarantees.md states them
ARTIFACT = Artifact(Charset("abc"), Preprocessing(), NetworkSpec(), 7, "ab", {"crnn": "1"}, {"seed": 1})
WORDS = str(shipped("pretrained/crnn_v2_half.ckpt"))
_GONE = "(left out)"


def changed(path: str, value: Any) -> str:
    """The description with another value at a place such as `preprocessing.std`."""
    values = json.loads(ARTIFACT.to_json())
    *outer, last = path.split(".")
    place = values
    for name in outer:
        place = place[name]
    if value == _GONE:
        del place[last]
    else:
        place[last] = value
    return json.dumps(values)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("step", float("inf"), "Infinity"),
        ("step", float("nan"), "NaN"),
        ("step", 1.5, "step is 1.5"),
        ("step", -1, "step is -1"),
        ("step", 10**30, "step is 1000000"),
        ("step", int("9" * 4000), "step is 999"),
        ("step", "7", "step is '7'"),
        ("step", True, "step is True"),
        ("preprocessing.mean", "x", "preprocessing.mean is 'x'"),
        ("preprocessing.mean", 1e300, "preprocessing.mean is 1e+300"),
        ("preprocessing.std", float("-inf"), "Infinity"),
        ("preprocessing.std", 0, "std is 0"),
        ("preprocessing.width", 10**30, "preprocessing.width is 1000"),
        ("preprocessing.width", 100.0, "preprocessing.width is 100.0"),
        ("preprocessing.width", 65_537, "preprocessing.width is 65537"),
        ("preprocessing.height", 65_536, "an input of 100 x 65536 pixels"),
        ("preprocessing.height", [32], "preprocessing.height is"),
        ("preprocessing.standardize", "no", "preprocessing.standardize is 'no'"),
        ("preprocessing.step_offset", 10**9, "preprocessing.step_offset is"),
        ("preprocessing", [], "preprocessing is []"),
        ("network.hidden_size", 10**30, "network.hidden_size is"),
        ("network.hidden_size", 0, "network.hidden_size is 0"),
        ("network.channel_scale", 1e30, "network.channel_scale is 1e+30"),
        ("network.channel_scale", -1, "network.channel_scale is -1"),
        ("network.version", 2, "network.version is 2"),
        ("network.other", 2, "description is damaged"),
        ("network", _GONE, "network is missing"),
        ("charset", 7, "charset"),
        ("charset", ["a", 1, None], "charset"),
        ("charset", {"a": 1}, "charset"),
        ("blank", "3", "blank is '3'"),
        ("num_classes", 10**30, "num_classes is"),
        ("case_sensitive", 0, "case_sensitive is 0"),
        ("weights_sha256", ["a"], "weights_sha256 is"),
        ("weights_sha256", "a" * 10_000, "weights_sha256 is"),
        ("versions", [1], "versions is [1]"),
        ("versions", {"a": 1}, "versions.a is 1"),
        ("training", "none", "training is 'none'"),
        ("format_version", "2", "format_version is '2'"),
        ("format_version", float("inf"), "Infinity"),
        ("format_version", 10**30, "format 1000"),
        ("precision", ["fp32"], "precision is"),
        ("reading", {"widest": 10**30}, "widest"),
        ("task", {"a": 1}, "task is"),
        ("task", "os.system", "task 'os.system' is unknown"),
    ],
    ids=str,
)
def test_a_field_of_another_type_or_out_of_range_is_named(path: str, value: Any, said: str) -> None:
    with pytest.raises(UserError) as error:
        Artifact.from_json(changed(path, value), "a.json")
    assert str(error.value).startswith("a.json: ")
    assert said in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", '"x"', "[" * 100_000, "{" * 100, "9" * 5000, '{"task": 1}']
)
def test_a_description_of_any_form_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match=r"^a\.json: its description is damaged") as error:
        Artifact.from_json(text, "a.json")
    assert len(str(error.value)) < 300


def test_classes_of_positions_name_no_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("s\ne\nc\n")
    values = json.loads(ARTIFACT.to_json()) | {
        "format_version": 2,
        "task": "positions",
        "network": {"version": "resnet18"},
    }
    for layout in (
        {"text": [{"name": "1", "classes": str(tmp_path / "secret.txt")}]},
        {"text": ["x"], "alphabets": {"x": str(tmp_path / "secret.txt")}},
    ):
        with pytest.raises(
            UserError, match=r"a model names the file '.*secret\.txt' in place of its classes"
        ):
            Artifact.from_json(json.dumps(values | {"positions": layout}), "a.json")


def test_descriptions_within_one_another_end(tmp_path: Path) -> None:
    text = ARTIFACT.to_json()
    for _ in range(100):
        text = (
            text[:-1] + f', "former": {ARTIFACT.to_json()[:-1]}' + "}}"
            if "former" not in text
            else ('{"former": ' + text + ", " + ARTIFACT.to_json()[1:])
        )
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match="64 deep"):
        read_descriptions(str(tmp_path / "a.mindir"))


# --- parameters ---


def test_nan_weights_are_refused_by_name(tmp_path: Path) -> None:
    stored = read_checkpoint_file(WORDS)
    for number in (np.nan, np.inf):
        weights = {name: array.copy() for name, array in stored.weights.items()}
        weights["vgg.conv3.conv.weight"].ravel()[5] = number
        path = tmp_path / "a.safetensors"
        write_safetensors(path, weights)
        with pytest.raises(UserError, match=r"parameter vgg\.conv3\.conv\.weight holds numbers that are not"):
            read_torch_weights(str(path))


def test_a_checkpoint_of_nan_is_refused_by_name(tmp_path: Path) -> None:
    ms = pytest.importorskip("mindspore")
    stored = read_checkpoint_file(WORDS)
    weights = {name: array.astype(np.float32) for name, array in stored.weights.items()}
    weights["rnn.1.embedding.bias"][0] = np.nan
    assert stored.artifact is not None
    values = json.loads(stored.artifact.to_json()) | {
        "weights_sha256": hash_weights(weights),
        "precision": "fp32",
    }
    entries = [{"name": name, "data": ms.Tensor(array)} for name, array in weights.items()]
    ms.save_checkpoint(entries, str(tmp_path / "a.ckpt"), append_dict={METADATA_KEY: json.dumps(values)})
    with pytest.raises(
        UserError, match=r"a\.ckpt: parameter rnn\.1\.embedding\.bias holds numbers that are not"
    ):
        read_checkpoint_file(str(tmp_path / "a.ckpt"))


def test_scores_that_are_no_numbers_are_no_reading() -> None:
    stored = read_checkpoint_file(WORDS)
    images = np.zeros((1, 3, 32, 100), np.float32)
    assert np.isfinite(open_weights(WORDS, stored).forward(images)).all()
    # Each is finite, and their sums are not.
    large = np.full_like(stored.weights["rnn.1.embedding.bias"], 3e38, dtype=np.float32)
    weight = stored.weights["rnn.1.embedding.weight"].astype(np.float32) * np.float32(1e38)
    weights = {**stored.weights, "rnn.1.embedding.weight": weight, "rnn.1.embedding.bias": large}
    with pytest.raises(UserError, match="gives scores that are not finite"):
        open_weights(WORDS, replace(stored, weights=weights)).forward(images)


def test_an_onnx_file_of_nan_is_refused_by_name(tmp_path: Path) -> None:
    stored = read_checkpoint_file(WORDS)
    assert stored.artifact is not None
    for place in (0, -1):
        model = stored.artifact.kind.onnx(stored.weights, stored.artifact)
        floats = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT]
        array = onnx.numpy_helper.to_array(floats[place]).copy()
        array.flat[-1] = np.nan
        floats[place].CopyFrom(onnx.numpy_helper.from_array(array, floats[place].name))
        path = tmp_path / "a.onnx"
        path.write_bytes(serialize(model))
        with pytest.raises(
            UserError, match=f"parameter {floats[place].name} holds numbers that are not finite"
        ):
            OnnxBackend(str(path), "CPU")


# --- the whole file of a MINDIR ---


def described(path: Path, *digests: str) -> list[Artifact]:
    values = json.loads(ARTIFACT.to_json())
    return [
        Artifact.from_json(json.dumps(values | ({"graph_sha256": d} if d else {})), str(path))
        for d in digests
    ]


def test_a_mindir_with_other_operators_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.mindir"
    path.write_bytes(b"graph of ReLU, parameters")
    digest = file_digest(str(path))
    own = own_description(str(path), described(path, digest))
    assert own.graph_sha256 == digest
    assert (
        own_description(str(path), described(path, "0" * 64, digest)).graph_sha256 == digest
    )  # a killed export
    path.write_bytes(b"graph of Tanh, parameters")
    with pytest.raises(UserError, match=r"a\.mindir: does not have the graph_sha256"):
        own_description(str(path), described(path, digest))
    assert caplog.text == ""
    own_description(str(path), described(path, ""))  # made by an earlier version
    assert "carries no graph_sha256" in caplog.text


# --- memory and time ---

IMPORTS = """
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.artifacts.torch.torch_weights import read_torch_weights
from crnn_mindspore.artifacts.protobuf import prepare_protobuf
prepare_protobuf()
from google.protobuf import descriptor_pb2, message_factory
"""


def within(work: str, path: Path) -> str:
    return read_within(IMPORTS, work, path, mebibytes=MEBIBYTES, seconds=SECONDS)


def test_the_worst_descriptions_stay_within_the_stated_memory_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    work = "Artifact.from_json(open(path).read(), path)"
    values = json.loads(ARTIFACT.to_json())
    many = [f"c{i}" for i in range(1_500_000)]
    for text in (
        json.dumps(
            values | {"format_version": 2, "charset": many, "blank": len(many), "num_classes": len(many) + 1}
        ),
        json.dumps(values | {"training": {name: 1 for name in many}}),
        json.dumps(values | {"training": {"a": [[]] * 5_000_000}}),
        "[" * 33_000_000,
        '{"a": "' + "x" * (34 << 20) + '"}',
    ):
        path.write_text(text)
        assert within(work, path).startswith(("read", "refused: ")), text[:20]


def test_the_worst_files_of_weights_stay_within_the_stated_memory_and_time(tmp_path: Path) -> None:
    work = "read_torch_weights(path)"
    header = json.dumps(
        {f"a{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(300_000)}
    )
    (tmp_path / "many.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode())
    deep = "[" * 90_000_000
    (tmp_path / "deep.safetensors").write_bytes(len(deep).to_bytes(8, "little") + deep.encode())
    (tmp_path / "a-1-of-9999999999.safetensors").write_bytes(b"")
    (tmp_path / "a.ckpt").write_bytes(b"\x0a\x00" * 500_000)
    answers = [within(work, path) for path in sorted(tmp_path.glob("*.safetensors"))]
    answers.append(within("read_checkpoint_file(path)", tmp_path / "a.ckpt"))
    assert all(answer.startswith("refused: ") for answer in answers), answers
    assert not read_safetensors(_empty(tmp_path))[0]


def _empty(folder: Path) -> Path:
    write_safetensors(folder / "empty.safetensors", {})
    return folder / "empty.safetensors"
