"""Closed and left streams, full disks, bare containers under every command: no work lost, no traceback."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from conftest import TinyModel
from every_command import CALLS, CRNN, write_inputs

from crnn_mindspore.cli.main import COMMANDS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("streams")]

# What a shell calls the case; to 9 leads a pipe whose reader has left.
STREAMS = {
    "all closed": "<&- >&- 2>&-",
    "errors closed": "2>&-",
    "full": ">/dev/full 2>/dev/full",
    "reader gone": ">&9 2>&9",
}
# What these print is the result, so that its loss is a failure.
PRINTING = ("read", "eval", "check", "parity", "doctor", "offline postprocess")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, tiny_models: dict[str, TinyModel]) -> Path:
    return write_inputs(tmp_path_factory.mktemp("inputs"), tiny_models["V2"])


def start(folder: Path, streams: str, *command: str) -> subprocess.Popen[str]:
    """The command with its streams as a shell sets them; those that are left lead here."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.Popen(
            ["bash", "-c", f'exec 9>&{writer}; exec "$@" {streams}', "bash", *CRNN, *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[writer],
            text=True,
        )
    finally:
        os.close(writer)


def test_every_command_is_tried() -> None:
    assert sorted([*CALLS, "serve"]) == sorted(COMMANDS)


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("name", CALLS)
def test_a_stream_that_is_gone_ends_no_work(name: str, streams: str, inputs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    shutil.copytree(inputs, folder)
    with start(folder, STREAMS[streams], *name.split(), *CALLS[name].arguments) as process:
        printed, said = process.communicate(timeout=120)
    assert "Traceback" not in printed + said
    assert [file for file in CALLS[name].saves if not (folder / file).exists()] == [], (printed, said)
    expected = {"full": 2, "reader gone": 141}.get(streams, 0) if name in PRINTING else 0
    assert process.returncode == expected, (printed, said)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("read", "launch")])
def test_a_full_disk_is_a_message_and_nothing_half_is_left(name: str, inputs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    shutil.copytree(inputs, folder)
    # No file may grow beyond 512 bytes, which is what a full disk does to all but small ones.
    script = 'ulimit -f 1; exec "$@"'
    result = subprocess.run(
        ["sh", "-c", script, "sh", *CRNN, *name.split(), *CALLS[name].arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in result.stdout + result.stderr
    assert list(folder.rglob(".*")) == []
    missing = [file for file in CALLS[name].saves if not (folder / file).exists()]
    assert result.returncode == (2 if missing else 0), result
    assert bool(missing) == ("error: " in result.stderr), result


# Stands for a container: a user without a home folder, and no /dev/shm for processes to share anything in.
BARE = """
import _multiprocessing, os
class SemLock(_multiprocessing.SemLock):
    def __new__(cls, *arguments):
        raise OSError(30, "Read-only file system")
_multiprocessing.SemLock = SemLock
os.path.expanduser = lambda path: path
"""


@pytest.mark.parametrize("name", CALLS)
def test_a_bare_container_is_enough(name: str, inputs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    shutil.copytree(inputs, folder)
    (tmp_path / "sitecustomize.py").write_text(BARE)
    unset = ("HOME", "XDG_CACHE_HOME")
    result = subprocess.run(
        [*CRNN, *name.split(), *CALLS[name].arguments],
        cwd=folder,
        env={**{k: v for k, v in os.environ.items() if k not in unset}, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result
    assert [file for file in CALLS[name].saves if not (folder / file).exists()] == []
    assert not (folder / "~").exists()
    if name == "render":
        assert "rendering in this process alone: more need /dev/shm" in result.stdout


@pytest.mark.parametrize("name", ["train", "export", "convert weights", "offline infer"])
def test_mindspore_without_a_folder_for_temporary_files_is_a_message(
    name: str, inputs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    shutil.copytree(inputs, folder)
    result = subprocess.run(  # no file can be written at all
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *CRNN, *name.split(), *CALLS[name].arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 2, result
    assert "error: no folder for temporary files, which MindSpore needs" in result.stderr


@pytest.mark.parametrize("streams", STREAMS)
def test_the_service_answers_and_ends_as_ever(streams: str, inputs: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with start(inputs, STREAMS[streams], "serve", "--checkpoint_path=tiny.onnx", f"--port={port}") as process:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        printed, said = process.communicate(timeout=60)
    assert "Traceback" not in printed + said
    assert process.returncode == 0, (printed, said)


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["--version"], ["convert"], ["convert", "--help"], ["read", "--help"], ["no"]],
)
@pytest.mark.parametrize("streams", STREAMS)
def test_nothing_but_a_message_is_lost(streams: str, arguments: list[str], tmp_path: Path) -> None:
    with start(tmp_path, STREAMS[streams], *arguments) as process:
        printed, said = process.communicate(timeout=60)
    assert "Traceback" not in printed + said
    assert "Exception ignored" not in said
    assert process.returncode in (0, 2, 141)
