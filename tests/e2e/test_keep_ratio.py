"""Images that keep their ratio: trained, interrupted and resumed, exported, read alone and among others."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_SCALE, Run, assert_refused
from test_resume import assert_same_training

import eval as eval_program
import export
import predict
import train
from crnn_mindspore.engines.backend import Backend, open_backend
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow

STEP = 48
LINE_WIDTH = 333  # at height 32: 336, seven steps


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """14 images 40 wide, which become 48, and 9 of 80, which become 96; the last label needs more than 48."""
    folder = tmp_path_factory.mktemp("lines")
    rng = np.random.default_rng(8)
    labels = []
    for number in range(23):
        width, text = (40, "ab1") if number < 14 else (80, "abcdefgh12")
        text = "abcdefghijkl" if number == 13 else text
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 256, (32, width, 3), dtype=np.uint8))
        labels.append(f"{number}.png\t{text}\n")
    (folder / "labels.tsv").write_text("".join(labels))
    return folder


def options(data: Path, out: Path) -> list[str]:
    return [
        "--device_target=CPU",
        *("--train_dataset=folder", f"--train_dataset_path={data}"),
        *("--keep_ratio", "--image_width=96", f"--image_width_step={STEP}"),
        *("--model_version=V2", f"--hidden_size={TINY_HIDDEN}", f"--channel_scale={TINY_SCALE}"),
        *("--batch_size=3", "--accumulate_steps=2", "--optimizer=adam", "--ema_decay=0.8", "--augment=light"),
        *("--run_eval=True", "--train_eval_dataset=folder", f"--train_eval_dataset_path={data}"),
        *("--eval_interval_steps=2", "--max_steps=4", "--save_checkpoint_steps=2"),
        *(f"--save_checkpoint_path={out}", f"--output_dir={out}"),
    ]


def line(width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (32, width, 3), dtype=np.uint8)


class Recorded:
    """Another backend that keeps the logits of every batch by their width."""

    def __init__(self, backend: Backend) -> None:
        self.artifact, self.name, self._backend = backend.artifact, backend.name, backend
        self.seen: dict[int, np.ndarray] = {}

    def forward(self, images: np.ndarray) -> np.ndarray:
        logits = self._backend.forward(images)
        self.seen[images.shape[3]] = logits
        return logits


def test_trained_resumed_exported_and_read(run_program: Run, data: Path, tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    outcome = run_program(train.main, *options(data, whole))
    assert outcome.status == 0, outcome
    assert "22 of 23 samples kept" in outcome.out
    assert "needs 12 time steps of 11" in outcome.out  # of its own width; at 96 there are 23
    half, last = whole / "crnn-1_2.ckpt", "crnn-2_1.ckpt"
    outcome = run_program(train.main, *options(data, resumed), f"--resume_ckpt={half}")
    assert outcome.status == 0, outcome
    assert_same_training(resumed / last, whole / last)
    assert (resumed / last).read_bytes() == (whole / last).read_bytes()

    artifact = read_checkpoint(str(whole / last)).artifact
    assert artifact is not None
    assert (artifact.preprocessing.width_step, artifact.preprocessing.turn_above) == (STEP, 2.5)
    assert artifact.reading == {"widest": 4096}
    outcome = run_program(
        train.main, *options(data, tmp_path / "x"), "--keep_ratio=False", f"--resume_ckpt={half}"
    )
    assert_refused(outcome, "image_width_step 48", "image_width_step 0")
    _read_everywhere(run_program, whole / last, tmp_path)
    _evaluated(run_program, whole / last, data)


def _read_everywhere(run_program: Run, checkpoint: Path, folder: Path) -> None:
    """The same logits in any company and in every engine."""
    models = [str(checkpoint)]
    for file_format in ("MINDIR", "ONNX"):
        name = folder / f"model.{file_format.lower()}"
        outcome = run_program(
            export.main,
            *(f"--ckpt_file={checkpoint}", f"--file_name={name}", f"--file_format={file_format}"),
            "--device_target=CPU",
        )
        assert outcome.status == 0, outcome
        models.append(str(name))
    # Of the 31 others some have the width of the line, so that it shares a batch.
    others = [line(width, seed) for seed, width in enumerate([330, 325, 334, *range(20, 580, 20)], 1)]
    assert len(others) == 31
    found = []
    for model in models:
        backend = Recorded(open_backend(model, "CPU"))
        recognizer = Recognizer(backend)
        (alone,) = recognizer([line(LINE_WIDTH)])
        (logits,) = backend.seen.values()
        assert list(backend.seen) == [336]
        assert logits.shape[:2] == (336 // 4 - 1, 1)
        among = recognizer([*others[:20], line(LINE_WIDTH), *others[20:]])[20]
        together = backend.seen[336]
        assert together.shape[1] > 3
        place = 5  # behind those 330, 325, 334, 300 and 320 wide, which become 336 too
        np.testing.assert_allclose(together[:, place], logits[:, 0], rtol=0, atol=1e-5)
        assert among.text == alone.text
        assert among.confidence == pytest.approx(alone.confidence, rel=1e-4)
        found.append(logits)
    for logits in found[1:]:
        np.testing.assert_allclose(logits, found[0], rtol=0, atol=1e-4)
    column, squeezed = folder / "column.png", folder / "wide.png"
    cv2.imwrite(str(column), np.rot90(line(LINE_WIDTH), -1))
    cv2.imwrite(str(squeezed), line(LINE_WIDTH))
    rows = run_program(predict.main, column, squeezed, f"--model={models[2]}", "--format=tsv")
    texts = [row.split("\t")[1:] for row in rows.out.splitlines() if ".png" in row]
    assert texts[0] == texts[1]  # the column is turned
    outcome = run_program(predict.main, column, f"--model={models[2]}", "--no-keep_ratio")
    assert_refused(outcome, "no-keep_ratio")


def _evaluated(run_program: Run, checkpoint: Path, data: Path) -> None:
    arguments = ["--eval_dataset=folder", f"--eval_dataset_path={data}", f"--checkpoint_path={checkpoint}"]
    for further in ([], ["--as_read"], ["--keep_ratio", f"--image_width_step={STEP}"]):
        outcome = run_program(eval_program.main, *arguments, "--device_target=CPU", *further)
        assert outcome.status == 0, outcome
        assert "total num: 23" in outcome.out
    outcome = run_program(eval_program.main, *arguments, "--device_target=CPU", "--image_width_step=16")
    assert_refused(outcome, "image_width_step 48", "image_width_step 16")
