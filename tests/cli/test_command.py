"""What every command does around its work, in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest
from conftest import ENDING, default_signals

from crnn_mindspore.cli.command import run_command

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import logging, sys
import src
from crnn_mindspore.cli.command import run_command
def work():
    for _ in range(20_000):
        {line}
    return 3
sys.exit(run_command(work{options}))
"""


def start(line: str, options: str = "", stdout: IO[bytes] | int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """A command that says something 20,000 times, more than a pipe holds."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(line=line, options=options)],
        cwd=ROOT,
        env={"PYTHONIOENCODING": "utf-8:strict"},
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


LINES = ("print('one line')", "logging.getLogger('crnn_mindspore').info('one line')")


@pytest.mark.parametrize("line", LINES)
def test_a_reader_that_goes_away_is_no_failure_of_the_program(line: str) -> None:
    with start(line) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"one line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141  # 128 + SIGPIPE


@pytest.mark.parametrize("line", LINES)
def test_a_log_that_nobody_reads_ends_no_work(line: str) -> None:
    with start(line, ", output_is_result=False") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"one line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 3


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ("", 2, b"error: standard output: No space left on device\n"),
        (", output_is_result=False", 3, b""),
    ],
)
def test_a_full_disk_loses_a_result_or_a_log(line: str, options: str, status: int, message: bytes) -> None:
    with open("/dev/full", "wb") as full, start(line, options, full) as process:
        assert process.stderr is not None
        assert process.stderr.read() == message
    assert process.returncode == status


def test_a_pipe_that_does_not_wait_gets_every_line() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with (
        open(reader, "rb") as pipe,
        open(writer, "wb") as end,
        start("print('one line')", "", end) as process,
    ):
        end.close()
        time.sleep(0.3)  # until the pipe is full
        assert pipe.read() == b"one line\n" * 20_000
    assert process.returncode == 3


WAITING = """
import sys, time
import src
from crnn_mindspore.cli.command import run_command
def work():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)
    return 0
sys.exit(run_command(work))
"""


def start_waiting(*before: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*before, sys.executable, "-c", WAITING],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=default_signals,  # noqa: PLW1509 - nothing else runs here
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_the_work_as_an_exception_does(number: signal.Signals) -> None:
    with start_waiting() as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (out, process.returncode) == ("cleaned up\n", 128 + number)
    assert err == ("interrupted\n" if number == signal.SIGINT else f"ended by {number.name}\n")


def test_what_nohup_ignores_stays_ignored() -> None:
    with start_waiting("nohup") as process:
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30)[0] == "cleaned up\n"
    assert process.returncode == 128 + signal.SIGTERM


def test_what_standard_output_cannot_encode_is_escaped() -> None:
    with start(r"print('\udcff \u4e2d')") as process:
        out, err = process.communicate()
    assert out.splitlines()[0] == b"\\udcff \xe4\xb8\xad"
    assert err == b""
    assert process.returncode == 3


def test_memory_that_is_not_there_is_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise MemoryError("Unable to allocate 7.28 TiB")

    assert run_command(work) == 2
    assert capsys.readouterr().err == "error: not enough memory: Unable to allocate 7.28 TiB\n"
