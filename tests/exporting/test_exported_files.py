"""What an export leaves on the disk: valid ONNX in every precision and size, files under any name."""

import itertools
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import Run, TinyModel, assert_refused, word_image, write_folder
from reference import crnn_logits

import export
import predict
from crnn_mindspore import whole_file
from crnn_mindspore.artifacts.artifact import read_descriptions
from crnn_mindspore.data.preprocess import Preprocessing, preprocess
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.engines.onnx_backend import OnnxBackend
from crnn_mindspore.errors import UserError
from crnn_mindspore.exporting.export import export_model
from crnn_mindspore.reading.recognizer import Recognizer

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "surrey.png"
WORDS = ("quick", "brown", "fox", "jumps", "over", "lazy", "dog")
ODD = ("a b", "猫", "1+1", "[x] (2)", "ä&'$;#%", "-n")


def images(count: int, width: int = 100) -> np.ndarray:
    """(N, 3, 32, width) float32."""
    words = itertools.islice(itertools.cycle(WORDS), count)
    return np.stack([preprocess(word_image(word), Preprocessing(width=width)) for word in words])


def exported(run_program: Run, model: TinyModel, target: Path, *options: str) -> Path:
    given = [f"--ckpt_file={model.checkpoint}", f"--file_name={target}", "--device_target=CPU", *options]
    outcome = run_program(export.main, *given)
    assert (outcome.status, outcome.err) == (0, ""), outcome
    return target


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize(("batch", "width"), [(0, 0), (1, 100), (3, 160), (2, 0), (0, 100)])
def test_every_onnx_file_is_valid_and_opencv_reads_those_of_fixed_size(
    run_program: Run, tiny_models, tmp_path: Path, version: str, precision: str, batch: int, width: int
) -> None:
    model = tiny_models[version]
    size = [
        f"--onnx_batch={batch}",
        f"--onnx_width={width}",
        f"--precision={precision}",
        "--file_format=ONNX",
    ]
    data = []
    if precision == "int8":
        calibration = write_folder(tmp_path / "calibration", WORDS)
        data = ["--calibration_dataset=folder", f"--calibration_path={calibration}"]
    path = exported(run_program, model, tmp_path / "m.onnx", *size, *data)

    onnx.checker.check_model(onnx.load(path), full_check=True)
    shape = onnxruntime.InferenceSession(str(path)).get_inputs()[0].shape
    assert [side if isinstance(side, int) else 0 for side in shape] == [batch, 3, 32, width]

    batch_images = images(batch or 5, width or 100)
    backend = OnnxBackend(str(path))
    logits = backend.forward(batch_images)
    expected = crnn_logits(batch_images, model.weights, version)
    spread = np.ptp(expected)
    assert np.abs(logits - expected).max() / spread < {"fp32": 1e-4, "fp16": 0.01, "int8": 0.2}[precision]
    if batch and width:
        net = cv2.dnn.readNetFromONNX(str(path))
        net.setInput(batch_images)
        difference = np.abs(net.forward() - logits).max()
        # OpenCV rounds less than ONNX Runtime: it computes halves in float32, and int8 with other steps.
        assert difference < (1e-4 if precision == "fp32" else 0.02 * spread)


