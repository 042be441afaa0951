"""Checkpoints: written whole or not at all, read back exactly, refused when damaged or of another network."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_SCALE, TinyModel
from mindspore.train import serialization
from reference import random_weights

import export
from crnn_mindspore import whole_file
from crnn_mindspore.artifacts.artifact import Artifact, hash_weights
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.backend import open_backend, open_reader
from crnn_mindspore.engines.mindspore import parameters as checkpoint_module
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.crnn import scaled_channels
from crnn_mindspore.tasks.ctc.foreign import describe_foreign
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.training.checkpoints.checkpoint import (
    STATE_KEY,
    TrainState,
    read_checkpoint,
    save_checkpoint,
)

ARTIFACT = Artifact(
    Charset("abcÄ中", case_sensitive=True),
    Preprocessing(width=60),
    NetworkSpec("V2", TINY_HIDDEN, TINY_SCALE),
    versions={"numpy": "1"},
    training={"dataset": "folder"},
)
STATE = TrainState(step=12, images_seen=700, steps_per_epoch=5, seed=9, best_accuracy=0.25, best_step=10)


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    return random_weights(6, TINY_HIDDEN, scaled_channels(TINY_SCALE), "V2")


def test_a_checkpoint_is_read_back_exactly(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    others = {"optimizer.accum.x": ms.Tensor(np.arange(3, dtype=np.float32))}
    path = tmp_path / "new" / "a.ckpt"
    stored = save_checkpoint(str(path), weights, ARTIFACT, STATE, others)
    assert stored == replace(ARTIFACT, step=12, weights_sha256=hash_weights(weights))
    found = read_checkpoint(str(path))
    assert found.artifact == stored
    assert found.state == STATE
    assert found.weights.keys() == weights.keys()
    assert all(np.array_equal(found.weights[n], a) for n, a in weights.items())
    assert found.others["optimizer.accum.x"].tolist() == [0, 1, 2]
    assert os.listdir(path.parent) == ["a.ckpt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_is_read_is_what_mindspore_itself_reads(tmp_path: Path) -> None:
    path = tmp_path / "all.ckpt"
    arrays = {
        f"vgg.{kind}": np.array([[0, 1, 2], [3, 100, 5]], kind)
        for kind in ("int8", "int16", "int32", "int64", "uint8", "float16", "float32", "float64", "bool")
    }
    arrays["rnn.scalar"] = np.float32(2.5)
    entries = [{"name": name, "data": ms.Tensor(array)} for name, array in arrays.items()]
    ms.save_checkpoint(entries, str(path), append_dict={"a text": "äß漢字 {}"})
    expected = ms.load_checkpoint(str(path))
    found = read_checkpoint_file(str(path))
    assert found.weights.keys() == arrays.keys()
    assert found.texts == {"a text": expected.pop("a text")}
    for name, parameter in expected.items():
        array = found.weights[name]
        assert (array.dtype, array.shape) == (parameter.asnumpy().dtype, parameter.shape)
        np.testing.assert_array_equal(array, arrays[name])


def test_large_arrays_in_slices_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialization, "SLICE_SIZE", 8)
    array = np.arange(30_000, dtype=np.float32).reshape(100, 300)
    path = tmp_path / "sliced.ckpt"
    ms.save_checkpoint([{"name": "vgg.large", "data": ms.Tensor(array)}], str(path))
    np.testing.assert_array_equal(read_checkpoint_file(str(path)).weights["vgg.large"], array)


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_onnx_runtime_reads_a_checkpoint_to_the_same_logits(
    tiny_models: dict[str, TinyModel], version: str
) -> None:
    path = str(tiny_models[version].checkpoint)
    images = np.random.default_rng(3).uniform(-1, 1, (3, 3, 32, 60)).astype(np.float32)
    reader = open_reader(path)
    assert reader.name == "ONNX Runtime"
    np.testing.assert_allclose(reader.forward(images), open_backend(path).forward(images), atol=1e-5)


@pytest.mark.parametrize(
    "error", [OSError("disk full"), RuntimeError("broken"), KeyboardInterrupt(), TypeError()]
)
@pytest.mark.parametrize("moment", ["while writing", "before renaming"])
def test_a_failing_save_leaves_the_old_file_and_no_other(
    tmp_path: Path,
    weights: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    moment: str,
) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(str(path), weights, ARTIFACT, STATE)
    before = path.read_bytes()

    def write_half_then_fail(entries: object, name: str, **options: object) -> None:
        Path(name).write_bytes(before[: len(before) // 2])
        raise error

    def fail(*names: object) -> None:
        raise error

    if moment == "while writing":
        monkeypatch.setattr(checkpoint_module.ms, "save_checkpoint", write_half_then_fail)
    else:
        monkeypatch.setattr(whole_file.os, "replace", fail)
    expected = UserError if isinstance(error, OSError | RuntimeError) else type(error)
    with pytest.raises(expected):
        save_checkpoint(str(path), weights, ARTIFACT, replace(STATE, step=13))
    assert os.listdir(tmp_path) == ["a.ckpt"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", ["rnn.1.embedding.bias", "optimizer.accum.x"])
def test_numbers_that_are_not_finite_never_replace_a_good_checkpoint(
    tmp_path: Path, weights: dict[str, np.ndarray], value: float, place: str
) -> None:
    path = tmp_path / "a.ckpt"
    others = {"optimizer.accum.x": np.zeros(3, np.float32)}
    save_checkpoint(str(path), weights, ARTIFACT, STATE, {n: ms.Tensor(a) for n, a in others.items()})
    before = path.read_bytes()
    bad = {name: array.copy() for name, array in {**weights, **others}.items()}
    bad[place][1] = value
    accum = {"optimizer.accum.x": ms.Tensor(bad.pop("optimizer.accum.x"))}
    with pytest.raises(UserError, match=rf"a\.ckpt: not saved, {place} holds numbers that are not finite"):
        save_checkpoint(str(path), bad, ARTIFACT, replace(STATE, step=13), accum)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.ckpt"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.ckpt"
    with pytest.raises(UserError, match=r"file/a\.ckpt: the checkpoint cannot be written"):
        save_checkpoint(str(path), weights, ARTIFACT)


@pytest.mark.parametrize("ending", ["ckpt", "mindir", "onnx"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.9999])
def test_a_truncated_model_is_refused_and_named(copied: Callable, ending: str, share: float) -> None:
    path = copied(ending)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=rf"copy\.{ending}: "):
        open_backend(str(path))


@pytest.mark.parametrize("ending", ["ckpt", "mindir", "onnx"])
def test_a_file_of_something_else_is_refused_and_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"other.{ending}"
    path.write_text("not a model\n" * 100)
    path.with_suffix(".json").write_text(ARTIFACT.to_json())
    with pytest.raises(UserError, match=rf"other\.{ending}: "):
        open_backend(str(path))


@pytest.mark.parametrize("ending", ["ckpt", "mindir"])
def test_one_changed_weight_is_noticed_by_the_hash(
    copied: Callable, tiny_models: dict[str, TinyModel], ending: str
) -> None:
    path = copied(ending)
    data = bytearray(path.read_bytes())
    place = data.find(tiny_models["V2"].weights["rnn.1.embedding.weight"].tobytes())
    assert place > 0
    data[place + 5] ^= 1  # the lowest bit but eight of a mantissa
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"copy\.{ending}: its parameters do not have the hash"):
        open_backend(str(path))


def test_a_mindir_with_another_models_description_is_refused(
    copied: Callable, tiny_models: dict[str, TinyModel]
) -> None:
    path = copied("mindir")
    path.with_suffix(".json").write_bytes(tiny_models["V1"].mindir.with_suffix(".json").read_bytes())
    with pytest.raises(UserError, match=r"copy\.mindir: .*hash in .*copy\.json"):
        open_backend(str(path))


def test_a_mindir_with_another_operator_is_refused(
    copied: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    path = copied("mindir")
    description = path.with_suffix(".json")
    content = path.read_bytes()
    assert b"ReLU" in content
    open_backend(str(path))
    path.write_bytes(content.replace(b"ReLU", b"Tanh"))  # names of operators, all of four letters
    with pytest.raises(UserError, match=r"copy\.mindir: does not have the graph_sha256 in .*copy\.json"):
        open_backend(str(path))
    # One that an earlier version wrote opens as before, with a word of warning.
    path.write_bytes(content)
    values = json.loads(description.read_text())
    assert values.pop("graph_sha256")
    description.write_text(json.dumps(values))
    open_backend(str(path))
    assert "carries no graph_sha256" in caplog.text


def test_a_mindir_without_its_description_is_refused(copied: Callable) -> None:
    path = copied("mindir")
    path.with_suffix(".json").unlink()
    with pytest.raises(UserError, match=r"copy\.json: No such file .* needs its description beside it"):
        open_backend(str(path))


def test_an_onnx_file_that_is_not_ours_or_lies_about_its_classes_is_refused(copied: Callable) -> None:
    import onnx

    path = copied("onnx")
    model = onnx.load(str(path))
    description = json.loads(model.metadata_props[0].value)
    longer = description | {"charset": description["charset"] + "-", "blank": 37, "num_classes": 38}
    model.metadata_props[0].value = json.dumps(longer)
    onnx.save(model, str(path))
    with pytest.raises(UserError, match=r"copy\.onnx: has 37 classes, but its description has 38"):
        open_backend(str(path))
    del model.metadata_props[:]
    onnx.save(model, str(path))
    with pytest.raises(UserError, match=r"copy\.onnx: carries no self-description"):
        open_backend(str(path))


def test_a_checkpoint_without_a_crnn_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "dense.ckpt")
    ms.save_checkpoint([{"name": "fc.weight", "data": ms.Tensor(np.ones(3, np.float32))}], path)
    with pytest.raises(UserError, match=r"dense\.ckpt: holds no parameter of a CRNN"):
        read_checkpoint(path)


def test_a_damaged_training_state_is_named(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    path = str(tmp_path / "a.ckpt")
    entries = [{"name": n, "data": ms.Tensor(a)} for n, a in weights.items()]
    ms.save_checkpoint(entries, path, append_dict={STATE_KEY: '{"steps": 3}'})
    with pytest.raises(UserError, match=r"a\.ckpt: its training state is damaged .*steps"):
        read_checkpoint(path)


def test_missing_unknown_and_misshapen_parameters_are_named(
    tmp_path: Path, weights: dict[str, np.ndarray]
) -> None:
    path = tmp_path / "a.ckpt"
    changed = dict(weights)
    changed["rnn.1.embedding.bogus"] = changed.pop("rnn.1.embedding.bias")
    save_checkpoint(str(path), changed, ARTIFACT)
    with pytest.raises(UserError, match=r"1 missing \['rnn\.1\.embedding\.bias'\], 1 unknown \[.*bogus"):
        open_backend(str(path))
    save_checkpoint(str(path), weights | {"rnn.1.embedding.bias": np.ones(7, np.float32)}, ARTIFACT)
    with pytest.raises(UserError, match=r"rnn\.1\.embedding\.bias has shape \(7,\), the network has \(6,\)"):
        open_backend(str(path))


def test_a_checkpoint_without_description_is_measured_and_its_classes_must_fit(
    weights: dict[str, np.ndarray],
) -> None:
    found = describe_foreign(weights, {}, Charset("abcde"), Preprocessing(), "zoo.ckpt")
    assert found.network == NetworkSpec("V2", TINY_HIDDEN, TINY_SCALE)
    with pytest.raises(UserError, match=r"zoo\.ckpt: has 6 classes, but label_dict has 36 .*: 37"):
        describe_foreign(weights, {}, Charset(), Preprocessing(), "zoo.ckpt")
    with pytest.raises(UserError, match=r"is no V1 or V2 network of the model zoo"):
        describe_foreign({"vgg.conv1.conv.weight": np.ones(3)}, {}, Charset(), Preprocessing(), "zoo.ckpt")


@pytest.mark.slow
def test_a_small_checkpoint_holds_the_weights_alone_in_half_precision(
    tiny_models: dict[str, TinyModel], tmp_path: Path
) -> None:
    model = tiny_models["V2"]
    options = [f"--ckpt_file={model.checkpoint}", f"--file_name={tmp_path / 'small'}", "--file_format=CKPT"]
    assert export.main([*options, "--device_target=CPU"]) == 0
    small = read_checkpoint(str(tmp_path / "small.ckpt"))
    assert {array.dtype for array in small.weights.values()} == {np.dtype(np.float16)}
    assert (small.others, small.state) == ({}, None)
    assert (tmp_path / "small.ckpt").stat().st_size < 0.6 * model.checkpoint.stat().st_size
    images = np.random.default_rng(5).normal(size=(2, 3, 32, 100)).astype(np.float32)
    exact = open_backend(str(model.checkpoint)).forward(images)
    found = open_backend(str(tmp_path / "small.ckpt"))
    np.testing.assert_allclose(found.forward(images), exact, atol=0.02)
    assert open_reader(str(tmp_path / "small.ckpt")).artifact == found.artifact
    options = [f"--ckpt_file={tmp_path / 'small.ckpt'}", f"--file_name={tmp_path / 'again'}"]
    assert export.main([*options, "--file_format=MINDIR", "--device_target=CPU"]) == 0
    again = open_backend(str(tmp_path / "again.mindir"))
    np.testing.assert_array_equal(again.forward(images), found.forward(images))
    assert again.artifact == found.artifact
