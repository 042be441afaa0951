"""Which file a folder means as a model."""

from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_SCALE
from reference import random_weights

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.checkpoint_file import METADATA_KEY, STATE_KEY, read_checkpoint_file, read_texts
from crnn_mindspore.artifacts.model_path import resolve_model
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.crnn import scaled_channels
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.training.checkpoints.checkpoint import TrainState, save_checkpoint

ARTIFACT = Artifact(Charset("abc"), Preprocessing(width=60), NetworkSpec("V2", TINY_HIDDEN, TINY_SCALE))


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    return random_weights(4, TINY_HIDDEN, scaled_channels(TINY_SCALE), "V2")


def save(path: Path, weights: dict[str, np.ndarray], step: int) -> Path:
    save_checkpoint(str(path), weights, ARTIFACT, TrainState(step, step * 64, steps_per_epoch=10))
    return path


def test_a_folder_means_its_best_checkpoint_else_its_newest(
    tmp_path: Path, weights: dict[str, np.ndarray], log: list[str]
) -> None:
    newest = save(tmp_path / "crnn-2_10.ckpt", weights, 20)
    save(tmp_path / "crnn-1_9.ckpt", weights, 9)  # written later, as by a copy
    assert resolve_model(str(tmp_path)) == str(newest)
    assert log == [f"{tmp_path}: taking crnn-2_10.ckpt, the newest of 2"]
    best = save(tmp_path / "crnn-best.ckpt", weights, 5)
    assert resolve_model(str(tmp_path)) == str(best)
    assert "crnn-best.ckpt, the best of its training" in log[1]


def test_checkpoints_of_the_model_zoo_go_by_their_numbers(tmp_path: Path) -> None:
    for name in ("crnn-9_14110", "crnn-10_14110", "crnn-10_999"):
        (tmp_path / f"{name}.ckpt").write_bytes(b"no state can be read of it")
    assert resolve_model(str(tmp_path)) == str(tmp_path / "crnn-10_14110.ckpt")
    (tmp_path / "best_acc.ckpt").touch()
    assert resolve_model(str(tmp_path)) == str(tmp_path / "best_acc.ckpt")


def test_the_weights_of_any_task_can_be_named() -> None:
    assert resolve_model("pretrained:lines") == resolve_model("pretrained", "lines")
    assert resolve_model("pretrained:words", "lines") == resolve_model("pretrained")
    with pytest.raises(UserError, match="task 'meter': no weights come with the project"):
        resolve_model("pretrained:meter")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder without a checkpoint"):
        resolve_model(str(tmp_path))


def test_the_texts_are_those_of_the_whole_file(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    path = save(tmp_path / "net.ckpt", weights, 7)
    texts = read_texts(str(path))
    assert texts == read_checkpoint_file(str(path)).texts
    assert set(texts) == {METADATA_KEY, STATE_KEY}


@pytest.mark.parametrize("kept", [0.3, 0.99, 0.9999])
def test_a_file_cut_off_is_damaged(tmp_path: Path, weights: dict[str, np.ndarray], kept: float) -> None:
    path = save(tmp_path / "net.ckpt", weights, 7)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match=r"net\.ckpt: not a whole MindSpore checkpoint"):
        read_texts(str(path))
    path.write_bytes(b"PK" + content)
    with pytest.raises(UserError, match=r"net\.ckpt: not a whole MindSpore checkpoint"):
        read_texts(str(path))