def test_a_file_of_fixed_size_reads_any_number_of_images_of_its_width(
    run_program: Run, tiny_models, words_folder: Path, tmp_path: Path
) -> None:
    options = ["--file_format=ONNX", "--onnx_batch=3", "--onnx_width=120"]
    verify = ["--verify=folder", f"--verify_path={words_folder}"]
    path = exported(run_program, tiny_models["V2"], tmp_path / "m.onnx", *options, *verify)
    backend = OnnxBackend(str(path))
    assert (backend.artifact.preprocessing.width, backend.artifact.preprocessing.time_steps) == (120, 29)
    several = images(7, 120)
    alone = np.concatenate([backend.forward(several[i : i + 1]) for i in range(7)], axis=1)
    assert backend.forward(several).shape == (29, 7, 37)
    np.testing.assert_allclose(backend.forward(several), alone, atol=1e-5)
    with pytest.raises(UserError, match=r"m.onnx: takes images of width 120 alone, not 100; read without"):
        backend.forward(images(1, 100))
    assert [r.error for r in Recognizer(backend)([word_image("cat"), word_image("moon")])] == ["", ""]
    outcome = run_program(predict.main, words_folder, f"--model={path}", "--keep_ratio")
    assert outcome.status == 0 or "takes images of width 120 alone" in outcome.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--onnx_batch=1", "--file_format=MINDIR"], "onnx_batch needs file_format ONNX, not MINDIR"),
        (["--onnx_width=100", "--file_format=CKPT"], "onnx_width needs file_format ONNX, not CKPT"),
        (["--onnx_width=7", "--file_format=ONNX"], "onnx_width is 7, must be at least 8"),
        (["--onnx_batch=-1", "--file_format=ONNX"], "onnx_batch is -1, must be at least 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    run_program: Run, tiny_models, tmp_path: Path, options: list[str], message: str
) -> None:
    given = [f"--ckpt_file={tiny_models['V2'].checkpoint}", f"--file_name={tmp_path / 'm'}"]
    assert_refused(run_program(export.main, *given, "--device_target=CPU", *options), message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file_format", ["MINDIR", "ONNX", "CKPT"])
def test_a_model_can_be_written_under_any_name_and_read_there(
    run_program: Run, tiny_models, tmp_path: Path, file_format: str
) -> None:
    folder = tmp_path.joinpath(*ODD)
    path = folder / f"{ODD[3]} {ODD[1]}.{file_format.lower()}"
    exported(run_program, tiny_models["V2"], path, f"--file_format={file_format}")
    described = {path.with_suffix(".json").name} if file_format == "MINDIR" else set()
    assert {file.name for file in folder.iterdir()} == {path.name, *described}
    outcome = run_program(predict.main, EXAMPLE, f"--model={path}", "--device_target=CPU")
    assert outcome.status == 0, outcome


def test_an_air_file_can_be_written_under_any_name(tiny_models, tmp_path: Path, monkeypatch) -> None:
    """MindSpore writes AIR on Ascend alone; here a stand-in with its demand on names writes the file."""
    import mindspore as ms

    from crnn_mindspore.exporting.export import export_model

    def write(_: object, __: object, file_name: str, file_format: str) -> None:
        ms._checkparam.check_file_name_by_regular(file_name)
        Path(file_name).write_text(file_format)

    monkeypatch.setattr(ms, "export", write)
    odd = tmp_path / "a temporary folder"
    odd.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    backend = open_backend(str(tiny_models["V2"].checkpoint), "CPU")
    path = tmp_path.joinpath(*ODD) / f"{ODD[3]} {ODD[1]}.air"
    assert export_model(backend, str(path), "AIR", "Ascend") == path
    assert path.read_text() == "AIR"
    assert sorted(os.listdir(path.parent)) == [path.name, path.with_suffix(".json").name]


@pytest.mark.parametrize("moment", ["before", "between", "after"])
def test_an_export_that_is_killed_leaves_a_mindir_that_opens(
    tiny_models: dict[str, TinyModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    target = tmp_path / "model.mindir"
    former = tiny_models["V1"]
    shutil.copy(former.mindir, target)
    shutil.copy(former.mindir.with_suffix(".json"), target.with_suffix(".json"))
    replaced: list[str] = []
    replace = os.replace

    def killed(source: str, to: str) -> None:
        """Ends the program at a renaming: of the first description, the MINDIR, or the second description."""
        if len(replaced) == ["before", "between", "after"].index(moment):
            raise KeyboardInterrupt
        replaced.append(Path(to).name)
        replace(source, to)

    backend = open_backend(str(tiny_models["V2"].checkpoint), "CPU")
    monkeypatch.setattr(whole_file.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        export_model(backend, str(target), "MINDIR", "CPU")
    monkeypatch.undo()
    assert replaced == ["model.json", "model.mindir"][: len(replaced)]
    found = open_backend(str(target), "CPU").artifact
    assert found.network.version == ("V2" if moment == "after" else "V1")
    export_model(backend, str(target), "MINDIR", "CPU")
    assert open_backend(str(target), "CPU").artifact == read_descriptions(str(target))[0]
    assert len(read_descriptions(str(target))) == 1
