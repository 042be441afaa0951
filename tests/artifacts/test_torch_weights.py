"""Weights between checkpoints and PyTorch's names in safetensors files, by `crnn convert weights`."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, TinyModel, assert_refused
from reference import crnn_logits

from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.artifacts.torch.safetensors_file import read_safetensors, write_safetensors
from crnn_mindspore.artifacts.torch.torch_names import our_names, torch_name
from crnn_mindspore.artifacts.torch.torch_weights import read_torch_weights, write_torch_weights
from crnn_mindspore.cli import convert_weights
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork


@pytest.fixture
def convert(run_program: Run) -> Run:
    return lambda *options: run_program(convert_weights.main, *options)


def batch(width: int = 100) -> np.ndarray:
    return np.random.default_rng(width).uniform(-1, 1, (3, 3, 32, width)).astype(np.float32)


# What PyTorch calls the parameters of a V2 whose modules have our names: its documentation's names of
# Conv2d, BatchNorm2d, LSTM and Linear.
NAMES = {
    "vgg.conv1.conv.weight": "vgg.conv1.conv.weight",
    "vgg.conv1.bn.gamma": "vgg.conv1.bn.weight",
    "vgg.conv1.bn.beta": "vgg.conv1.bn.bias",
    "vgg.conv1.bn.moving_mean": "vgg.conv1.bn.running_mean",
    "vgg.conv1.bn.moving_variance": "vgg.conv1.bn.running_var",
    "rnn.0.rnn.weight_hh_l0_reverse": "rnn.0.rnn.weight_hh_l0_reverse",
    "rnn.0.embedding.weight": "rnn.0.embedding.weight",
    "rnn.0.embedding.bias": "rnn.0.embedding.bias",
    "stage1.0.downsample.gamma": "stage1.0.downsample.weight",
    "stage1.0.downsample.moving_mean": "stage1.0.downsample.running_mean",
}


def test_names_differ_in_batch_norm_alone() -> None:
    assert {name: torch_name(name) for name in NAMES} == NAMES
    assert our_names(NAMES.values()) == {theirs: ours for ours, theirs in NAMES.items()}


@pytest.mark.slow
@pytest.mark.parametrize("version", ["V1", "V2"])
def test_weights_come_back_to_the_last_bit_with_their_description(
    convert: Run, tiny_models: dict[str, TinyModel], tmp_path: Path, version: str
) -> None:
    model = tiny_models[version]
    given, back = tmp_path / "given.safetensors", tmp_path / "back.ckpt"
    outcome = convert(f"--ckpt_file={model.checkpoint}", f"--to_torch={given}")
    assert outcome.status == 0, outcome
    sizes = f"{version}, hidden_size 8, channel_scale 0.0625, 37 classes"
    assert f"converted {model.checkpoint} to {given}: {sizes}" in outcome.out
    arrays, texts = read_safetensors(given)
    assert arrays.keys() == {torch_name(name) for name in model.weights}
    np.testing.assert_array_equal(
        arrays["vgg.conv7.bn.running_var"], model.weights["vgg.conv7.bn.moving_variance"]
    )
    assert json.loads(texts[METADATA_KEY])["charset"] == "abcdefghijklmnopqrstuvwxyz0123456789"
    outcome = convert(f"--from_torch={given}", f"--output={back}")
    assert outcome.status == 0, outcome
    assert f"converted {given} to {back}: {sizes}" in outcome.out
    before, after = read_checkpoint_file(str(model.checkpoint)), read_checkpoint_file(str(back))
    assert after.artifact == before.artifact
    assert {n: a.tobytes() for n, a in after.weights.items()} == {
        n: a.tobytes() for n, a in before.weights.items()
    }
    np.testing.assert_allclose(
        open_backend(str(back)).forward(batch(60)), crnn_logits(batch(60), model.weights, version), atol=1e-4
    )


@pytest.mark.slow
def test_half_precision_stays_half_and_a_mixture_becomes_float32(
    convert: Run, tiny_models: dict[str, TinyModel], tmp_path: Path
) -> None:
    source = read_checkpoint_file(str(tiny_models["V2"].checkpoint))
    halves = {name: array.astype(np.float16) for name, array in source.weights.items()}
    mixed = {**halves, "rnn.0.embedding.bias": source.weights["rnn.0.embedding.bias"]}
    for name, weights, kind, precision in (
        ("h", halves, np.float16, "fp16"),
        ("m", mixed, np.float32, "fp32"),
    ):
        path = tmp_path / f"{name}.safetensors"
        write_torch_weights(str(path), weights, source.artifact)
        assert convert(f"--from_torch={path}").status == 0  # beside it
        found = read_checkpoint_file(str(tmp_path / f"{name}.ckpt"))
        assert found.artifact.precision == precision
        assert {array.dtype for array in found.weights.values()} == {np.dtype(kind)}
        for parameter, array in weights.items():
            np.testing.assert_array_equal(found.weights[parameter], array.astype(kind))
        forward = open_backend(str(tmp_path / f"{name}.ckpt")).forward(batch())
        computed = {n: a.astype(np.float32) for n, a in weights.items()}
        np.testing.assert_allclose(forward, crnn_logits(batch(), computed, "V2"), atol=1e-4)


@pytest.mark.slow
def test_a_file_without_description_takes_the_options(
    convert: Run, tiny_models: dict[str, TinyModel], tmp_path: Path
) -> None:
    model, path, own = tiny_models["V2"], tmp_path / "plain.safetensors", tmp_path / "own.ckpt"
    plain = {torch_name(name): array for name, array in model.weights.items()}
    plain["vgg.conv1.bn.num_batches_tracked"] = np.array(5)  # of PyTorch's batch norm
    write_safetensors(path, plain)
    assert_refused(
        convert(f"--from_torch={path}", f"--output={own}", "--label_dict=abc"),
        f"{path}: has 37 classes, but label_dict has 3 characters and a blank: 4",
    )
    letters = "0123456789zyxwvutsrqponmlkjihgfedcba"
    outcome = convert(
        f"--from_torch={path}", f"--output={own}", f"--label_dict={letters}", "--image_width=60"
    )
    assert outcome.status == 0, outcome
    found = read_checkpoint_file(str(own))
    assert (found.artifact.codec.characters, found.artifact.preprocessing.width) == (letters, 60)
    assert found.artifact.training == {"converted_from": "plain.safetensors"}
    for name, array in model.weights.items():
        np.testing.assert_array_equal(found.weights[name], array.astype(np.float32))


@pytest.mark.slow
def test_several_files_are_one(tiny_models: dict[str, TinyModel], tmp_path: Path) -> None:
    source = read_checkpoint_file(str(tiny_models["V2"].checkpoint))
    whole = tmp_path / "w.safetensors"
    write_torch_weights(str(whole), source.weights, source.artifact)
    arrays, texts = read_safetensors(whole)
    names = sorted(arrays)
    paths = [tmp_path / f"w-{number}-of-2.safetensors" for number in (1, 2)]
    for path, part in zip(paths, (names[:9], names[9:]), strict=True):
        write_safetensors(path, {name: arrays[name] for name in part}, texts)
    for path in paths:
        found = read_torch_weights(str(path))
        assert found.artifact == source.artifact
        assert found.weights.keys() == source.weights.keys()
    write_safetensors(paths[1], {name: arrays[name] for name in names[9:]}, {**texts, "format": "other"})
    with pytest.raises(UserError, match="its 2 files are not of one saving"):
        read_torch_weights(str(paths[0]))
    paths[1].unlink()
    with pytest.raises(UserError, match=f"no such file: {paths[1]}"):
        read_torch_weights(str(paths[0]))


@pytest.mark.slow
def test_other_kinds_of_output_are_converted_too(convert: Run, tmp_path: Path) -> None:
    from crnn_mindspore.engines.mindspore.network_backend import create_network
    from crnn_mindspore.engines.mindspore.parameters import network_weights, write_checkpoint

    codec = PositionsCodec(layout_of({"text": ["abc", "01"]}))
    network = PositionsNetwork("resnet18", 1 / 16)
    artifact = Artifact(codec, Preprocessing(32, 32), network, task="positions")
    source, given, back = (tmp_path / name for name in ("a.ckpt", "a.safetensors", "b.ckpt"))
    write_checkpoint(str(source), network_weights(create_network(artifact)), artifact)
    assert convert(f"--ckpt_file={source}", f"--to_torch={given}").status == 0
    outcome = convert(f"--from_torch={given}", f"--output={back}")
    assert f"to {back}: resnet18, channel_scale 0.0625, 3 classes" in outcome.out, outcome
    before, after = read_checkpoint_file(str(source)), read_checkpoint_file(str(back))
    assert after.artifact == before.artifact
    assert {n: a.tobytes() for n, a in after.weights.items()} == {
        n: a.tobytes() for n, a in before.weights.items()
    }
    norms = [name for name in read_safetensors(given)[0] if name.endswith(".running_mean")]
    assert len(norms) == sum(name.endswith(".moving_mean") for name in before.weights) > 10


@pytest.mark.slow
def test_what_cannot_be_converted_is_refused(
    convert: Run, tiny_models: dict[str, TinyModel], tmp_path: Path
) -> None:
    model, own, given = tiny_models["V2"], tmp_path / "own.ckpt", tmp_path / "w.safetensors"
    checkpoint = f"--ckpt_file={model.checkpoint}"
    assert convert(checkpoint, f"--to_torch={given}").status == 0
    source = f"--from_torch={given}"
    assert_refused(convert(f"--output={own}"), "give one of ckpt_file and from_torch")
    assert_refused(convert(checkpoint, source, f"--output={own}"), "give one of ckpt_file and from_torch")
    assert_refused(
        convert(source, f"--to_torch={own}"), "to_torch takes the place of output", "leave out from_torch"
    )
    assert_refused(convert(checkpoint, f"--to_torch={given}", f"--output={own}"), "leave out output")
    assert_refused(convert(checkpoint, f"--to_torch={tmp_path / 'a.pth'}"), "a.pth: must end in .safetensors")
    assert_refused(convert(checkpoint, f"--to_torch={given}", "--image_width=60"), "leave out image_width")
    assert_refused(convert(source, "--label_dict=ab"), f"{given}: describes itself; leave out label_dict")
    assert_refused(convert(source, f"--output={tmp_path / 'a.onnx'}"), "must end in .ckpt")
    assert_refused(convert(f"--from_torch={tmp_path / 'm.pth'}"), f"no such file: {tmp_path / 'm.pth'}")
    assert_refused(
        convert(f"--from_torch={tmp_path / 'gone.safetensors'}"), "no such file", "gone.safetensors"
    )
    foreign = tmp_path / "foreign.safetensors"
    write_safetensors(foreign, {"cnn.conv0.weight": np.ones((64, 1, 3, 3), np.float32)})
    assert_refused(convert(f"--from_torch={foreign}"), "is no network known here", "cnn.conv0.weight")
    scalar = tmp_path / "scalar.safetensors"
    write_safetensors(
        scalar,
        {"vgg.conv7.conv.weight": np.float32(1).reshape(()), "rnn.fc.weight": np.ones((37, 16), np.float32)},
    )
    assert_refused(convert(f"--from_torch={scalar}"), f"{scalar}: carries no self-description")
    content = given.read_bytes()
    given.write_bytes(content[:-4] + b"\0\0\x80\x3f")  # another last number
    assert_refused(convert(source, f"--output={own}"), f"{given}: its parameters do not have the hash")
    assert not own.exists()
