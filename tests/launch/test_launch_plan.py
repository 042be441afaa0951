"""What a launcher starts: the checkout's train.py, or the installed package, which has no such file."""

import os
import sys
from pathlib import Path

import pytest

from crnn_mindspore.launch import plan as plan_module
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
