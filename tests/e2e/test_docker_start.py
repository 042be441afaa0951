"""scripts/docker_start.sh, with a stand-in `docker` that keeps its arguments and a made-up /dev."""

import csv
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = ["run", "--rm", "--init", "--env", "HOME=/tmp", "--shm-size=8g"]


@dataclass
class Machine:
    """A made-up machine: its tools, its devices, and two folders with awkward names."""

    root: Path
    data: Path
    model: Path

    def add(self, *paths: str) -> None:
        """Makes empty files that stand for devices and parts of a driver."""
        for path in paths:
            file = self.root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

    def add_tool(self, name: str, script: str) -> None:
        """Puts a program on the PATH."""
        tool = self.root / "bin" / name
        tool.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        tool.chmod(0o755)

    def start(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Calls the script where none of the real machine's devices and tools is seen."""
        return subprocess.run(
            ["bash", str(ROOT / "scripts" / "docker_start.sh"), *map(str, arguments)],
            cwd=self.root,
            env={**os.environ, "PATH": f"{self.root / 'bin'}", "HOST_ROOT": str(self.root), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "host", tmp_path / "my, data: a", tmp_path / 'the "model" b')
    for folder in (made.root / "bin", made.data, made.model):
        folder.mkdir(parents=True)
    for name in ("bash", "dirname", "realpath", "stat", "id", "sort", "xargs"):
        (made.root / "bin" / name).symlink_to(
            next(p for p in map(Path, ("/bin", "/usr/bin")) if (p / name).exists()) / name
        )
    made.add_tool("docker", r"""printf '%s\0' "$@" """)
    return made


def docker_arguments(result: subprocess.CompletedProcess[str]) -> list[str]:
    assert (result.returncode, result.stderr) == (0, ""), result
    return result.stdout.split("\0")[:-1]


def values(arguments: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(arguments) if name == option]


def mounts(arguments: list[str]) -> list[list[str]]:
    """As Docker reads them: each is one record of CSV."""
    return [next(csv.reader([value])) for value in values(arguments, "--mount")]


def test_a_machine_without_devices_gives_the_two_folders_and_nothing_else(machine: Machine) -> None:
    arguments = docker_arguments(machine.start("crnn:cpu", machine.data, machine.model))
    assert mounts(arguments) == [
        ["type=bind", f"source={machine.data}", f"target={machine.data}", "readonly"],
        ["type=bind", f"source={machine.model}", f"target={machine.model}"],
    ]
    owner = machine.model.stat()
    assert values(arguments, "--user") == [f"{owner.st_uid}:{owner.st_gid}"]
    assert arguments[-1] == "crnn:cpu"
    assert values(arguments, "--workdir") == [str(machine.model)]
    others = [a for a in arguments[:-1] if a not in ALWAYS]
    assert [a for a in others if a.startswith("-")] == ["--user", "--workdir", "--mount", "--mount"]
    assert [a for a in ALWAYS if a not in arguments] == []


def test_relative_folders_are_made_absolute_and_links_keep_their_names(machine: Machine) -> None:
    (machine.root / "near").symlink_to(machine.model)
    arguments = docker_arguments(machine.start("crnn:cpu", "near", "../my, data: a"))
    assert [record[2] for record in mounts(arguments)] == [
        f"target={machine.root / 'near'}",
        f"target={machine.data}",
    ]


def test_an_ascend_server_gives_the_devices_and_the_driver_that_it_has(machine: Machine) -> None:
    devices = ["/dev/davinci0", "/dev/davinci10", "/dev/davinci3", "/dev/davinci_manager", "/dev/hisi_hdc"]
    driver = ["/usr/local/Ascend/driver/version.info", "/usr/local/bin/npu-smi"]
    machine.add(*devices, *driver, "/dev/null2", "/usr/local/Ascend/firmware/version.info")
    machine.add_tool("nvidia-smi", "exit 0")  # a display adapter is not what the training runs on
    arguments = docker_arguments(machine.start("crnn:ascend", machine.data, machine.model))
    assert values(arguments, "--device") == [f"{machine.root}{path}:{path}" for path in devices]
    assert mounts(arguments)[:-2] == [
        ["type=bind", f"source={machine.root}{path}", f"target={path}", "readonly"]
        for path in ("/usr/local/Ascend/driver", "/usr/local/bin/npu-smi")
    ]
    group = (machine.root / "dev/davinci0").stat().st_gid
    assert values(arguments, "--group-add") == [str(group)]
    assert "--gpus" not in arguments and "--privileged" not in arguments


@pytest.mark.parametrize(("status", "expected"), [(0, ["all"]), (9, [])])
def test_gpus_are_given_where_nvidia_smi_finds_one(
    machine: Machine, status: int, expected: list[str]
) -> None:
    machine.add_tool("nvidia-smi", f"exit {status}")
    arguments = docker_arguments(machine.start("crnn:gpu", machine.data, machine.model))
    assert values(arguments, "--gpus") == expected


def test_further_words_are_the_command_and_options_come_before_the_image(machine: Machine) -> None:
    command = ["python", "train.py", "--label_dict=a b'"]
    options = "--network=host --name trainer"
    result = machine.start("crnn:cpu", machine.data, machine.model, *command, DOCKER_OPTIONS=options)
    arguments = docker_arguments(result)
    assert arguments[-7:] == ["--network=host", "--name", "trainer", "crnn:cpu", *command]


def test_the_status_is_that_of_docker(machine: Machine) -> None:
    machine.add_tool("docker", "exit 125")
    assert machine.start("crnn:cpu", machine.data, machine.model).returncode == 125


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda machine: machine.data.rmdir(), "no such data folder: .*my, data: a"),
        (lambda machine: machine.model.rmdir(), "no such model folder: .*"),
        (
            lambda machine: (machine.root / "bin/docker").unlink(),
            "docker is not installed, or not in the PATH",
        ),
    ],
)
def test_what_is_missing_is_named(machine: Machine, change: Callable[[Machine], None], message: str) -> None:
    change(machine)
    result = machine.start("crnn:cpu", machine.data, machine.model)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(f"error: {message}\n", result.stderr)
