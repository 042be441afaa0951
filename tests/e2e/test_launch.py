"""run_distribute_train.sh with stand-ins for what it starts: they record their arguments and environment.

What must be found in the records is what these pages ask for:

- https://www.mindspore.cn/tutorials/en/r2.7.1/parallel/rank_table.html: one process a device, each with
  RANK_TABLE_FILE, RANK_SIZE, RANK_ID and DEVICE_ID;
- https://www.mindspore.cn/tutorials/en/r2.7.1/parallel/msrun_launcher.html: --worker_num (all processes),
  --local_worker_num (this server's), --master_addr and --master_port (of the scheduler), --node_rank (with
  several servers), --log_dir, --join=True (wait for the processes and return their result), then the script;
- https://www.mindspore.cn/tutorials/en/r2.7.1/parallel/mpirun.html: -n, --hostfile, --output-filename,
  --merge-stderr-to-stdout, --allow-run-as-root, and no RANK_TABLE_FILE in the environment.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ENDING, default_signals
from stand_ins import TRAIN, Launch

from crnn_mindspore.engines.mindspore.runtime import join_device
from crnn_mindspore.launch import supervisor
from crnn_mindspore.launch.plan import Plan, Process

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return Launch(tmp_path)


@pytest.mark.parametrize(
    ("servers", "devices", "this", "with_checkpoint"),
    [(1, 1, 0, False), (1, 8, 0, True), (2, 8, 0, False), (2, 8, 1, True)],
)
def test_a_rank_table_starts_one_process_a_device_of_this_server(
    launch: Launch, servers: int, devices: int, this: int, with_checkpoint: bool
) -> None:
    table = launch.rank_table(servers, devices)
    arguments = [launch.checkpoint()] if with_checkpoint else []
    result, records = launch("Ascend", table, *arguments, SERVER_ID=f"198.51.100.{this}")
    assert result.returncode == 0, result
    options = launch.train_options("Ascend", *arguments)
    names = ("RANK_TABLE_FILE", "RANK_SIZE", "RANK_ID", "DEVICE_ID")
    for record in records:
        assert (record["name"], record["arguments"]) == ("python", [TRAIN, *options])
    found = sorted(tuple(record["environment"][name] for name in names) for record in records)
    assert found == sorted(
        (str(table), str(servers * devices), str(this * devices + d), str(d)) for d in range(devices)
    )
    logs = sorted(path.name for path in (launch.folder / "train_parallel").iterdir())
    assert logs == sorted(f"worker_{this * devices + d}.log" for d in range(devices))
    for rank in range(this * devices, (this + 1) * devices):  # what people of the model zoo's page tail
        link = launch.folder / f"train_parallel{rank}" / "log.txt"
        assert link.resolve() == (launch.folder / "train_parallel" / f"worker_{rank}.log").resolve()


@pytest.mark.parametrize(
    ("platform", "variables", "count"),
    [
        ("CPU", {}, 2),
        ("CPU", {"DEVICE_NUM": "3"}, 3),
        ("Ascend", {"DEVICE_NUM": "8"}, 8),
        ("Ascend", {"ASCEND_RT_VISIBLE_DEVICES": "4,5,6"}, 3),
        ("GPU", {}, 2),  # as nvidia-smi says
        ("GPU", {"CUDA_VISIBLE_DEVICES": "0"}, 1),
        ("GPU", {"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7"}, 8),
    ],
)
@pytest.mark.parametrize("with_checkpoint", [False, True])
def test_msrun_starts_the_devices_of_one_server(
    launch: Launch, platform: str, variables: dict[str, str], count: int, with_checkpoint: bool
) -> None:
    arguments = [launch.checkpoint()] if with_checkpoint else []
    result, (record,) = launch(platform, *arguments, **variables, RANK_TABLE_FILE="left over.json")
    assert result.returncode == 0, result
    assert record["name"] == "msrun"
    port = int(record["arguments"][3].removeprefix("--master_port="))
    assert 1024 <= port <= 65535
    assert record["arguments"] == [
        f"--worker_num={count}",
        f"--local_worker_num={count}",
        "--master_addr=127.0.0.1",
        f"--master_port={port}",
        "--log_dir=train_parallel",
        "--join=True",
        "--tail_worker_log=0",
        TRAIN,
        *launch.train_options(platform, *arguments),
    ]
    assert "RANK_TABLE_FILE" not in record["environment"]
    assert variables.items() <= record["environment"].items()


@pytest.mark.parametrize("port", ["tcp://10.96.0.7:8118", "0", "65536", "8118x"])
def test_a_port_that_is_none_counts_only_where_one_is_needed(launch: Launch, port: str) -> None:
    result, (record,) = launch("CPU", MASTER_PORT=port)  # as Kubernetes sets it for a service `master`
    assert result.returncode == 0, result
    assert 1024 <= int(record["arguments"][3].removeprefix("--master_port=")) <= 65535
    assert f"MASTER_PORT is {port!r} and no port: not needed on one server" in result.stdout
    several = {"WORKER_NUM": "4", "LOCAL_WORKER_NUM": "2", "MASTER_ADDR": "198.51.100.7"}
    result, records = launch("CPU", MASTER_PORT=port, **several)
    assert (result.returncode, records) == (2, [])
    assert result.stderr == f"error: MASTER_PORT is {port!r}, must be a whole number from 1 to 65535\n"


@pytest.mark.parametrize("node", [0, 1])
def test_msrun_starts_one_of_two_servers(launch: Launch, node: int) -> None:
    cluster = {
        "WORKER_NUM": "16",
        "LOCAL_WORKER_NUM": "8",
        "MASTER_ADDR": "198.51.100.7",
        "MASTER_PORT": "8200",
    }
    result, (record,) = launch("Ascend", **cluster, NODE_RANK=str(node))
    assert result.returncode == 0, result
    assert record["arguments"][:8] == [
        "--worker_num=16",
        "--local_worker_num=8",
        "--master_addr=198.51.100.7",
        "--master_port=8200",
        f"--node_rank={node}",
        "--log_dir=train_parallel",
        "--join=True",
        f"--tail_worker_log={8 * node}",
    ]


@pytest.mark.parametrize("with_checkpoint", [False, True])
@pytest.mark.parametrize(("count", "hosts"), [(1, ""), (8, ""), (16, "my hosts")])
def test_mpirun_starts_the_devices_of_all_its_servers(
    launch: Launch, count: int, hosts: str, with_checkpoint: bool
) -> None:
    arguments = [launch.checkpoint()] if with_checkpoint else []
    variables = {"LAUNCHER": "mpirun", "DEVICE_NUM": str(count), "RANK_TABLE_FILE": "left over.json"}
    result, (record,) = launch("GPU", *arguments, **variables, HOSTFILE=hosts)
    assert result.returncode == 0, result
    assert record["name"] == "mpirun"
    assert record["arguments"] == [
        *(["--allow-run-as-root"] if os.geteuid() == 0 else []),
        "-n",
        str(count),
        *(["--hostfile", hosts] if hosts else []),
        "--bind-to",
        "none",
        "--output-filename",
        "train_parallel",
        "--merge-stderr-to-stdout",
        "python",
        TRAIN,
        *launch.train_options("GPU", *arguments),
    ]
    assert "RANK_TABLE_FILE" not in record["environment"]


class Device:
    """Stands for the package mindspore: remembers how the device was set."""

    def set_device(self, *arguments: object) -> None:
        self.arguments = arguments


@pytest.mark.parametrize(
    ("target", "variables", "arguments"),
    [
        ("Ascend", {"DEVICE_ID": "5", "RANK_ID": "13"}, ("Ascend", 5)),  # of a rank table
        ("GPU", {"OMPI_COMM_WORLD_LOCAL_RANK": "3"}, ("GPU", 3)),  # of mpirun
        ("Ascend", {"MS_ROLE": "MS_WORKER", "DEVICE_ID": "5"}, ("Ascend",)),  # of msrun, which sets both
        ("CPU", {"MS_ROLE": "MS_WORKER", "DEVICE_ID": "1"}, ("CPU",)),
    ],
)
def test_a_process_takes_the_device_it_was_given(
    monkeypatch: pytest.MonkeyPatch, target: str, variables: dict[str, str], arguments: tuple
) -> None:
    for name in ("DEVICE_ID", "OMPI_COMM_WORLD_LOCAL_RANK", "MS_ROLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    device = Device()
    join_device(device, target)
    assert device.arguments == arguments


def test_further_options_follow_and_a_failure_is_the_scripts(launch: Launch) -> None:
    result, (record,) = launch("CPU", EXTRA_OPTIONS="--batch_size=8 --seed=3", STATUS="1")
    assert record["arguments"][-2:] == ["--batch_size=8", "--seed=3"]
    assert result.returncode == 1
    assert "the training has failed (status 1); its logs are in train_parallel" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["TPU"], {}, "PLATFORM is 'TPU'"),
        (["GPU", "rank.json"], {}, "only Ascend starts with one, not GPU"),
        (["Ascend", "gone.json"], {}, "no such rank table: gone.json"),
        (["CPU", "gone.ckpt"], {}, "no such checkpoint: gone.ckpt"),
        (["CPU"], {"DEVICE_NUM": "two"}, "DEVICE_NUM is 'two', must be a whole number, at least 1"),
        (["CPU"], {"DEVICE_NUM": "0"}, "DEVICE_NUM is '0'"),
        (["CPU"], {"WORKER_NUM": "4"}, "set MASTER_ADDR to the address of the first server"),
        (["CPU"], {"WORKER_NUM": "1"}, "WORKER_NUM is 1, less than the 2 processes of this server"),
        (["GPU"], {"LAUNCHER": "slurm"}, "LAUNCHER is 'slurm', must be msrun or mpirun"),
        (["CPU"], {"LAUNCHER": "mpirun"}, "use msrun on a CPU"),
        (
            ["GPU"],
            {"CUDA_VISIBLE_DEVICES": ""},
            "no GPU device is found; say how many to use with DEVICE_NUM",
        ),
    ],
)
def test_a_mistake_starts_nothing_and_is_named(
    launch: Launch, arguments: list[str], variables: dict[str, str], message: str
) -> None:
    result, records = launch(*arguments, **variables)
    assert (result.returncode, records) == (2, [])
    assert result.stderr.startswith("error: ")
    assert message in result.stderr


def test_a_wrong_rank_table_starts_nothing(launch: Launch) -> None:
    table = launch.rank_table(2, 2)
    result, records = launch("Ascend", table, SERVER_ID="198.51.100.9")
    assert (result.returncode, records) == (2, [])
    assert (
        "SERVER_ID 198.51.100.9 is not in the rank table, which holds 198.51.100.0, 198.51.100.1"
        in result.stderr
    )


def test_detached_it_returns_at_once_and_trains_on(launch: Launch) -> None:
    result, _ = launch("CPU", DETACH="1")
    assert result.returncode == 0
    assert result.stdout.startswith("training in the background: process ")
    deadline = time.monotonic() + 30
    while not list(launch.records.glob("*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (record,) = [json.loads(path.read_text()) for path in launch.records.glob("*.json")]
    assert record["name"] == "msrun"


def test_the_logs_of_the_start_before_are_kept(launch: Launch) -> None:
    folder = launch.folder / "train_parallel"
    launch("Ascend", launch.rank_table(1, 2), STATUS="1")
    (folder / "worker_1.log").write_text("the first end\n")
    result, _ = launch("Ascend", launch.rank_table(1, 1), STATUS="1")
    assert "the logs of the start before are in train_parallel/former_logs_1" in result.stdout
    (folder / "worker_0.log").write_text("the second end\n")
    launch("Ascend", launch.rank_table(1, 1))
    assert (folder / "former_logs_1" / "worker_1.log").read_text() == "the first end\n"
    assert (folder / "former_logs_2" / "worker_0.log").read_text() == "the second end\n"
    assert [path.name for path in folder.glob("worker_*.log")] == ["worker_0.log"]


# --- how the processes end ---

# A training program: it says that it runs, saves on SIGTERM, and fails or leaves a child behind when told so.
PROGRAM = """
import os, signal, subprocess, sys, time
def save(number, frame):
    open(f"saved_{rank}", "w").close()
    sys.exit(128 + number)
