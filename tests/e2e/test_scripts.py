"""The launchers: their arguments, what they write, and that their exit status is the program's."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY_HIDDEN, TINY_SCALE, WORDS, TinyModel, write_synth

ROOT = Path(__file__).resolve().parents[2]

# Fewest and most arguments of each; None: any number.
SCRIPTS: dict[str, tuple[int, int | None]] = {
    "run_standalone_train.sh": (2, 5),
    "run_standalone_train_cpu.sh": (2, 3),
    "run_distribute_train.sh": (3, 5),
    "run_eval.sh": (3, 5),
    "run_eval_cpu.sh": (3, 3),
    "run_eval_onnx.sh": (3, 4),
    "run_infer_310.sh": (4, 5),
    "run_infer_cpp.sh": (4, 6),
    "run_server.sh": (1, 2),
    "docker_start.sh": (3, None),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_with_a_wrong_number_of_arguments_prints_its_usage_and_ends_with_2(
    name: str, tmp_path: Path
) -> None:
    script = ROOT / "scripts" / name
    fewest, most = SCRIPTS[name]
    for count in {0, fewest - 1, fewest - 1 if most is None else most + 1}:
        result = subprocess.run(
            ["bash", str(script), *["x"] * count], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == 2, (count, result)
        assert re.search(rf"^usage: bash .*{name} ", result.stderr + result.stdout, re.IGNORECASE), result
    assert list(tmp_path.iterdir()) == []


def run_script(
    name: str, folder: Path, *arguments: object, options: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(ROOT / "scripts" / name), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHON": sys.executable, "EXTRA_OPTIONS": options, "LITE_HOME": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("run_standalone_train_cpu.sh", ["synth", "gone"], "gone"),
        ("run_standalone_train.sh", ["synth", ".", "first"], "DEVICE_ID is 'first'"),
        ("run_standalone_train.sh", ["synth", ".", "0", "TPU"], "PLATFORM is 'TPU'"),
        ("run_eval_cpu.sh", ["synth", ".", "gone.ckpt"], "gone.ckpt"),
        ("run_eval_onnx.sh", ["synth", ".", "gone.onnx"], "gone.onnx"),
        ("run_infer_cpp.sh", [".", ".", ".", "svt", "GPU"], "DEVICE_TYPE is .GPU., must be Ascend or CPU"),
        ("run_infer_310.sh", ["gone.mindir", ".", ".", "svt"], "gone.mindir"),
        ("run_infer_310.sh", [".", "gone", ".", "svt"], "gone"),
        ("run_infer_310.sh", [".", ".", "gone.txt", "svt"], "gone.txt"),
        ("run_infer_310.sh", [".", ".", ".", "svt", "first"], "DEVICE_ID is 'first'"),
        ("run_infer_310.sh", [".", ".", ".", "svt"], "LITE_HOME is ''"),
        ("run_server.sh", ["gone.onnx"], "gone.onnx"),
        ("run_server.sh", ["pretrained", "first"], "PORT is 'first'"),
    ],
)
def test_a_script_names_the_argument_that_is_wrong(
    name: str, arguments: list[str], message: str, tmp_path: Path
) -> None:
    result = run_script(name, tmp_path, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(rf"error: .*{message}.*\n", result.stderr)


# Each script that takes further options, and its arguments.
TAKES_OPTIONS = {
    "run_standalone_train.sh": ["synth", "."],
    "run_standalone_train_cpu.sh": ["synth", "."],
    "run_distribute_train.sh": ["synth", ".", "CPU"],
    "run_eval.sh": ["synth", ".", "pretrained"],
    "run_eval_cpu.sh": ["synth", ".", "pretrained"],
    "run_eval_onnx.sh": ["synth", ".", "m.onnx"],
    "run_server.sh": ["pretrained"],
    "run_infer_310.sh": ["m.onnx", ".", "m.onnx", "svt"],
}


@pytest.mark.parametrize("name", TAKES_OPTIONS)
def test_further_options_are_words_as_in_a_shell_and_no_patterns(name: str, tmp_path: Path) -> None:
    for file in ("m.onnx", "--label_dict=abcd", "--word=x"):  # what ? and * would become
        (tmp_path / file).touch()
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\nprintf "<%s>\\n" "$@"\n')
    program.chmod(0o755)
    result = subprocess.run(
        [
            *("bash", str(ROOT / "scripts" / name), *TAKES_OPTIONS[name]),
            *("--", "--words=a  *", "--empty=", "--quote='", ""),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHON": str(program),
            "DEVICE_TYPE": "CPU",
            "EXTRA_OPTIONS": "--label_dict=abc? --word=*\n '--a=b  c' --d=\"e'f\"\\ g",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result
    last = ["<--label_dict=abc?>", "<--word=*>", "<--a=b  c>", "<--d=e'f g>"]
    last += ["<--words=a  *>", "<--empty=>", "<--quote='>", "<>"]
    assert result.stdout.splitlines()[-len(last) :] == last


@pytest.mark.parametrize("options", ["--word='a b", '--word="a', "'"])
def test_a_quote_that_is_not_closed_is_named(options: str, tmp_path: Path) -> None:
    result = run_script("run_eval_cpu.sh", tmp_path, "synth", ".", "pretrained", options=options)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"error: EXTRA_OPTIONS is <{options}>, in which a quote is not closed\n"


def test_the_log_of_the_run_before_is_kept(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\ndate +%N\nexit 3\n")
    program.chmod(0o755)
    shown = []
    for _ in range(3):
        result = subprocess.run(
            ["bash", str(ROOT / "scripts" / "run_standalone_train_cpu.sh"), "synth", "."],
            cwd=tmp_path,
            env={**os.environ, "PYTHON": str(program)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 3
        shown.append(result.stdout)
    folder = tmp_path / "train"
    assert [(folder / name).read_text() for name in ("log_1.txt", "log_2.txt", "log.txt")] == shown


@pytest.mark.slow
def test_the_cpu_scripts_train_and_evaluate_and_end_with_the_programs_status(
    tmp_path: Path, tiny_models: dict[str, TinyModel]
) -> None:
    data = write_synth(tmp_path / "words", WORDS)
    model = tiny_models["V2"]
    tiny = f"--model_version=V2 --hidden_size={TINY_HIDDEN} --channel_scale={TINY_SCALE} --batch_size=4"
    options = f"{tiny} --max_steps=2 --per_print_time=1"
    result = run_script("run_standalone_train_cpu.sh", tmp_path, "synth", data, options=options)
    assert result.returncode == 0, result
    assert re.search(r"^epoch: \[1/1\] step: \[2/2\], loss: ", result.stdout, re.MULTILINE), result
    assert (tmp_path / "train" / "log.txt").read_text() == result.stdout
    checkpoint = tmp_path / "train" / "ckpt" / "crnn-1_2.ckpt"
    resumed = run_script(
        "run_standalone_train_cpu.sh", tmp_path, "synth", data, checkpoint, options=f"{tiny} --max_steps=3"
    )
    assert resumed.returncode == 0, resumed
    assert f"resumed from {checkpoint} at step 2" in resumed.stdout

    for script, path in (("run_eval_cpu.sh", checkpoint), ("run_eval_onnx.sh", model.onnx)):
        result = run_script(script, tmp_path, "synth", data, path)
        assert result.returncode == 0, result
        lines = r"^correct num: \d+ , total num: 8\nresult: \{'CRNNAccuracy': \d\.\d+\}$"
        assert re.search(lines, result.stdout, re.MULTILINE), result

    failed = run_script("run_standalone_train_cpu.sh", tmp_path, "synth", data, options="--bach_size=1")
    assert failed.returncode == 2
    assert "error: unknown option 'bach_size', did you mean 'batch_size'?" in failed.stdout
    failed = run_script("run_eval_cpu.sh", tmp_path, "synth", tmp_path, checkpoint)
    assert failed.returncode == 2


def test_what_a_program_says_after_ctrl_c_is_shown_and_logged_and_its_status_kept(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import signal, sys, time\n"
        "def save(number, frame):\n"
        "    time.sleep(0.3)\n"
        "    print('saved', flush=True)\n"
        "    sys.exit(130)\n"
        "signal.signal(signal.SIGINT, save)\n"
        "print('begun', flush=True)\n"
        "time.sleep(60)\n"
    )
    script = (
        f"set -euo pipefail; source {ROOT}/scripts/common.sh; run_logged log.txt {sys.executable} {program}"
    )
    with subprocess.Popen(
        ["bash", "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all that run in it
        assert process.stdout.read() == "saved\n"
    assert process.returncode == 130
    assert (tmp_path / "log.txt").read_text() == "begun\nsaved\n"
