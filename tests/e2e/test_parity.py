"""`crnn parity`: equal models pass, a different one is named and fails."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, TinyModel, assert_refused
from onnx import ModelProto, load, numpy_helper

import export
import predict
from crnn_mindspore.artifacts.artifact import METADATA_KEY
from crnn_mindspore.artifacts.onnx_digest import DIGEST_KEY
from crnn_mindspore.artifacts.onnx_graph import build_onnx, serialize
from crnn_mindspore.cli import parity
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.engines.onnx_backend import OnnxBackend
from crnn_mindspore.evaluation.parity import Parity, compare, compare_on
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint, save_checkpoint


@pytest.mark.slow
def test_the_exports_of_a_checkpoint_compute_the_same(
    run_program: Run, tiny_models: dict[str, TinyModel], words_folder: Path, tmp_path: Path
) -> None:
    model = tiny_models["V2"]
    outcome = run_program(
        parity.main,
        model.checkpoint,
        model.mindir,
        model.onnx,
        "--dataset=folder",
        f"--dataset_path={words_folder}",
        "--batch_size=3",
        f"--result_json={tmp_path / 'r.json'}",
    )
    assert outcome.status == 0, outcome
    assert outcome.out.rstrip().endswith("parity: within 0.002")
    rows = json.loads((tmp_path / "r.json").read_text())
    assert [Path(row["model"]).suffix for row in rows] == [".ckpt", ".mindir", ".onnx"]
    assert [row["images"] for row in rows] == [8, 8, 8]
    assert [row["differing_texts"] for row in rows] == [0, 0, 0]
    assert rows[0]["max_difference"] == 0
    assert max(row["max_difference"] for row in rows) < 1e-4


@pytest.mark.slow
def test_a_model_that_computes_something_else_fails(
    run_program: Run, tiny_models: dict[str, TinyModel], words_folder: Path, tmp_path: Path
) -> None:
    stored = read_checkpoint(str(tiny_models["V2"].checkpoint))
    weights = dict(stored.weights)
    weights["rnn.1.embedding.bias"] = weights["rnn.1.embedding.bias"] + np.float32(0.5)
    other = tmp_path / "other.ckpt"
    save_checkpoint(str(other), weights, stored.artifact)
    data = ["--dataset=folder", f"--dataset_path={words_folder}"]
    outcome = run_program(parity.main, tiny_models["V2"].onnx, other, *data)
    assert outcome.status == 1
    assert f"{other}: largest logit difference 5.00e-01, 0 of 8 texts differ" in outcome.out
    assert "differs by more than 0.002" in outcome.err


def test_models_of_another_network_are_refused(
    run_program: Run, tiny_models: dict[str, TinyModel], words_folder: Path
) -> None:
    files = tiny_models["V1"].onnx, tiny_models["V2"].onnx
    outcome = run_program(parity.main, *files, "--dataset=folder", f"--dataset_path={words_folder}")
    assert_refused(outcome, "was made with model_version 'V2', but model_version 'V1' was given")
    outcome = run_program(parity.main, *files, "--dataset=folder", "--dataset_path=x", "--batch_size=0")
    assert_refused(outcome, "batch_size is 0, must be at least 1")


@pytest.mark.parametrize(
    ("precision", "difference", "differing", "loss", "expected"),
    [
        ("fp32", 2e-3, 0, 0.0, True),
        ("fp32", 2.1e-3, 0, 0.0, False),
        ("fp32", 0.0, 1, 0.0, False),
        ("fp16", 1.0, 5, 0.005, True),
        ("fp16", 1.1, 0, 0.0, False),
        ("fp16", 0.0, 6, 0.0, False),
        ("fp16", 0.0, 1, 0.006, False),
        ("int8", 9.0, 100, 0.01, True),
        ("int8", 0.0, 101, 0.0, False),
        ("int8", 0.0, 11, 0.011, False),
        ("int8", 0.0, 11, -0.5, True),  # reading better is no loss
    ],
)
def test_each_precision_has_limits_on_logits_texts_and_accuracy(
    precision: str, difference: float, differing: int, loss: float, expected: bool
) -> None:
    parity = Parity("engine", precision, difference, differing, 1000, 0.5, loss)
    assert parity.is_within(parity.tolerance()) is expected


def test_a_limit_on_the_logits_that_is_given_replaces_that_of_the_precision() -> None:
    parity = Parity("engine", "int8", 2.0, 0, 1000, 0.5, 0.0)
    assert parity.is_within(parity.tolerance(2.0))
    assert not parity.is_within(parity.tolerance(1.9))
    assert str(parity.tolerance(1.9)) == "1.9, 10.0% of the texts, 1 points of word accuracy"


def test_an_export_that_gives_no_numbers_is_not_within_any_limit(
    tiny_models: dict[str, TinyModel], words_folder: Path
) -> None:
    reference = open_backend(str(tiny_models["V2"].onnx))

    class Numberless:
        """The reference with one logit lost."""

        artifact = reference.artifact
        name = "numberless"

        def forward(self, images: np.ndarray) -> np.ndarray:
            logits = reference.forward(images).copy()
            logits[0, 0, 0] = np.nan
            return logits

    _, lost = compare_on([reference, Numberless()], "folder", str(words_folder), 4)
    assert lost.max_difference == float("inf")
    assert not lost.is_within(lost.tolerance())


@pytest.mark.slow
def test_an_export_never_takes_the_place_of_its_checkpoint(
    run_program: Run, tiny_models: dict[str, TinyModel], tmp_path: Path
) -> None:
    path = tmp_path / "crnn.ckpt"
    path.write_bytes(tiny_models["V2"].checkpoint.read_bytes())
    before = path.read_bytes()
    options = f"--ckpt_file={path}", "--file_format=CKPT", "--device_target=CPU"
    for name in (tmp_path / "crnn", tmp_path / "." / "crnn.ckpt"):
        assert_refused(run_program(export.main, *options, f"--file_name={name}"), "file_name: ", path)
    assert path.read_bytes() == before
    assert_refused(run_program(export.main, *options, f"--file_name={tmp_path}/"), "must name a file")


def test_compare_counts_differing_texts_over_all_batches(tiny_models: dict[str, TinyModel]) -> None:
    from crnn_mindspore.data.loading.loader import Batch
    from crnn_mindspore.evaluation.metric import create_protocol

    reference = open_backend(str(tiny_models["V2"].onnx))

    class Shifted:
        """Reads what the reference reads, but 'a' at every step of the second image."""

        artifact = reference.artifact
        name = "shifted"

        def forward(self, images: np.ndarray) -> np.ndarray:
            logits = reference.forward(images).copy()
            logits[:, 1] = -10
            logits[:, 1, 0] = 10
            return logits

    images = np.random.default_rng(0).uniform(-1, 1, (3, 3, 32, 100)).astype(np.float32)
    empty = np.zeros((3, 1), np.int32), np.ones(3, np.int32)
    batch = Batch(images, *empty, ["b", "a", "!"], ["x", "y", "z"], np.ones(3, bool), np.arange(3))
    protocol = create_protocol("classic", reference.artifact.codec)
    first, second = compare(reference, [Shifted()], [batch, batch], protocol)
    assert (first.differing_texts, first.max_difference) == (0, 0)
    assert (second.differing_texts, second.images, second.word_accuracy) == (2, 6, 0.5)
    assert (first.accuracy_loss, second.accuracy_loss) == (0, -0.5)


@pytest.fixture
def edited(onnx: Path, tmp_path: Path) -> Callable[[Callable[[ModelProto], None], bool], Path]:
    """The tiny V2 model with something changed, and with a digest that fits the change if wanted."""

    def edit(change: Callable[[ModelProto], None], fitting: bool) -> Path:
        model = load(onnx)
        change(model)
        path = tmp_path / "edited.onnx"
        if fitting:
            (digest,) = [entry for entry in model.metadata_props if entry.key == DIGEST_KEY]
            model.metadata_props.remove(digest)
        path.write_bytes(serialize(model) if fitting else model.SerializeToString())
        return path

    return edit


def nudge_weight(model: ModelProto) -> None:
    (bias,) = [t for t in model.graph.initializer if t.name == "rnn.1.embedding.bias"]
    array = numpy_helper.to_array(bias).copy()
    array[5] += 0.01
    bias.CopyFrom(numpy_helper.from_array(array, bias.name))


def describe(**changed: object) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        (entry,) = [entry for entry in model.metadata_props if entry.key == METADATA_KEY]
        values = json.loads(entry.value)
        for name, value in changed.items():
            values[name] = values[name] | value if isinstance(value, dict) else value
        entry.value = json.dumps(values)

    return change


PERMUTED = "bacdefghijklmnopqrstuvwxyz0123456789"
CHANGES = {
    "charset": (describe(charset=PERMUTED), f"was made with label_dict '{PERMUTED}', but label_dict 'abc"),
    "mean": (describe(preprocessing={"mean": 0.0}), "was made with image_mean 0.0, but image_mean 127.5"),
    "std": (describe(preprocessing={"std": 255.0}), "was made with image_std 255.0, but image_std 127.5"),
    "channels": (
        describe(preprocessing={"channel_order": "RGB"}),
        "was made with image_channel_order 'RGB', but image_channel_order 'BGR'",
    ),
}


@pytest.mark.parametrize("change", [nudge_weight, *(change for change, _ in CHANGES.values())])
def test_a_changed_export_is_refused_on_loading(
    run_program: Run, edited, onnx: Path, words_folder: Path, change: Callable[[ModelProto], None]
) -> None:
    path = edited(change, fitting=False)
    message = f"{path}: its content does not have the graph_sha256 in its metadata: damaged or changed"
    data = ["--dataset=folder", f"--dataset_path={words_folder}"]
    assert_refused(run_program(parity.main, onnx, path, *data), message)
    assert_refused(run_program(predict.main, words_folder, f"--model={path}"), message)


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_another_charset_or_normalisation_fails_even_with_a_fitting_digest(
    run_program: Run, edited, onnx: Path, words_folder: Path, change, message: str
) -> None:
    path = edited(change, fitting=True)
    data = ["--dataset=folder", f"--dataset_path={words_folder}"]
    assert_refused(run_program(parity.main, onnx, path, *data), message)


def test_a_nudged_weight_fails_even_with_a_fitting_digest(
    run_program: Run, edited, onnx: Path, words_folder: Path
) -> None:
    path = edited(nudge_weight, fitting=True)
    data = ["--dataset=folder", f"--dataset_path={words_folder}"]
    outcome = run_program(parity.main, onnx, path, *data)
    assert outcome.status == 1
    assert f"{path}: largest logit difference 1.00e-02, 0 of 8 texts differ" in outcome.out
    assert f"error: parity: {path} differs by more than 0.002 or reads differently" in outcome.err
    assert run_program(parity.main, onnx, path, *data, "--tolerance=0.011").status == 0


@pytest.mark.slow
def test_export_ends_with_status_1_if_the_export_differs(
    run_program: Run, tiny_models, words_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crnn_mindspore.artifacts import onnx_graph

    def build_nudged(*arguments: object) -> ModelProto:
        model = build_onnx(*arguments)
        nudge_weight(model)
        return model

    monkeypatch.setattr(onnx_graph, "build_onnx", build_nudged)
    outcome = run_program(
        export.main,
        f"--ckpt_file={tiny_models['V2'].checkpoint}",
        f"--file_name={tmp_path / 'm'}",
        "--file_format=ONNX",
        "--device_target=CPU",
        "--verify=folder",
        f"--verify_path={words_folder}",
    )
    assert outcome.status == 1
    assert f"{tmp_path / 'm.onnx'}: largest logit difference 1.00e-02" in outcome.out
    assert "differs by more than 0.002" in outcome.err


def test_an_export_of_an_earlier_version_loads_with_a_warning(
    onnx: Path, tmp_path: Path, log: list[str]
) -> None:
    model = load(onnx)
    (digest,) = [entry for entry in model.metadata_props if entry.key == DIGEST_KEY]
    model.metadata_props.remove(digest)
    path = tmp_path / "old.onnx"
    path.write_bytes(model.SerializeToString())
    OnnxBackend(str(path), "CPU")
    assert log == [f"{path}: carries no graph_sha256, so it is not known whether it was changed"]