rank = os.environ["RANK_ID"]
signal.signal(signal.SIGTERM, save)
child = subprocess.Popen(["setsid", "sleep", "300"]) if rank == "1" else None
open(f"runs_{rank}", "w").write(str(os.getpid()))
print("this is rank", rank, flush=True)
while not os.path.exists(f"fail_{rank}"):
    time.sleep(0.02)
print("error: something was wrong")
sys.exit(3)
"""

# Starts two of it, as a rank table would.
LAUNCHER = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
import src
from crnn_mindspore.launch.plan import Plan, Process
from crnn_mindspore.launch.supervisor import Supervisor
from crnn_mindspore.cli.command import run_command
processes = [
    Process([sys.executable, "program.py"], {{**os.environ, "RANK_ID": str(r)}}, Path(f"worker_{{r}}.log"))
    for r in range(2)
]
supervisor = Supervisor(Plan(processes, Path("worker_0.log"), {{}}), ("program.py",), grace=0.5)
sys.exit(run_command(supervisor.run))
"""


class Running:
    """The launcher with two programs, once both run."""

    def __init__(self, folder: Path, *before: str) -> None:
        self.folder = folder
        (folder / "program.py").write_text(PROGRAM)
        self.launcher = subprocess.Popen(
            [*before, sys.executable, "-c", LAUNCHER],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=default_signals,  # noqa: PLW1509 - nothing else runs here
        )
        self.wait_for("runs_0", "runs_1")

    def wait_for(self, *names: str) -> None:
        deadline = time.monotonic() + 30
        while not all((self.folder / name).exists() for name in names):
            assert time.monotonic() < deadline, names
            time.sleep(0.02)

    def end(self) -> tuple[int, str]:
        """Exit status and output, when none of its processes is left."""
        output, _ = self.launcher.communicate(timeout=30)
        folders = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                folders.append((process / "cwd").readlink())
            except OSError:  # not ours, or ended
                continue
        assert self.folder not in folders
        return self.launcher.returncode, output


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


