"""Signals to the launchers: to the script alone, and to all that run in its terminal.

The program gets each once, its status is the script's, its last words are shown and logged, and no process is
left. An init process and a job scheduler send to the script alone.
"""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ENDING, default_signals

ROOT = Path(__file__).resolve().parents[2]

# Stands for Python: "saves" when asked to end, and dies of a second signal as the training loop does. A child
# of its own outlives it, unless the script ends that too.
PROGRAM = f"""#!{sys.executable}
import os, signal, subprocess, sys, time
def save(number, frame):
    for other in numbers:
        signal.signal(other, signal.SIG_DFL)
    time.sleep(0.3)
    print("saved after", signal.Signals(number).name, flush=True)
    print("warned", file=sys.stderr, flush=True)
    os._exit(128 + number)
numbers = [n for n in (1, 2, 10, 15) if signal.getsignal(n) != signal.SIG_IGN]
for number in numbers:
    signal.signal(number, save)
if os.environ["HAS_CHILD"]:
    subprocess.Popen(["sleep", "300"])
print("begun", flush=True)
time.sleep(60)
os._exit(99)
"""

# Script, its arguments, where the output is kept.
LAUNCHERS = {
    "run_standalone_train.sh": (["synth", "."], "train/log.txt"),
    "run_standalone_train_cpu.sh": (["synth", "."], "train/log.txt"),
    "run_eval.sh": (["synth", ".", "m.ckpt"], "eval/log.txt"),
    "run_eval_cpu.sh": (["synth", ".", "m.ckpt"], "eval/log.txt"),
    "run_eval_onnx.sh": (["synth", ".", "m.onnx"], "eval_onnx/log.txt"),
    "run_infer_310.sh": (["m.mindir", ".", "m.ckpt", "svt"], None),
    "run_server.sh": (["m.onnx"], None),
    "run_distribute_train.sh": (["synth", ".", "CPU"], None),
}


# These two become the program, which ends its children itself.
REPLACED = ("run_server.sh", "run_distribute_train.sh")


def works_in(process: Path, folder: Path) -> bool:
    """Whether a process other than this one, by its folder in /proc, has `folder` as its working folder."""
    try:
        return (process / "cwd").readlink() == folder and int(process.name) != os.getpid()
    except OSError:  # not ours, or ended
        return False


def assert_none_is_left(folder: Path) -> None:
    deadline = time.monotonic() + 10  # the kernel ends a killed process when it comes to it
    while left := [process for process in Path("/proc").glob("[0-9]*") if works_in(process, folder)]:
        assert time.monotonic() < deadline, [process.joinpath("cmdline").read_bytes() for process in left]
        time.sleep(0.02)


def write_program(folder: Path, text: str = PROGRAM) -> Path:
    """The stand-in for Python."""
    program = folder / "stand_in"
    program.write_text(text)
    program.chmod(0o755)
    return program


