"""The cores that a process may use: affinity, and the limits of control groups of both versions."""

import os
from pathlib import Path

import pytest

from crnn_mindspore.engines.cores import usable_cores

V1 = "12:devices:/job\n4:cpu,cpuacct:/docker/ab/job\n1:name=systemd:/job"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


def write_limit(root: Path, folder: str, quota: str) -> None:
    """The limit of a group of version 1."""
    group = f"sys/fs/cgroup/{folder}"
    write(root, {f"{group}/cpu.cfs_quota_us": quota, f"{group}/cpu.cfs_period_us": "100000"})


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("20000 100000", 1),
        ("6400000 100000", 8),
        ("", 8),
    ],
)
def test_the_share_of_a_container_counts(tmp_path: Path, limit: str, cores: int) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": limit})
    assert usable_cores(tmp_path) == cores
    write(tmp_path / "old", {"proc/self/cgroup": V1})
    write_limit(tmp_path / "old", "cpu,cpuacct", limit.partition(" ")[0].replace("max", "-1"))
    assert usable_cores(tmp_path / "old") == cores


def test_a_group_around_this_one_may_give_less(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/job",
            "sys/fs/cgroup/user.slice/cpu.max": "300000 100000",
            "sys/fs/cgroup/user.slice/job/cpu.max": "max 100000",
        },
    )
    assert usable_cores(tmp_path) == 3


@pytest.mark.parametrize("folder", ["cpu,cpuacct/docker/ab/job", "cpu/docker/ab", "cpu"])
def test_groups_of_the_first_version_are_found_where_they_are_seen(tmp_path: Path, folder: str) -> None:
    write(tmp_path, {"proc/self/cgroup": V1})
    write_limit(tmp_path, folder, "500000")
    assert usable_cores(tmp_path) == 5


def test_the_cores_that_it_may_run_on_count_and_nothing_else_where_there_are_no_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert usable_cores(tmp_path) == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 6})
    assert usable_cores(tmp_path) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores(tmp_path) == 1
