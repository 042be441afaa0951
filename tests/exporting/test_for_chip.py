"""`crnn export --for`: files of one size for Ascend 310 and 310P, and reading with what is made of them."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import Run, TinyModel, assert_refused, write_folder
from mindspore.train.mind_ir_pb2 import ModelProto
from reference import crnn_logits

import eval as eval_program
import export
from crnn_mindspore.artifacts.artifact import read_description
from crnn_mindspore.cli import offline
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.engines.lite_backend import LiteBackend
from crnn_mindspore.engines.mindspore.mindir_shape import input_shape
from crnn_mindspore.errors import UserError

WORDS = ("cat", "dog7", "moon", "river", "apple")


@pytest.fixture(scope="module")
def files(tiny_models: dict[str, TinyModel], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with chip.onnx, chip.mindir and what else --for=ascend310p writes, for batches of 2."""
    folder = tmp_path_factory.mktemp("chip")
    given = [f"--ckpt_file={tiny_models['V2'].checkpoint}", f"--file_name={folder / 'chip'}"]
    assert export.main([*given, "--for=ascend310p", "--onnx_batch=2", "--device_target=CPU"]) == 0
    return folder


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (count, 3, 32, 100)).astype(np.float32)


def test_the_onnx_file_is_of_opset_16_and_one_size_and_computes_the_same(
    files: Path, tiny_models: dict[str, TinyModel]
) -> None:
    model = onnx.load(files / "chip.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 16)]
    for value, size in ((model.graph.input[0], [2, 3, 32, 100]), (model.graph.output[0], [24, 2, 37])):
        assert [dim.dim_value for dim in value.type.tensor_type.shape.dim] == size
    (logits,) = onnxruntime.InferenceSession(files / "chip.onnx").run(None, {"images": images(2)})
    expected = crnn_logits(images(2), tiny_models["V2"].weights, "V2")
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_the_mindir_has_the_same_size_no_lstm_operator_and_the_same_logits(
    files: Path, tiny_models: dict[str, TinyModel]
) -> None:
    path = files / "chip.mindir"
    assert input_shape(str(path)) == (2, 3, 32, 100)
    model = ModelProto()
    model.ParseFromString(path.read_bytes())
    kinds = {
        node.op_type.split("::")[-1].split(":")[0]
        for graph in (model.graph, *model.functions)
        for node in graph.node
    }
    assert "BatchMatMul" in kinds
    assert not {kind for kind in kinds if "LSTM" in kind or "RNN" in kind}
    backend = open_backend(str(path), "CPU")
    expected = crnn_logits(images(5), tiny_models["V2"].weights, "V2")
    np.testing.assert_allclose(backend.forward(images(5)), expected, atol=1e-4)
    with pytest.raises(UserError, match="takes images of width 100 alone, not 120"):
        backend.forward(np.zeros((2, 3, 32, 120), np.float32))


def test_the_commands_name_the_files_and_the_size(
    run_program: Run, tiny_models: dict[str, TinyModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [f"--ckpt_file={tiny_models['V2'].checkpoint}", "--file_name=m", "--device_target=CPU"]
    outcome = run_program(export.main, *given, "--for=ascend310", "--onnx_width=120")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[-1] == "CANN must be 8.2.RC1 or older: later ones have no Ascend 310"
    lite = next(line for line in lines if "converter_lite" in line).split()
    assert {"--fmk=ONNX", "--modelFile=m.onnx", "--outputFile=m_lite", "--configFile=m.ascend310.cfg"} <= {
        *lite
    }
    assert '--inputShape="images:1,3,32,120"' in lite
    atc = next(line for line in lines if " atc " in line).split()
    assert {"--framework=5", "--model=m.onnx", "--soc_version=Ascend310", "--output=m"} <= {*atc}
    assert '--input_shape="images:1,3,32,120"' in atc
    assert "precision_mode=preferred_fp32" in Path("m.ascend310.cfg").read_text()
    for name in ("m.mindir", "m_lite.mindir"):
        assert read_description(name).preprocessing.width == 120


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--for=ascend920"], "for_chip is 'ascend920', must be one of"),
        (["--for=ascend310p", "--precision=fp16"], "for ascend310p: not with precision"),
        (["--for=ascend310p", "--verify=folder"], "for ascend310p: not with verify"),
        (["--for=ascend310p", "--onnx_width=7"], "onnx_width is 7, must be at least 8"),
    ],
)
def test_what_does_not_fit_is_refused(run_program: Run, options: list[str], message: str) -> None:
    assert_refused(run_program(export.main, *options, "--device_target=CPU"), message)


# --- MindSpore Lite, with a stand-in of its documented functions ---


class LiteStandIn(ModuleType):
    """`mindspore_lite`: Context, Model, ModelType; computes by ONNX Runtime what the converter was given."""

    def __init__(self, onnx_file: Path, shape: list[int]) -> None:
        super().__init__("mindspore_lite")
        self.session = onnxruntime.InferenceSession(onnx_file)
        self.shape, self.built = shape, []
        self.ModelType = SimpleNamespace(MINDIR="mindir")
        self.Context = lambda: SimpleNamespace(ascend=SimpleNamespace(), target=[])
        self.Model = lambda: self
        self.calls = 0

    def build_from_file(self, path: str, kind: str, context: SimpleNamespace) -> None:
        if not Path(path).read_bytes():
            raise RuntimeError("build from file failed! Error is Common error code.")
        self.built.append((path, kind, context.target, context.ascend.device_id))

    def get_inputs(self) -> list["LiteStandIn"]:
        return [self]

    def set_data_from_numpy(self, array: np.ndarray) -> None:
        assert list(array.shape) == self.shape
        assert array.dtype == np.float32
        self.array = array

    def predict(self, inputs: list["LiteStandIn"]) -> list["LiteStandIn"]:
        assert inputs == [self]
        self.calls += 1
        return [self]

    def get_data_to_numpy(self) -> np.ndarray:
        return self.session.run(None, {"images": self.array})[0]


@pytest.fixture
def lite(files: Path, monkeypatch: pytest.MonkeyPatch) -> LiteStandIn:
    (files / "chip_lite.mindir").write_bytes(b"converted")
    stand_in = LiteStandIn(files / "chip.onnx", [2, 3, 32, 100])
    monkeypatch.setitem(sys.modules, "mindspore_lite", stand_in)
    return stand_in


def test_a_converted_model_is_read_by_mindspore_lite(
    lite: LiteStandIn, files: Path, tiny_models: dict[str, TinyModel], run_program: Run, tmp_path: Path
) -> None:
    path = str(files / "chip_lite.mindir")
    backend = open_backend(path, device_id=3)
    assert lite.built == [(path, "mindir", ["ascend"], 3)]
    expected = crnn_logits(images(5), tiny_models["V2"].weights, "V2")
    np.testing.assert_allclose(backend.forward(images(5)), expected, atol=1e-4)
    assert lite.calls == 3
    with pytest.raises(UserError, match="takes images of width 100 alone"):
        backend.forward(np.zeros((2, 3, 32, 60), np.float32))
    data = write_folder(tmp_path / "data", WORDS)
    printed = [
        run_program(
            eval_program.main,
            f"--checkpoint_path={p}",
            "--eval_dataset=folder",
            f"--eval_dataset_path={data}",
        )
        for p in (path, files / "chip.onnx")
    ]
    results = [next(line for line in o.out.splitlines() if line.startswith("correct num")) for o in printed]
    assert results[0] == results[1]


def test_a_model_that_lite_refuses_or_that_is_of_another_size_is_named(
    lite: LiteStandIn, files: Path
) -> None:
    path = files / "chip_lite.mindir"
    lite.shape = [2, 3, 32, 120]
    with pytest.raises(
        UserError, match=r"takes images \[2, 3, 32, 120\], but its description says 3 channels"
    ):
        LiteBackend(str(path))
    path.write_bytes(b"")
    with pytest.raises(UserError, match="MindSpore Lite cannot load it: build from file failed"):
        LiteBackend(str(path))


def test_without_mindspore_lite_the_page_is_named(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (files / "chip_lite.mindir").write_bytes(b"converted")
    monkeypatch.setitem(sys.modules, "mindspore_lite", None)
    with pytest.raises(UserError, match=r"needs the package mindspore_lite.*docs/ascend-310.md"):
        open_backend(str(files / "chip_lite.mindir"))


# --- what a runner of .om models takes and writes ---


@pytest.mark.parametrize(("ending", "folder"), [("_0.bin", "2026_01_31-12_00_00"), ("_output_0.bin", "")])
def test_the_results_of_a_runner_of_om_models_are_judged(
    files: Path, run_program: Run, tmp_path: Path, ending: str, folder: str
) -> None:
    data = write_folder(tmp_path / "data", WORDS)
    (data / "1.png").write_bytes(b"no picture")
    (files / "chip.om").write_bytes(b"what atc made")  # where the runner is, there is the model
    common = [f"--checkpoint_path={files / 'chip.om'}", "--dataset=folder", f"--eval_dataset_path={data}"]
    common.append(f"--ann_file={data}")
    listed = run_program(
        offline.preprocess, *common, f"--inputs_path={tmp_path / 'in'}", "--write_tensors=True"
    )
    assert listed.status == 0, listed
    tensors = sorted((tmp_path / "in" / "tensors").iterdir())
    assert [path.name for path in tensors] == ["0.bin", "2.bin", "3.bin", "4.bin"]
    out = tmp_path / "out" / folder
    out.mkdir(parents=True)
    (out / "sumary.json").write_text("{}")  # ais_bench's, its spelling
    session = onnxruntime.InferenceSession(files / "chip.onnx")
    for path in tensors:
        image = np.fromfile(path, np.float32).reshape(3, 32, 100)
        (logits,) = session.run(None, {"images": np.stack([image, image])})
        logits[:, 0].tofile(out / f"{path.stem}{ending}")
    judged = run_program(offline.postprocess, *common, f"--result_path={tmp_path / 'out'}")
    evaluated = run_program(
        eval_program.main,
        f"--checkpoint_path={files / 'chip.onnx'}",
        "--eval_dataset=folder",
        f"--eval_dataset_path={data}",
    )
    assert judged.status == 0, judged
    lines = [o.out.splitlines() for o in (judged, evaluated)]
    found = [next(line for line in each if line.startswith("correct num")) for each in lines]
    assert found[0] == found[1]
    assert "1 unreadable images counted as wrong" in judged.out

    (out / f"2{ending}").unlink()
    assert_refused(run_program(offline.postprocess, *common, f"--result_path={tmp_path / 'out'}"), "2_0.bin")


def test_results_of_two_runs_are_not_mixed(files: Path, run_program: Run, tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", WORDS)
    for name in ("monday", "tuesday"):
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "0_0.bin").write_bytes(b"")
    options = [f"--checkpoint_path={files / 'chip.om'}", "--dataset=folder", f"--eval_dataset_path={data}"]
    options += [f"--ann_file={data}", f"--result_path={tmp_path / 'out'}"]
    assert_refused(run_program(offline.postprocess, *options), "results of several runs: monday, tuesday")
