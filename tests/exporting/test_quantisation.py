"""ONNX in half precision and in 8-bit integers: kinds of numbers, what is computed, what is refused."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import Run, TinyModel, assert_refused, word_image, write_folder
from reference import crnn_logits

import export
from crnn_mindspore.artifacts.artifact import Artifact, hash_weights
from crnn_mindspore.artifacts.onnx_graph import build_onnx, serialize
from crnn_mindspore.data.preprocess import Preprocessing, preprocess
from crnn_mindspore.engines.onnx_backend import OnnxBackend
from crnn_mindspore.exporting.onnx_precision import calibration_images, quantize, to_half

VERSIONS = ("V1", "V2")
CALIBRATION_WORDS = ("quick", "brown", "fox", "jumps", "over", "lazy", "dog", "1234567890")


def images(words: tuple[str, ...], width: int = 100) -> np.ndarray:
    """(N, 3, 32, width) float32."""
    return np.stack([preprocess(word_image(word), Preprocessing(width=width)) for word in words])


@pytest.fixture(scope="module")
def graphs(tiny_models: dict[str, TinyModel]) -> dict[tuple[str, str], onnx.ModelProto]:
    """The tiny networks in every precision."""
    found = {}
    for version in VERSIONS:
        weights = tiny_models[version].weights
        artifact = Artifact.from_json(_description(tiny_models[version].onnx), "tiny.onnx")
        for precision, convert in CONVERT.items():
            found[version, precision] = convert(build_onnx(weights, artifact))
    return found


CONVERT: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "fp32": lambda model: model,
    "fp16": to_half,
    "int8": lambda model: quantize(model, [images(CALIBRATION_WORDS)]),
}


def _description(path: Path) -> str:
    (text,) = [entry.value for entry in onnx.load(path).metadata_props if entry.key == "crnn_artifact"]
    return text


def backend(model: onnx.ModelProto) -> OnnxBackend:
    return OnnxBackend("in memory", model=serialize(model))


def kinds(model: onnx.ModelProto) -> dict[str, int]:
    """Name of the number type -> how many numbers the initialisers hold."""
    found: dict[str, int] = {}
    for tensor in model.graph.initializer:
        kind = onnx.TensorProto.DataType.Name(tensor.data_type)
        found[kind] = found.get(kind, 0) + int(np.prod(tensor.dims))
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_half_precision_rounds_every_weight_and_nothing_else(graphs, version: str) -> None:
    single, half = (
        {t.name: onnx.numpy_helper.to_array(t) for t in graphs[version, p].graph.initializer}
        for p in ("fp32", "fp16")
    )
    assert "FLOAT" not in kinds(graphs[version, "fp16"])
    floats = {name for name, array in single.items() if array.dtype == np.float32}
    assert len(floats) > 20
    for name in floats:
        np.testing.assert_array_equal(half[name], single[name].astype(np.float16))


@pytest.mark.parametrize("version", VERSIONS)
def test_convolutions_and_dense_layers_are_integers_of_seven_bits_and_the_lstm_is_not(
    graphs, version: str
) -> None:
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in graphs[version, "int8"].graph.initializer}
    kernels = {name: a for name, a in arrays.items() if a.dtype == np.int8 and a.ndim > 1}
    dense = ["rnn.fc"] if version == "V1" else ["rnn.0.embedding", "rnn.1.embedding"]
    layers = [f"vgg.conv{i}" for i in range(1, 8)] + dense
    assert sorted(kernels) == sorted(f"{layer}.weight_quantized" for layer in layers)
    for name, kernel in kernels.items():
        # By channel: each reaches the end of the range, 64, so that no two products overflow 16 bits.
        channels = kernel.reshape(len(kernel), -1).T if kernel.ndim == 4 else kernel
        assert abs(channels.astype(int)).max(axis=0).tolist() == [64] * channels.shape[1], name
        assert 2 * 64 * 255 < 2**15
    for node in graphs[version, "int8"].graph.node:
        if node.op_type == "LSTM":
            assert {arrays[name].dtype for name in node.input[1:4]} == {np.dtype(np.float32)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize(("count", "width"), [(1, 60), (3, 100), (64, 333)])
def test_any_batch_and_width_gives_nearly_the_numpy_logits(
    graphs, tiny_models, version: str, precision: str, count: int, width: int
) -> None:
    batch = np.resize(images(("cat", "moon", "river7"), width), (count, 3, 32, width))
    found = backend(graphs[version, precision]).forward(batch)
    expected = crnn_logits(batch[:3], tiny_models[version].weights, version)
    assert (found.dtype, found.shape) == (np.float32, (width // 4 - 1, count, 37))
    spread = np.ptp(expected)
    assert spread > 1
    error = np.abs(found[:, :3] - expected).max() / spread
    # 11 and 7 bits a number; unequal, so the numbers are really smaller.
    assert 0 < error < {"fp16": 0.01, "int8": 0.2}[precision]


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_an_image_gives_the_same_logits_alone_and_in_a_batch(graphs, precision: str) -> None:
    forward = backend(graphs["V2", precision]).forward
    batch = images(CALIBRATION_WORDS)
    alone = np.concatenate([forward(batch[i : i + 1]) for i in range(len(batch))], axis=1)
    np.testing.assert_allclose(forward(batch), alone, atol=1e-5)


def test_activations_take_the_range_of_the_calibration_images(tiny_models) -> None:
    weights = tiny_models["V2"].weights
    artifact = Artifact.from_json(_description(tiny_models["V2"].onnx), "tiny.onnx")
    scales = []
    for factor in (1.0, 0.5):
        model = quantize(build_onnx(weights, artifact), [factor * images(("a",)), factor * images(("b",))])
        (scale,) = [t for t in model.graph.initializer if t.name == "images_scale"]
        scales.append(float(onnx.numpy_helper.to_array(scale)))
    assert scales == pytest.approx([2 / 255, 1 / 255])  # black to white is -1 to 1


def test_calibration_images_are_spread_evenly_and_unreadable_ones_left_out(tmp_path: Path) -> None:
    from crnn_mindspore.data.loading.datasets import create_dataset
    from crnn_mindspore.text.charset import Charset

    words = [chr(ord("a") + i) for i in range(9)]
    folder = write_folder(tmp_path / "words", words)
    (folder / "4.png").write_bytes(b"no image")
    dataset = create_dataset(
        "folder",
        str(folder),
        split="train",
        codec=Charset(),
        preprocessing=Preprocessing(),
        for_training=False,
    )
    found = np.concatenate(list(calibration_images(dataset, 5, batch_size=2)))  # 0, 2, 4, 6, 8
    np.testing.assert_array_equal(found, images(("a", "c", "g", "i")))
    assert len(np.concatenate(list(calibration_images(dataset, 500)))) == 8


@pytest.mark.slow
def test_export_verifies_what_it_wrote(
    run_program: Run, tiny_models, words_folder: Path, tmp_path: Path
) -> None:
    model, target = tiny_models["V2"], tmp_path / "half.onnx"
    verify = ["--precision=fp16", "--verify=folder", f"--verify_path={words_folder}"]
    outcome = run_program(export.main, *options_of(model, target), *verify)
    assert (outcome.status, outcome.err.strip()) == (0, ""), outcome
    lines = outcome.out.splitlines()
    assert lines[-4:-2] == [
        f"exported {model.checkpoint} to {target}",
        f"{model.checkpoint}: largest logit difference 0.00e+00, 0 of 8 texts differ, word accuracy 0.00%",
    ]
    assert lines[-2].startswith(f"{target}: largest logit difference ")
    assert lines[-1] == "parity: within 1, 0.5% of the texts, 0.5 points of word accuracy"


def test_export_writes_the_precision_and_the_hash_of_the_source(
    run_program: Run, tiny_models, tmp_path: Path
) -> None:
    calibration = write_folder(tmp_path / "calibration", CALIBRATION_WORDS)
    data = "--calibration_dataset=folder", f"--calibration_path={calibration}"
    model = tiny_models["V2"]
    sizes = {}
    for precision in ("fp32", "fp16", "int8"):
        target = tmp_path / f"{precision}.onnx"
        outcome = run_program(export.main, *options_of(model, target), f"--precision={precision}", *data)
        assert (outcome.status, outcome.err) == (0, ""), outcome
        assert outcome.out.splitlines()[-1] == f"exported {model.checkpoint} to {target}"
        artifact = OnnxBackend(str(target)).artifact
        assert (artifact.precision, artifact.weights_sha256) == (precision, hash_weights(model.weights))
        sizes[precision] = target.stat().st_size
    assert sizes["fp16"] < 0.75 * sizes["fp32"]


def options_of(model: TinyModel, target: Path) -> list[str]:
    return [
        f"--ckpt_file={model.checkpoint}",
        f"--file_name={target}",
        "--file_format=ONNX",
        "--device_target=CPU",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--precision=int4"], "precision is 'int4', must be one of fp32, fp16, int8"),
        (["--precision=int8", "--file_format=MINDIR"], "precision int8 needs file_format ONNX, not MINDIR"),
        (["--precision=fp16", "--file_format=CKPT"], "precision fp16 needs file_format ONNX, not CKPT"),
        (["--precision=int8"], "option --calibration_dataset is required"),
        (
            ["--precision=int8", "--calibration_dataset=folder"],
            "option --calibration_path is required",
        ),
        (["--calibration_images=0"], "calibration_images is 0, must be at least 1"),
        (["--verify=folder"], "option --verify_path is required"),
        (
            ["--precision=int8", "--calibration_dataset=folder", "--calibration_path=/nowhere"],
            "/nowhere",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(
    run_program: Run, tiny_models, tmp_path: Path, options: list[str], message: str
) -> None:
    target = tmp_path / "m.onnx"
    outcome = run_program(export.main, *options_of(tiny_models["V2"], target), *options)
    assert_refused(outcome, message)
    assert list(tmp_path.iterdir()) == []


def test_nothing_readable_to_calibrate_on_is_refused(
    run_program: Run, tiny_models, words_folder: Path, tmp_path: Path
) -> None:
    for file in words_folder.glob("*.png"):
        file.write_bytes(b"no image")
    outcome = run_program(
        export.main,
        *options_of(tiny_models["V2"], tmp_path / "m"),
        "--precision=int8",
        "--calibration_dataset=folder",
        f"--calibration_path={words_folder}",
    )
    assert_refused(outcome, str(words_folder), "holds no readable image to calibrate on")
    assert not (tmp_path / "m.onnx").exists()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, graphs) -> None:
    from crnn_mindspore.errors import UserError

    monkeypatch.setitem(sys.modules, "onnxruntime.quantization", None)
    monkeypatch.delattr("onnxruntime.quantization", raising=False)
    with pytest.raises(UserError, match="precision int8 needs the package onnxruntime"):
        quantize(graphs["V2", "fp32"], [])
