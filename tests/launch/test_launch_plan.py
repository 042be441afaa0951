"""What a launcher starts: the checkout's train.py, or the installed package, which has no such file."""

import os
import sys
from pathlib import Path

import pytest

from crnn_mindspore.launch import plan as plan_module
from crnn_mindspore.launch.log_links import link_logs
from crnn_mindspore.launch.plan import Cluster, Job, plan_mpirun, plan_msrun, training_command

ROOT = Path(__file__).resolve().parents[2]
ONE_SERVER = Cluster(2, 2, "127.0.0.1", 8118, -1)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    for name in ("python", "msrun", "mpirun"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def job(folder: Path) -> Job:
    return Job(sys.executable, training_command(), ("--seed=3",), folder, {"PATH": str(folder)})


def test_a_checkout_is_trained_with_its_own_program(programs: Path) -> None:
    assert training_command() == (str(ROOT / "train.py"),)
    (process,) = plan_msrun(job(programs), ONE_SERVER).processes
    assert process.arguments[-2:] == [str(ROOT / "train.py"), "--seed=3"]


def test_an_installed_package_is_trained_as_a_module(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "checkout", lambda: None)
    wanted = ["-m", "crnn_mindspore", "train", "--seed=3"]
    (process,) = plan_msrun(job(programs), ONE_SERVER).processes
    assert process.arguments[-5:] == ["python", *wanted]
    (process,) = plan_mpirun(job(programs), ONE_SERVER).processes
    assert process.arguments[-5:] == [sys.executable, *wanted]
    assert ("--allow-run-as-root" in process.arguments) == (os.geteuid() == 0)


def test_every_process_has_its_log_in_the_plan(programs: Path) -> None:
    two_servers = Cluster(16, 8, "198.51.100.1", 8118, 1)
    logs = plan_msrun(job(programs), two_servers).rank_logs
    assert logs == {rank: programs / f"worker_{rank}.log" for rank in range(8, 16)}
    logs = plan_mpirun(job(programs), Cluster(16, 16, "127.0.0.1", 8118, -1)).rank_logs
    assert (len(logs), logs[3]) == (16, programs / "1" / "rank.03" / "stdout")


def test_links_lead_to_the_logs_and_replace_no_file(tmp_path: Path, log: list[str]) -> None:
    logs = {rank: tmp_path / "logs" / f"worker_{rank}.log" for rank in (0, 1)}
    kept = tmp_path / "parallel1" / "log.txt"
    kept.parent.mkdir()
    kept.write_text("of an earlier training")
    for _ in range(2):  # a second start finds the links of the first
        link_logs(logs, str(tmp_path / "parallel"))
    logs[0].parent.mkdir()
    logs[0].write_text("written later")
    assert (tmp_path / "parallel0" / "log.txt").read_text() == "written later"
    assert kept.read_text() == "of an earlier training"
    assert f"{kept}: not a link, left as it is; the log of process 1 is {logs[1]}" in log


def test_links_follow_when_their_folder_moves(tmp_path: Path) -> None:
    (tmp_path / "run" / "logs").mkdir(parents=True)
    path = tmp_path / "run" / "logs" / "worker_0.log"
    path.write_text("moved")
    link_logs({0: path}, str(tmp_path / "run" / "parallel"))
    (tmp_path / "run").rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "parallel0" / "log.txt").read_text() == "moved"
