"""Signals before a command is at work: while Python imports it, and while it imports an extension."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ENDING, default_signals

from crnn_mindspore.signals import deferred, handled

ROOT = Path(__file__).resolve().parents[2]

# An import that takes as long as it takes until the signal is there, in place of MindSpore's or Python's own.
INTERRUPTED = "import os, signal\nos.kill(os.getpid(), signal.{name})\nfor _ in range(1000): pass\n"


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_waits_until_what_must_be_whole_is_whole(number: signal.Signals) -> None:
    heard: list[str] = []
    with handled(lambda got, frame: heard.append(signal.Signals(got).name), [number]):
        with deferred():
            for _ in range(2):
                os.kill(os.getpid(), number)
            heard.append("whole")
        heard.append("after")
    assert heard == ["whole", number.name, "after"]


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_while_mindspore_is_imported_ends_the_command_after_it(
    number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "mindspore").mkdir()
    body = INTERRUPTED.format(name=number.name) + "print('whole', flush=True)\n"
    (tmp_path / "mindspore" / "__init__.py").write_text(body)
    (tmp_path / "mindspore-2.8.0.dist-info").mkdir()
    (tmp_path / "mindspore-2.8.0.dist-info" / "METADATA").write_text("Name: mindspore\nVersion: 2.8.0\n")
    program = (
        "import sys\n"
        "from crnn_mindspore.cli.command import run_command\n"
        "from crnn_mindspore.engines.mindspore.runtime import prepare_environment\n"
        "sys.exit(run_command(lambda: len(prepare_environment()) * 0))\n"
    )
    result = run(["-c", program], tmp_path, ROOT / "src")
    assert (result.returncode, result.stdout) == (128 + number, "whole\n"), result
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("module", ["src", "crnn_mindspore"])
def test_ctrl_c_while_python_imports_is_no_traceback(module: str, tmp_path: Path) -> None:
    program = (
        f"import runpy\n{shadow('crnn_mindspore.cli.main')}runpy.run_module({module!r}, run_name='__main__')"
    )
    result = run(["-c", program], ROOT, ROOT / "src")
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "interrupted\n")


def test_ctrl_c_while_a_subcommand_is_imported_is_no_import_error(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(
        f"try:\n    {INTERRUPTED.format(name='SIGINT').replace(chr(10), chr(10) + '    ').rstrip()}\n"
        "except KeyboardInterrupt:\n    raise ImportError('as extensions have it') from None\n"
        "IMREAD_COLOR = IMREAD_UNCHANGED = IMREAD_IGNORE_ORIENTATION = 0\nsetNumThreads = print\n"
        "def __getattr__(name): return 0\n"
    )
    result = run(["-m", "crnn_mindspore", "check", "--help"], tmp_path, ROOT / "src")
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "interrupted\n")


def shadow(name: str) -> str:
    """Python text after which importing a module raises what Ctrl-C raises."""
    return (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {name!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
    )


def run(arguments: list[str], folder: Path, *paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [folder, *paths]))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=default_signals,
    )
