"""The networks of PyTorch's projects train, go on and are exported like V1 and V2; grey images too."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import WORDS, Run, assert_refused, write_folder
from test_resume import assert_same_training

import eval as eval_program
import export
import train
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.cli import convert_weights
from crnn_mindspore.engines.backend import open_backend

pytestmark = pytest.mark.slow

NETWORKS = {
    "paper": (
        *("--model_version=paper", "--image_colours=GREY", "--leaky_slope=0.2", "--optimizer=adam"),
        *("--ema_decay=0.8", "--num_step=26"),
    ),
    "vgg": ("--model_version=vgg", "--image_colours=RGB", "--num_step=24"),
    "gru": (
        *("--model_version=vgg", "--image_colours=GREY", "--rnn_type=gru", "--optimizer=adam"),
        "--image_width=60",
    ),
    "V2": ("--model_version=V2", "--image_colours=GREY"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_that_goes_on_ends_as_one_that_did_not_stop(
    run_program: Run, tmp_path: Path, name: str
) -> None:
    folder = write_folder(tmp_path / "words", WORDS)
    data = ("--train_dataset=folder", f"--train_dataset_path={folder}", "--device_target=CPU")

    def run(out: Path, *options: str) -> None:
        outcome = run_program(
            train.main,
            *("--channel_scale=0.0625", "--hidden_size=8", "--batch_size=4", "--learning_rate=0.01", *data),
            *("--save_checkpoint_steps=2", "--per_print_time=1", "--max_steps=4", *NETWORKS[name], *options),
            *(f"--save_checkpoint_path={out}", f"--output_dir={out}"),
        )
        assert outcome.status == 0, outcome

    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    run(whole)
    checkpoints = sorted(whole.glob("*.ckpt"), key=lambda path: path.stat().st_mtime_ns)
    run(resumed, f"--resume_ckpt={checkpoints[0]}")
    last = checkpoints[-1]
    assert_same_training(resumed / last.name, last)
    outcome = run_program(
        eval_program.main,
        *(f"--checkpoint_path={last}", "--eval_dataset=folder", f"--eval_dataset_path={folder}"),
        "--device_target=CPU",
    )
    assert f"total num: {len(WORDS)}" in outcome.out, outcome
    exports = (("fp32", "MINDIR", "mindir"), *((kind, "ONNX", "onnx") for kind in ("fp32", "fp16", "int8")))
    for precision, form, ending in exports:
        target = tmp_path / f"{precision}.{ending}"
        outcome = run_program(
            export.main,
            *(f"--ckpt_file={last}", f"--file_name={target}", f"--file_format={form}"),
            *(f"--precision={precision}", "--device_target=CPU", "--calibration_dataset=folder"),
            f"--calibration_path={folder}",
        )
        assert outcome.status == 0, outcome
    backend = open_backend(str(last))
    channels, width = backend.artifact.preprocessing.channels, backend.artifact.preprocessing.width
    images = np.random.default_rng(0).uniform(-1, 1, (2, channels, 32, width)).astype(np.float32)
    expected = backend.forward(images)
    for ending in ("mindir", "onnx"):
        found = open_backend(str(tmp_path / f"fp32.{ending}")).forward(images)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    half = open_backend(str(tmp_path / "fp16.onnx")).forward(images)
    np.testing.assert_allclose(half, expected, atol=0.01 * np.abs(expected).max())
    quantised = open_backend(str(tmp_path / "int8.onnx")).forward(images)
    assert np.abs(quantised - expected).max() < 0.1 * np.abs(expected).max()
    kinds = {t.data_type for t in onnx.load(tmp_path / "int8.onnx").graph.initializer if len(t.dims) == 4}
    assert kinds == {onnx.TensorProto.INT8}


def test_what_does_not_fit_is_refused(run_program: Run, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "words", WORDS)
    options = ("--train_dataset=folder", f"--train_dataset_path={folder}", "--model_version=paper")
    outcome = run_program(train.main, *options, "--image_height=48", "--device_target=CPU")
    assert_refused(outcome, "image_height is 48; the network needs 32")
    outcome = run_program(train.main, *options, "--num_step=24", "--device_target=CPU")
    assert_refused(outcome, "num_step is given as 24, but 26 follows from the other options")


def test_a_converted_network_is_trained_on_with_its_own_images(run_program: Run, tmp_path: Path) -> None:
    letters = write_folder(tmp_path / "words", ["0a1", "b2c", "d3", "4e5"])
    models, start = Path(__file__).parents[1] / "artifacts" / "torch_models", tmp_path / "start.ckpt"
    outcome = run_program(
        convert_weights.main,
        *(
            f"--from_torch={models / 'deep_text.pth'}",
            f"--output={start}",
            "--image_mean=100",
            "--image_std=50",
        ),
    )
    assert outcome.status == 0, outcome
    data = ("--train_dataset=folder", f"--train_dataset_path={letters}", "--device_target=CPU")
    options = (f"--pretrained={start}", "--batch_size=2", "--max_steps=2", f"--output_dir={tmp_path}")
    out = tmp_path / "out"
    outcome = run_program(train.main, *data, *options, f"--save_checkpoint_path={out}")
    assert outcome.status == 0, outcome
    (last,) = out.glob("*.ckpt")
    before, after = (read_checkpoint_file(str(path)).artifact for path in (start, last))
    assert before is not None
    assert after is not None
    assert (after.preprocessing, after.network, after.codec) == (
        before.preprocessing,
        before.network,
        before.codec,
    )
    assert (after.preprocessing.mean, after.preprocessing.interpolation) == (100, "pillow-cubic")
    outcome = run_program(train.main, *data, *options, "--image_mean=127.5", f"--save_checkpoint_path={out}")
    assert_refused(outcome, "was made with image_mean 100.0, but image_mean 127.5 was given")
