"""One copy a server: processes that really wait for each other, fail, are killed, and leave things behind."""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.modelarts.once_a_server import copied_once

ROOT = Path(__file__).resolve().parents[2]

# One process of a job; it holds the folder until its standard input ends.
PROGRAM = """
import sys
from pathlib import Path
import src
from crnn_mindspore.errors import UserError
from crnn_mindspore.modelarts.once_a_server import copied_once
from crnn_mindspore.modelarts.storage import fetch

source, folder = sys.argv[1], Path(sys.argv[2])
try:
    with copied_once(source, folder, "", lambda: fetch(source, folder)):
        print(*sorted(path.name for path in folder.iterdir()), flush=True)
        sys.stdin.read()
except UserError as error:
    print("error:", error, flush=True)
"""
WHOLE = "0.png 1.png 2.png 3.png\n"


class Server:
    """Processes of one server that want obs://bucket/words in one folder; copies wait for a gate."""

    def __init__(self, root: Path) -> None:
        self.folder, self.gate, self.log = root / "cache" / "data", root / "gate", root / "calls"
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'fake_moxing'}",
            "MOXING_ROOT": str(root / "storage"),
            "MOXING_LOG": str(self.log),
            "MOXING_GATE": str(self.gate),
        }
        words = root / "storage" / "bucket" / "words"
        words.mkdir(parents=True)
        for i in range(4):
            (words / f"{i}.png").write_text(str(i))
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, count: int) -> None:
        """Starts processes and waits until one copies and the others wait for it."""
        arguments = [sys.executable, "-c", PROGRAM, "obs://bucket/words", str(self.folder)]
        self.processes = [
            subprocess.Popen(
                arguments,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]
        until(lambda: len(self.copiers()) == 1)
        lock = self.folder.parent / ".data.copy.lock"
        until(lambda: all(is_open(lock, process.pid) for process in self.processes))

    def copiers(self) -> list[int]:
        """The process of each copy that was begun."""
        return (
            [int(line.split("\t")[0]) for line in self.log.read_text().splitlines()]
            if self.log.exists()
            else []
        )

    def answers(self) -> list[str]:
        """What each process that was not killed says."""
        return [p.stdout.readline() for p in self.processes if p.returncode is None]  # type: ignore[union-attr]


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.01)


def is_open(path: Path, pid: int) -> bool:
    with suppress(OSError):
        return any(os.readlink(f) == str(path) for f in Path(f"/proc/{pid}/fd").iterdir())
    return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    for process in server.processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 8])
def test_one_process_copies_and_all_find_the_whole(server: Server, count: int) -> None:
    server.start(count)
    server.gate.touch()
    assert server.answers() == [WHOLE] * count
    assert len(server.copiers()) == 1


@pytest.mark.slow
def test_those_who_wait_fail_with_the_message_of_the_one_who_copies(server: Server) -> None:
    server.environment["MOXING_FAIL"] = "words"
    server.start(3)
    server.gate.touch()
    message = f"error: obs://bucket/words: cannot be copied to {server.folder}: storage says no"
    of_others = f"{message} (in the process that copied for this server)"
    assert sorted(server.answers()) == [f"{message}\n", f"{of_others}\n", f"{of_others}\n"]
    assert len(server.copiers()) == 1


@pytest.mark.slow
def test_when_the_one_who_copies_is_killed_another_does(server: Server) -> None:
    server.start(3)
    (first,) = server.copiers()
    (killed,) = [p for p in server.processes if p.pid == first]
    killed.kill()
    killed.wait()
    until(lambda: len(server.copiers()) == 2)
    server.gate.touch()
    assert server.answers() == [WHOLE] * 2
    assert len(server.copiers()) == 2


@pytest.mark.slow
def test_what_a_killed_job_left_is_not_taken_for_the_copy(server: Server) -> None:
    server.start(1)
    server.processes[0].kill()
    server.processes[0].wait()
    (server.folder / "stale.png").touch()
    server.log.unlink()
    server.start(2)
    server.gate.touch()
    assert server.answers() == [WHOLE] * 2
    assert len(server.copiers()) == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "data"


def writer(folder: Path, name: str) -> Callable[[], None]:
    return (folder / name).touch


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_earlier_job_s_copy_is_replaced(folder: Path) -> None:
    for job in ("", ""):
        with copied_once("obs://a", folder, job, writer(folder, "old")):
            assert names(folder) == ["old"]
    with copied_once("obs://a", folder, "", writer(folder, "new")):
        assert names(folder) == ["new"]


@pytest.mark.parametrize(
    ("job", "source", "found"),
    [("7", "obs://a", "first"), ("8", "obs://a", "second"), ("7", "obs://b", "second")],
)
def test_a_job_that_starts_again_keeps_its_copy(folder: Path, job: str, source: str, found: str) -> None:
    with copied_once("obs://a", folder, "7", writer(folder, "first")):
        pass
    with copied_once(source, folder, job, writer(folder, "second")):
        assert names(folder) == [found]


def test_a_copy_in_use_serves_another_job_with_the_same_source_only(folder: Path) -> None:
    with copied_once("obs://a", folder, "7", writer(folder, "first")):
        with copied_once("obs://a", folder, "8", writer(folder, "second")):
            assert names(folder) == ["first"]
        with (
            pytest.raises(UserError, match=r"another job uses it with the files of obs://a, obs://b needs"),
            copied_once("obs://b", folder, "8", writer(folder, "second")),
        ):
            pass
    assert names(folder) == ["first"]


def test_files_of_other_origin_are_refused_and_stay(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "mine.txt").touch()
    with (
        pytest.raises(UserError, match=r"data: already holds files, mine\.txt is one"),
        copied_once("obs://a", folder, "7", writer(folder, "first")),
    ):
        pass
    assert names(folder) == ["mine.txt"]


def test_after_a_failure_the_next_start_tries_again(folder: Path) -> None:
    def fail() -> None:
        (folder / "half").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left"), copied_once("obs://a", folder, "7", fail):
        pass
    with copied_once("obs://a", folder, "7", writer(folder, "whole")):
        assert names(folder) == ["whole"]


@pytest.mark.parametrize("record", ['{"source": "obs://a", "jo', '{"source": "obs://a"}{'])
def test_a_damaged_record_is_no_proof_of_a_copy(folder: Path, record: str) -> None:
    with copied_once("obs://a", folder, "7", writer(folder, "old")):
        pass
    (place,) = folder.parent.glob(".data.copy")
    assert json.loads(place.read_text()) == {"source": "obs://a", "job": "7", "state": "whole"}
    place.write_text(record)
    with copied_once("obs://a", folder, "7", writer(folder, "new")):
        assert names(folder) == ["new"]


def test_the_lock_of_a_process_that_is_leaving_is_no_proof_of_a_copy(folder: Path) -> None:
    with copied_once("obs://a", folder, "", writer(folder, "old")):
        pass
    (record,) = folder.parent.glob(".data.copy")
    record.write_text('{"source": "obs://a", "job": "", "state": "begun"}')
    with record.open() as leaving:
        fcntl.flock(leaving, fcntl.LOCK_EX)
        timer = threading.Timer(0.1, leaving.close)
        timer.start()
        with copied_once("obs://a", folder, "", writer(folder, "new")):
            assert names(folder) == ["new"]
        timer.join()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match=r"file/\.data\.copy: "),
        copied_once("obs://a", tmp_path / "file" / "data", "", lambda: None),
    ):
        pass
