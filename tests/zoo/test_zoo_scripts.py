"""Scripts written for the model zoo's modules run unchanged, and find what this project's programs find."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from conftest import (
    TINY_HIDDEN,
    TINY_SCALE,
    VERSIONS,
    WORDS,
    TinyModel,
    word_image,
    write_folder,
    write_synth,
)

from crnn_mindspore.data.preprocess import Preprocessing, preprocess
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoders.greedy import GreedyDecoder

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent

pytestmark = pytest.mark.slow


def run(folder: Path, program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a script that stands at the top of a checkout, as Python finds `src` there."""
    return subprocess.run(
        [sys.executable, str(program), "--device_target=CPU", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def tiny(version: str) -> list[str]:
    return [f"--model_version={version}", f"--hidden_size={TINY_HIDDEN}", f"--channel_scale={TINY_SCALE}"]


def counts(result: subprocess.CompletedProcess[str]) -> list[str]:
    assert result.returncode == 0, result
    return [line for line in result.stdout.splitlines() if line.startswith(("correct num:", "result:"))]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_evaluation_script_counts_what_eval_counts(
    tmp_path: Path, tiny_models: dict[str, TinyModel], version: str
) -> None:
    model = tiny_models[version]
    images = np.stack([preprocess(word_image(word), Preprocessing()) for word in WORDS])
    read = [
        reading.text for reading in GreedyDecoder(Charset())(open_backend(str(model.onnx)).forward(images))
    ]
    # Three are labelled with what the network reads, one of them in another case and with a mark; the image
    # of a fourth is broken. One label is longer than any reading, the last holds nothing that is compared.
    texts = [read[0], "cat", read[2].upper() + "!", read[3], "dog", read[5], "long" * 7, "...."]
    data = write_folder(tmp_path / "words", WORDS)
    (data / "labels.tsv").write_text("".join(f"{i}.png\t{text}\n" for i, text in enumerate(texts)))
    (data / "5.png").write_bytes(b"broken")
    arguments = [*tiny(version), "--eval_dataset=folder", f"--eval_dataset_path={data}"]
    arguments.append(f"--checkpoint_path={model.checkpoint}")
    expected = ["correct num: 3 , total num: 7", f"result: {{'CRNNAccuracy': {3 / 7}}}"]
    assert counts(run(tmp_path, ROOT / "eval.py", *arguments)) == expected
    assert counts(run(tmp_path, HERE / "evaluation_script.py", *arguments)) == expected


def test_an_evaluation_script_reads_the_shipped_weights(tmp_path: Path) -> None:
    arguments = ["--model_version=V2", "--channel_scale=0.5", "--eval_dataset=folder:{text}.png"]
    arguments += [f"--eval_dataset_path={ROOT / 'examples'}"]
    arguments += [f"--checkpoint_path={ROOT / 'pretrained' / 'crnn_v2_half.ckpt'}"]
    result = run(tmp_path, HERE / "evaluation_script.py", *arguments)
    assert counts(result) == ["correct num: 6 , total num: 6", "result: {'CRNNAccuracy': 1.0}"]
    assert "playground  ::  playground" in result.stdout


def test_a_training_script_learns_keeps_the_best_and_its_checkpoints_are_evaluated(tmp_path: Path) -> None:
    data = write_synth(tmp_path / "words", WORDS)
    arguments = [*tiny("V2"), "--train_dataset=synth", f"--train_dataset_path={data}", "--batch_size=4"]
    arguments += ["--epoch_size=12", "--save_checkpoint_steps=12"]
    watched = ["--run_eval=True", "--train_eval_dataset=synth", f"--train_eval_dataset_path={data}"]
    watched += ["--eval_start_epoch=6", "--eval_interval=3", "--eval_all_saved_ckpts=True"]
    result = run(tmp_path, HERE / "training_script.py", *arguments, *watched, "--output_dir=watched")
    assert result.returncode == 0, result
    losses = [float(loss) for loss in re.findall(r"^epoch: \d+ step: 2, loss is (\S+)$", result.stdout, re.M)]
    assert len(losses) == 12
    assert losses[-1] < losses[0] / 3
    assert len(re.findall(r"^epoch: (?:6|9|12), crnn-6_2\.ckpt acc: \d\.\d+$", result.stdout, re.M)) == 3
    assert (tmp_path / "watched" / "ckpt" / "best_acc.ckpt").exists()

    # To evaluate other checkpoints in between changes nothing of what is learnt.
    plain = run(tmp_path, HERE / "training_script.py", *arguments, "--output_dir=plain")
    assert plain.returncode == 0, plain
    saved = [
        ms.load_checkpoint(str(tmp_path / name / "ckpt" / "crnn-12_2.ckpt")) for name in ("watched", "plain")
    ]
    assert saved[0].keys() == saved[1].keys()
    for name, parameter in saved[0].items():
        np.testing.assert_array_equal(parameter.asnumpy(), saved[1][name].asnumpy(), name)

    evaluation = ["--eval_dataset=synth", f"--eval_dataset_path={data}", *tiny("V2")]
    checkpoint = tmp_path / "watched" / "ckpt" / "crnn-12_2.ckpt"
    evaluated = run(tmp_path, ROOT / "eval.py", *evaluation, f"--checkpoint_path={checkpoint}")
    assert counts(evaluated)[0].endswith("total num: 8")


def test_a_wrong_option_ends_a_script_without_a_traceback(tmp_path: Path) -> None:
    result = run(tmp_path, HERE / "evaluation_script.py", "--bach_size=1")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "error: unknown option 'bach_size', did you mean 'batch_size'?" in result.stderr
