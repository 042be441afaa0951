"""check_parity.py: equal models pass, a different one is named and fails."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, TinyModel, assert_refused

import check_parity
from src.inference.parity import Parity, compare
from src.training.checkpoint import read_checkpoint, save_checkpoint


@pytest.mark.slow
def test_the_exports_of_a_checkpoint_compute_the_same(
    run_program: Run, tiny_models: dict[str, TinyModel], words_folder: Path, tmp_path: Path
) -> None:
    model = tiny_models["V2"]
    outcome = run_program(
        check_parity.main,
        model.checkpoint,
        model.mindir,
        model.onnx,
        "--dataset=folder",
        f"--dataset_path={words_folder}",
        "--batch_size=3",
        f"--result_json={tmp_path / 'r.json'}",
    )
    assert outcome.status == 0, outcome
    assert outcome.out.rstrip().endswith("parity: within 0.0001")
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
    outcome = run_program(check_parity.main, tiny_models["V2"].onnx, other, *data)
    assert outcome.status == 1
    assert f"{other}: largest logit difference 5.00e-01, 0 of 8 texts differ" in outcome.out
    assert "differs by more than 0.0001" in outcome.err


def test_models_of_another_network_are_refused(
    run_program: Run, tiny_models: dict[str, TinyModel], words_folder: Path
) -> None:
    files = tiny_models["V1"].onnx, tiny_models["V2"].onnx
    outcome = run_program(check_parity.main, *files, "--dataset=folder", f"--dataset_path={words_folder}")
    assert_refused(outcome, "was made with model_version 'V2', but model_version 'V1' was given")
    outcome = run_program(check_parity.main, *files, "--dataset=folder", "--dataset_path=x", "--batch_size=0")
    assert_refused(outcome, "batch_size is 0, must be at least 1")


@pytest.mark.parametrize(
    ("difference", "differing", "expected"), [(1e-4, 0, True), (1.1e-4, 0, False), (0.0, 1, False)]
)
def test_parity_wants_close_logits_and_equal_texts(difference: float, differing: int, expected: bool) -> None:
    assert Parity("engine", difference, differing, 8, 1.0).is_within(1e-4) is expected


def test_compare_counts_differing_texts_over_all_batches(tiny_models: dict[str, TinyModel]) -> None:
    from src.data.loader import Batch
    from src.inference.backend import open_backend
    from src.metric import create_protocol

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
    protocol = create_protocol("classic", reference.artifact.charset)
    first, second = compare(reference, [Shifted()], [batch, batch], protocol)
    assert (first.differing_texts, first.max_difference) == (0, 0)
    assert (second.differing_texts, second.images, second.word_accuracy) == (2, 6, 0.5)
