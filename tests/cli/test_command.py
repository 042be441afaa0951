"""What every command does around its work, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import logging, sys
import src
from crnn_mindspore.cli.command import run_command
def work():
    for _ in range(20_000):
        {line}
    return 3
sys.exit(run_command(work))
"""


def start(line: str) -> subprocess.Popen[bytes]:
    """A command that says something 20,000 times, more than a pipe holds."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(line=line)],
        cwd=ROOT,
        env={"PYTHONIOENCODING": "utf-8:strict"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize(
    "line", ["print('one line')", "logging.getLogger('crnn_mindspore').info('one line')"]
)
def test_a_reader_that_goes_away_is_no_failure_of_the_program(line: str) -> None:
    with start(line) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"one line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141  # 128 + SIGPIPE


def test_what_standard_output_cannot_encode_is_escaped() -> None:
    with start(r"print('\udcff \u4e2d')") as process:
        out, err = process.communicate()
    assert out.splitlines()[0] == b"\\udcff \xe4\xb8\xad"
    assert err == b""
    assert process.returncode == 3
