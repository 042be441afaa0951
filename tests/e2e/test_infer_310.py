"""Offline inference by its launcher, on the CPU: the accuracy is that of eval.py."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import WORDS, TinyModel, word_image, write_folder

from crnn_mindspore.data.preprocess import Preprocessing, preprocess
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoders.greedy import GreedyDecoder

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, *command: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env={**os.environ, "PYTHON": sys.executable, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_the_accuracy_is_that_of_eval(tmp_path: Path, tiny_models: dict[str, TinyModel]) -> None:
    model = tiny_models["V2"]
    images = np.stack([preprocess(word_image(word), Preprocessing()) for word in WORDS])
    logits = open_backend(str(model.onnx)).forward(images)
    readings = [decoded.text for decoded in GreedyDecoder(Charset())(logits)]
    # Three words are labelled with what the network reads; the image of one is broken, so that two are right.
    data = write_folder(tmp_path / "words", WORDS)
    texts = [readings[i] if i in (0, 3, 6) else word for i, word in enumerate(WORDS)]
    (data / "labels.tsv").write_text("".join(f"{i}.png\t{text}\n" for i, text in enumerate(texts)))
    (data / "3.png").write_bytes((data / "3.png").read_bytes()[:40])
    evaluated = run(
        tmp_path,
        "bash",
        ROOT / "scripts" / "run_eval_cpu.sh",
        "folder",
        data,
        model.mindir,
    )
    assert evaluated.returncode == 0, evaluated
    lines = [x for x in evaluated.stdout.splitlines() if x.startswith(("correct num:", "result:"))]
    assert lines == ["correct num: 2 , total num: 8", "result: {'CRNNAccuracy': 0.25}"]

    script = [
        "bash",
        ROOT / "scripts" / "run_infer_310.sh",
        model.mindir,
        data,
        data / "labels.tsv",
        "folder",
    ]
    inferred = run(tmp_path, *script, DEVICE_TYPE="CPU", EXTRA_OPTIONS="--batch_size=3")
    assert inferred.returncode == 0, inferred
    log = (tmp_path / "acc.log").read_text().splitlines()
    assert [x for x in log if x.startswith(("correct num:", "result:"))] == lines
    assert "1 unreadable images counted as wrong" in log[-2]
    assert log[-1] == "result CRNNAccuracy is: 0.25"
    assert f"unreadable image: {data / '3.png'}" in inferred.stderr
    for i in range(8):
        written = np.fromfile(tmp_path / "result_Files" / f"{i}_0.bin", np.float32)
        if i == 3:
            assert written.size == 0
        else:
            assert np.abs(written.reshape(24, 37) - logits[:, i]).max() < 1e-4
    assert "infer_count 7" in (tmp_path / "time_Result" / "test_perform_static.txt").read_text()

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = run(tmp_path, *script, DEVICE_TYPE="CPU")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("error: preprocess_Result exists already; move it away")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"DEVICE_TYPE": "GPU"}, "DEVICE_TYPE is 'GPU', must be Ascend or CPU"),
        ({"LITE_HOME": "/nowhere"}, "LITE_HOME is '/nowhere', must be an unpacked MindSpore Lite package"),
        ({"DEVICE_TYPE": "CPU", "EXTRA_OPTIONS": "--bach_size=1"}, "unknown option 'bach_size'"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_written(
    tmp_path: Path, words_folder: Path, variables: dict[str, str], message: str
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    script = ROOT / "scripts" / "run_infer_310.sh"
    result = run(work, "bash", script, script, words_folder, words_folder, "folder", **variables)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("before", ["", ":", "/a", "/a:", ":/a", "::/a::"])
def test_no_library_is_loaded_from_the_current_folder(before: str, tmp_path: Path) -> None:
    script = ROOT / "scripts" / "run_infer_310.sh"
    function = f"eval \"$(sed -n '/^library_path() {{/,/^}}/p' {script})\"; library_path"
    result = run(tmp_path, "bash", "-euc", function, LITE_HOME="/lite", LD_LIBRARY_PATH=before)
    entries = result.stdout.strip().split(":")
    assert entries == ["/lite/runtime/lib", "/lite/tools/converter/lib", *(["/a"] if "a" in before else [])]
