"""Evaluation and prediction over ONNX Runtime in a process where MindSpore cannot be imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TinyModel

ROOT = Path(__file__).resolve().parents[2]

# Python runs a module of this name at its start.
SITECUSTOMIZE = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mindspore":
            raise ModuleNotFoundError("No module named 'mindspore'", name="mindspore")

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def blocked(tmp_path: Path) -> dict[str, str]:
    """An environment of that kind."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def run(environment: dict[str, str], *command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_blocker_blocks(blocked: dict[str, str]) -> None:
    result = run(blocked, "-c", "import mindspore")
    assert result.returncode == 1
    assert "ModuleNotFoundError: No module named 'mindspore'" in result.stderr


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_eval_onnx_works(
    blocked: dict[str, str], tiny_models: dict[str, TinyModel], words_folder: Path, version: str
) -> None:
    result = run(
        blocked,
        "eval_onnx.py",
        "--eval_dataset=folder",
        f"--eval_dataset_path={words_folder}",
        f"--file_name={tiny_models[version].onnx}",
        "--device_target=CPU",
    )
    assert result.returncode == 0, result
    assert "correct num: 0 , total num: 8\nresult: {'CRNNAccuracy': 0.0}\n" in result.stdout
    assert result.stdout.endswith("\nresult: 0.0\n")


@pytest.mark.parametrize("ending", ["onnx", "ckpt"])
def test_predict_works_with_onnx_and_with_checkpoints(
    blocked: dict[str, str], tiny_models: dict[str, TinyModel], words_folder: Path, ending: str
) -> None:
    model = tiny_models["V2"].file(ending)
    result = run(blocked, "predict.py", words_folder, f"--model={model}", "--format=tsv")
    assert (result.returncode, "error" in result.stderr) == (0, False), result
    paths = [line.split("\t")[0] for line in result.stdout.splitlines()]
    assert paths == [str(words_folder / f"{i}.png") for i in range(8)]


def test_a_mindir_says_what_is_missing(
    blocked: dict[str, str], tiny_models: dict[str, TinyModel], words_folder: Path
) -> None:
    model = tiny_models["V2"].mindir
    result = run(blocked, "predict.py", words_folder, f"--model={model}")
    assert (result.returncode, result.stdout) == (2, "")
    assert (
        result.stderr == f"error: {model}: opening it needs the package mindspore, which is not installed: "
        f"pip install '{ROOT}[train]'\n"
    )
