"""The mean of two weights of one network."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import mean_weights
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file

PRETRAINED = Path(__file__).parents[2] / "pretrained"
WORDS, LINES = str(PRETRAINED / "crnn_v2_half.ckpt"), str(PRETRAINED / "lines.ckpt")


def test_the_mean_lies_between_and_describes_itself(tmp_path: Path) -> None:
    from crnn_mindspore.engines.mindspore.parameters import write_checkpoint

    words = read_checkpoint_file(WORDS)
    doubled = {name: 2 * weight.astype(np.float32) for name, weight in words.weights.items()}
    write_checkpoint(str(tmp_path / "doubled.ckpt"), doubled, words.artifact)
    assert mean_weights.main([WORDS, str(tmp_path / "doubled.ckpt"), str(tmp_path / "mean.ckpt")]) == 0
    mean = read_checkpoint_file(str(tmp_path / "mean.ckpt"))
    assert mean.weights.keys() == words.weights.keys()
    for name, weight in words.weights.items():
        assert np.array_equal(mean.weights[name], 1.5 * weight.astype(np.float32)), name
    assert mean.artifact.network == words.artifact.network
    assert mean.artifact.training["mean_with"] == "crnn_v2_half.ckpt"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([WORDS, LINES, "mean.ckpt"], "was made with label_dict"),
        ([WORDS, WORDS], "give three files"),
        ([WORDS, WORDS, "mean.onnx"], "mean.onnx: must end in .ckpt"),
        ([WORDS, "nowhere.ckpt", "mean.ckpt"], "nowhere.ckpt"),
    ],
)
def test_what_does_not_fit_is_refused(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mean_weights.main(arguments) == 2
    assert reason in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
