"""Checkpoints with the model zoo's names: the logits of the zoo's definition, through every door."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_SCALE, Run, assert_refused, write_folder
from reference import crnn_logits
from zoo_reference import Arrays, write_zoo, zoo_v1, zoo_v1_logits, zoo_v2

import eval as eval_program
import export
from crnn_mindspore.cli import convert_weights
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow


def zoo_v2_logits(images: np.ndarray, arrays: Arrays) -> np.ndarray:
    return crnn_logits(images, arrays, "V2")


ZOO = {"V1": (zoo_v1, zoo_v1_logits), "V2": (zoo_v2, zoo_v2_logits)}


def batch(width: int = 100, count: int = 3) -> np.ndarray:
    return np.random.default_rng(width).uniform(-1, 1, (count, 3, 32, width)).astype(np.float32)


def convert(run_program: Run, source: Path, target: Path, *options: str):
    return run_program(convert_weights.main, f"--ckpt_file={source}", f"--output={target}", *options)


@pytest.mark.parametrize("version", ZOO)
@pytest.mark.parametrize("width", [100, 60])
def test_the_zoos_checkpoints_give_the_zoos_logits(tmp_path: Path, version: str, width: int) -> None:
    create, logits = ZOO[version]
    backend = open_backend(str(write_zoo(tmp_path / "zoo.ckpt", create())))
    expected = logits(batch(width), create())
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(backend.forward(batch(width)), expected, atol=1e-4)
    assert backend.artifact.network == NetworkSpec(version, TINY_HIDDEN, TINY_SCALE)


@pytest.mark.parametrize("version", ZOO)
def test_a_converted_checkpoint_describes_itself_and_exports_to_the_same_logits(
    run_program: Run, tmp_path: Path, version: str
) -> None:
    create, logits = ZOO[version]
    source, target = write_zoo(tmp_path / "zoo.ckpt", create()), tmp_path / "out" / "own.ckpt"
    letters = "0123456789zyxwvutsrqponmlkjihgfedcba"
    outcome = convert(run_program, source, target, f"--label_dict={letters}", "--image_width=60")
    assert outcome.status == 0, outcome
    assert f"converted {source} to {target}: {version}, hidden_size 8, channel_scale 0.0625" in outcome.out
    artifact = read_checkpoint(str(target)).artifact
    assert artifact is not None
    assert (artifact.codec, artifact.preprocessing.width) == (Charset(letters), 60)
    assert artifact.training == {"converted_from": "zoo.ckpt"}
    name = tmp_path / "own.onnx"
    exported = run_program(
        export.main,
        f"--ckpt_file={target}",
        f"--file_name={name}",
        "--file_format=ONNX",
        "--device_target=CPU",
    )
    assert exported.status == 0, exported
    for path in (target, name):
        np.testing.assert_allclose(
            open_backend(str(path)).forward(batch()), logits(batch(), create()), atol=1e-4
        )


def test_the_zoos_backward_weights_of_the_second_layer_of_v1_play_no_part(tmp_path: Path) -> None:
    arrays = zoo_v1()
    changed = {**arrays, "w2_bw": arrays["w2_bw"] + 1, "b2_bw": arrays["b2_bw"] - 1}
    found = [
        open_backend(str(write_zoo(tmp_path / f"{i}.ckpt", a))).forward(batch())
        for i, a in enumerate((arrays, changed))
    ]
    assert np.array_equal(*found)


@pytest.mark.parametrize("version", ZOO)
def test_eval_reads_the_zoos_checkpoints_directly(run_program: Run, tmp_path: Path, version: str) -> None:
    data = write_folder(tmp_path / "words", ("cat", "dog7"))
    source = write_zoo(tmp_path / "zoo.ckpt", ZOO[version][0]())
    outcome = run_program(
        eval_program.main,
        f"--checkpoint_path={source}",
        "--eval_dataset=folder",
        f"--eval_dataset_path={data}",
        "--device_target=CPU",
    )
    assert outcome.status == 0, outcome
    assert "total num: 2" in outcome.out


def without(name: str) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.pop(name)


def with_shape(name: str, *shape: int) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.update({name: np.ones(shape, np.float32)})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("w2_bw"), r"holds no parameter w2_bw; one of shape \(24, 32\) is needed"),
        (without("fc.weight"), r"holds no matrix fc\.weight, \(classes, hidden\)"),
        (without("vgg.conv7.conv.weight"), r"holds no parameter vgg\.conv7\.conv\.weight"),
        (with_shape("w1", 39, 32), r"w1 has shape \(39, 32\), must have \(40, 32\)"),
        (with_shape("b2", 31), r"b2 has shape \(31,\), must have \(32,\)"),
        (with_shape("fc.bias", 5), r"fc\.bias has shape \(5,\), must have \(37,\)"),
        (
            with_shape("vgg.conv3.conv.weight", 16, 8, 3, 2),
            r"vgg\.conv3\.conv\.weight has shape \(16, 8, 3, 2\), the network has \(16, 8, 3, 3\)",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_both_shapes(
    tmp_path: Path, damage: Callable[[Arrays], None], message: str
) -> None:
    arrays = zoo_v1()
    damage(arrays)
    with pytest.raises(UserError, match=r"zoo\.ckpt: " + message):
        open_backend(str(write_zoo(tmp_path / "zoo.ckpt", arrays)))


def test_the_converter_refuses_what_it_cannot_do(run_program: Run, tmp_path: Path) -> None:
    zoo, own = write_zoo(tmp_path / "zoo.ckpt", zoo_v1()), tmp_path / "own.ckpt"
    assert_refused(
        convert(run_program, zoo, own, "--label_dict=abc"),
        f"{zoo}: has 37 classes, but label_dict has 3 characters and a blank: 4",
    )
    assert_refused(convert(run_program, zoo, own, "--label_dict=auto"), "label_dict 'auto'")
    assert_refused(convert(run_program, zoo, own, "--image_width=4"), "image width is 4")
    assert_refused(convert(run_program, zoo, zoo), f"output '{zoo}' is the checkpoint to convert")
    assert_refused(convert(run_program, zoo, tmp_path / "own.onnx"), "must end in .ckpt")
    gone = tmp_path / "gone.ckpt"
    assert_refused(convert(run_program, gone, own), f"no such checkpoint: {gone}")
    assert not own.exists()
    assert convert(run_program, zoo, own).status == 0
    assert_refused(convert(run_program, own, tmp_path / "b.ckpt"), f"{own}: describes itself already")