def start(name: str, folder: Path, *before: str) -> subprocess.Popen[str]:
    """A launcher with the stand-in, once that has begun."""
    for model in ("m.ckpt", "m.onnx", "m.mindir"):
        (folder / model).touch()
    return subprocess.Popen(
        [*before, "bash", str(ROOT / "scripts" / name), *LAUNCHERS[name][0]],
        cwd=folder,
        env={
            **os.environ,
            "PYTHON": str(write_program(folder)),
            "DEVICE_TYPE": "CPU",
            "HAS_CHILD": "" if name in REPLACED else "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=default_signals,  # noqa: PLW1509 - nothing else runs here
    )


@pytest.mark.parametrize("to_group", [False, True])
@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("name", LAUNCHERS)
def test_the_program_gets_a_signal_once_and_has_the_last_word(
    name: str, number: signal.Signals, to_group: bool, tmp_path: Path
) -> None:
    with start(name, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        (os.killpg if to_group else os.kill)(process.pid, number)
        shown = process.stdout.readline() + process.stdout.readline()
        assert process.wait(timeout=30) == 128 + number
    assert shown == f"saved after {number.name}\nwarned\n"
    log = LAUNCHERS[name][1]
    if log is not None:
        assert (tmp_path / log).read_text() == f"begun\n{shown}"
    assert_none_is_left(tmp_path)


def test_a_second_signal_ends_the_program_at_once(tmp_path: Path) -> None:
    with start("run_standalone_train.sh", tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        time.sleep(0.15)
        process.terminate()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert (tmp_path / "train" / "log.txt").read_text() == "begun\n"
    assert_none_is_left(tmp_path)


def test_under_nohup_a_closed_terminal_ends_nothing(tmp_path: Path) -> None:
    with start("run_standalone_train.sh", tmp_path, "nohup") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("begun")
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None
        process.terminate()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert (tmp_path / "train" / "log.txt").read_text() == "begun\nsaved after SIGTERM\nwarned\n"


@pytest.mark.parametrize("key", [b"\x03", b""])  # Ctrl-C; the terminal is closed
def test_what_a_terminal_does_reaches_the_program(key: bytes, tmp_path: Path) -> None:
    write_program(tmp_path)
    pid, terminal = pty.fork()
    if pid == 0:
        default_signals()
        os.chdir(tmp_path)
        os.environ.update(PYTHON=str(tmp_path / "stand_in"), HAS_CHILD="1")
        os.execvp("bash", ["bash", str(ROOT / "scripts" / "run_standalone_train.sh"), "synth", "."])
    log = tmp_path / "train" / "log.txt"
    deadline = time.monotonic() + 30
    while not log.exists() or "begun" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    if key:
        os.write(terminal, key)
    else:
        os.close(terminal)
    number = signal.SIGINT if key else signal.SIGHUP
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 128 + number
    assert log.read_text() == f"begun\nsaved after {number.name}\nwarned\n"


def test_a_program_whose_script_is_killed_works_on_and_is_logged(tmp_path: Path) -> None:
    with start("run_standalone_train.sh", tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        assert process.wait(timeout=30) == -signal.SIGKILL
        (program,) = [
            int(found.name)
            for found in Path("/proc").glob("[0-9]*")
            if works_in(found, tmp_path) and b"stand_in" in (found / "cmdline").read_bytes()
        ]
        os.kill(program, signal.SIGTERM)
        shown = process.stdout.readline() + process.stdout.readline()
        assert shown == "saved after SIGTERM\nwarned\n"
        for left in Path("/proc").glob("[0-9]*"):  # the program's child, which its script would have ended
            if works_in(left, tmp_path) and (left / "comm").read_text() == "sleep\n":
                os.kill(int(left.name), signal.SIGKILL)
        assert process.stdout.read() == ""
    assert (tmp_path / "train" / "log.txt").read_text() == f"begun\n{shown}"


def test_a_log_on_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    program = write_program(tmp_path, "#!/bin/sh\nfor i in $(seq 200); do echo line $i; done; exit 7\n")
    # No file may grow beyond 1,024 bytes, which a program that ignores the signal sees as a full disk.
    script = f"trap '' XFSZ; ulimit -f 1; exec bash {ROOT}/scripts/run_standalone_train.sh synth ."
    result = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": str(program)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 7, result
    assert result.stdout == "".join(f"line {i}\n" for i in range(1, 201))
    assert (tmp_path / "train" / "log.txt").stat().st_size == 1024


@pytest.mark.parametrize("streams", ["| head -1", "> /dev/full 2>&1", ">&- 2>&-", "<&- >&- 2>&-"])
def test_what_nobody_reads_is_logged_all_the_same(streams: str, tmp_path: Path) -> None:
    program = write_program(
        tmp_path,
        "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8; do echo line $i; echo line $i >&2; sleep 0.05; done; exit 7\n",
    )
    script = (
        f"bash {ROOT}/scripts/run_standalone_train.sh synth . {streams}; echo ${{PIPESTATUS[0]}} > status"
    )
    subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": str(program)},
        timeout=60,
        check=False,
    )
    assert (tmp_path / "status").read_text() == "7\n"
    assert (tmp_path / "train" / "log.txt").read_text() == "".join(f"line {i}\n" * 2 for i in range(1, 9))