def test_when_one_fails_the_others_are_killed_and_none_is_left(running: Running) -> None:
    (running.folder / "fail_1").touch()
    status, output = running.end()
    assert status == 3
    assert output.startswith("this is rank 0\n")  # the first log is shown
    assert "worker_1.log: error: something was wrong" in output
    assert not list(running.folder.glob("saved_*"))


def test_a_process_that_is_killed_is_a_failure(running: Running) -> None:
    running.wait_for("runs_0")
    os.kill(int((running.folder / "runs_0").read_text()), signal.SIGKILL)
    status, output = running.end()
    assert status == 1
    assert "the training has failed (status -9)" in output


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_passed_on_and_waited_for(running: Running, number: signal.Signals) -> None:
    running.launcher.send_signal(number)
    status, output = running.end()
    assert status == 128 + number
    assert f"{number.name}: passed on to 2 processes" in output
    assert sorted(path.name for path in running.folder.glob("saved_*")) == ["saved_0", "saved_1"]


def test_under_nohup_a_closed_terminal_ends_no_training(tmp_path: Path) -> None:
    running = Running(tmp_path, "nohup")
    os.killpg(running.launcher.pid, signal.SIGHUP)
    time.sleep(0.5)  # two rounds of its watch
    assert running.launcher.poll() is None
    running.launcher.terminate()
    status, output = running.end()
    assert status == 128 + signal.SIGTERM
    assert "SIGHUP" not in output


def test_a_process_that_cannot_be_killed_is_named_and_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    kill = os.kill
    stuck = subprocess.Popen(["sleep", "60"])  # stands for one in uninterruptible sleep
    monkeypatch.setattr(supervisor, "_PATIENCE", 0.2)
    monkeypatch.setattr(supervisor, "descendants", lambda: [stuck.pid])
    monkeypatch.setattr(supervisor.os, "kill", lambda pid, number: None)
    failing = Process([sys.executable, "-c", "raise SystemExit(3)"], os.environ, tmp_path / "worker_0.log")
    plan = Plan([failing], tmp_path / "worker_0.log", {0: tmp_path / "worker_0.log"})
    try:
        assert supervisor.Supervisor(plan, ("x",), grace=0).run() == 3
    finally:
        kill(stuck.pid, signal.SIGKILL)
        stuck.wait()
    assert any(f"process {stuck.pid} (sleep) cannot be killed" in message for message in log)
