"""Which processes a distributed training starts on this server: arguments, environment and log of each.

Source: MindSpore's pages on its three ways to start,
https://www.mindspore.cn/tutorials/en/r2.7.1/parallel/msrun_launcher.html (Ascend, GPU and CPU),
https://www.mindspore.cn/tutorials/en/r2.7.1/parallel/mpirun.html (Ascend and GPU),
https://www.mindspore.cn/tutorials/en/r2.7.1/parallel/rank_table.html (Ascend).
"""

import logging
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.launch.rank_table import RankTable, Server, find_server, read_rank_table
from crnn_mindspore.shipped import checkout

Environment = Mapping[str, str]

_CPU_PROCESSES = 2
_PORT = 8118  # msrun's own default
_LAST_PORT = 65535
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What every process runs.

    Attributes:
        python: The interpreter.
        program: What the interpreter runs: a script, or `-m` with a module and its subcommand.
        options: Its options.
        log_dir: Folder of the logs.
        environment: That of the launcher.
    """

    python: str
    program: tuple[str, ...]
    options: tuple[str, ...]
    log_dir: Path
    environment: Environment


@dataclass(frozen=True)
class Process:
    """One process to start: arguments, whole environment, and the file its output goes to."""

    arguments: list[str]
    environment: Environment
    log: Path


@dataclass(frozen=True)
class Plan:
    """What to start on this server.

    Attributes:
        processes: The processes; msrun and mpirun are one that starts the others.
        shown_log: The log that is shown while they run.
        rank_logs: Rank -> its log, of the ranks of this server.
    """

    processes: list[Process]
    shown_log: Path
    rank_logs: Mapping[int, Path]


@dataclass(frozen=True)
class Cluster:
    """The servers of a training, as msrun wants to know them.

    Attributes:
        worker_num: Processes of all servers.
        local_worker_num: Processes of this server.
        master_addr: Address of the server that coordinates.
        master_port: A free port there.
        node_rank: Number of this server, from 0; -1 lets MindSpore number the processes.
    """

    worker_num: int
    local_worker_num: int
    master_addr: str
    master_port: int
    node_rank: int


def training_command() -> tuple[str, ...]:
    """What an interpreter runs to train: the checkout's train.py, or the installed package."""
    place = checkout()
    return ("-m", "crnn_mindspore", "train") if place is None else (str(place / "train.py"),)


def create_plan(job: Job, platform: str, rank_table: str) -> Plan:
    """What to start on this server.

    Raises:
        UserError: If a variable is wrong, the rank table is, or a program is missing.
    """
    if rank_table:
        table = read_rank_table(rank_table)
        server = find_server(table, os.environ.get("SERVER_ID", ""))
        return plan_rank_table(job, table, server, Path(rank_table))
    launcher = os.environ.get("LAUNCHER", "msrun")
    if launcher not in ("msrun", "mpirun"):
        raise UserError(f"LAUNCHER is {launcher!r}, must be msrun or mpirun")
    if launcher == "mpirun" and platform == "CPU":
        raise UserError("LAUNCHER mpirun: MindSpore starts with it on Ascend and GPU; use msrun on a CPU")
    cluster = read_cluster(platform, os.environ)
    return plan_mpirun(job, cluster) if launcher == "mpirun" else plan_msrun(job, cluster)


def read_cluster(platform: str, environment: Environment) -> Cluster:
    """The cluster that WORKER_NUM, LOCAL_WORKER_NUM, MASTER_ADDR, MASTER_PORT and NODE_RANK describe.

    Without them: one server with its visible devices, and a free port.

    Raises:
        UserError: If a value is no number or out of range, or MASTER_ADDR is missing for several servers.
    """
    local = _number(environment, "LOCAL_WORKER_NUM") or count_devices(platform, environment)
    total = _number(environment, "WORKER_NUM") or local
    if total < local:
        raise UserError(f"WORKER_NUM is {total}, less than the {local} processes of this server")
    address = environment.get("MASTER_ADDR", "")
    if total > local and not address:
        raise UserError(
            f"WORKER_NUM is {total}, but this server starts {local}: set MASTER_ADDR to the address of the "
            "first server"
        )
    port = _port(environment, is_needed=total > local)
    node = _number(environment, "NODE_RANK", 0) if environment.get("NODE_RANK") else -1
    return Cluster(total, local, address or "127.0.0.1", port, node)


def count_devices(platform: str, environment: Environment) -> int:
    """Devices to use: DEVICE_NUM, or those that are visible; 2 processes on a CPU.

    Raises:
        UserError: If none is found.
    """
    given = _number(environment, "DEVICE_NUM")
    if given:
        return given
    if platform == "CPU":
        return _CPU_PROCESSES
    variable = {"GPU": "CUDA_VISIBLE_DEVICES", "Ascend": "ASCEND_RT_VISIBLE_DEVICES"}[platform]
    if variable in environment:
        found = len([name for name in environment[variable].split(",") if name.strip()])
    elif platform == "GPU":
        found = _count_gpus(environment)
    else:
        found = len(list(Path("/dev").glob("davinci[0-9]*")))
    if found == 0:
        raise UserError(f"no {platform} device is found; say how many to use with DEVICE_NUM")
    return found


def _count_gpus(environment: Environment) -> int:
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], env=environment, capture_output=True, text=True, check=False
        )
    except OSError:
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def _number(environment: Environment, name: str, least: int = 1) -> int:
    """The value of a variable; 0 if it is not set."""
    text = environment.get(name, "")
    if text and (not text.isdecimal() or int(text) < least):
        raise UserError(f"{name} is {text!r}, must be a whole number, at least {least}")
    return int(text or 0)


def _port(environment: Environment, is_needed: bool) -> int:
    """MASTER_PORT; without it msrun's own, or a free one where only processes of this server meet there.

    Kubernetes sets the variable to an address, tcp://..., where it has a service of the name `master`.
    """
    text = environment.get("MASTER_PORT", "")
    is_port = text.isdecimal() and 1 <= int(text) <= _LAST_PORT
    if is_port:
        return int(text)
    if text and is_needed:
        raise UserError(f"MASTER_PORT is {text!r}, must be a whole number from 1 to {_LAST_PORT}")
    if text:
        _logger.info("MASTER_PORT is %r and no port: not needed on one server, a free one is taken", text)
    return _PORT if is_needed else _free_port()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plan_rank_table(job: Job, table: RankTable, server: Server, path: Path) -> Plan:
    """One process for each device of this server in a rank table."""
    processes = []
    for device in server.devices:
        variables = {
            "RANK_TABLE_FILE": str(path.resolve()),
            "RANK_SIZE": str(table.rank_size),
            "RANK_ID": str(device.rank_id),
            "DEVICE_ID": str(device.device_id),
            "PYTHONUNBUFFERED": "1",
        }
        processes.append(
            Process(
                [job.python, *job.program, *job.options],
                {**job.environment, **variables},
                worker_log(job.log_dir, device.rank_id),
            )
        )
    ranks = [device.rank_id for device in server.devices]
    return Plan(processes, processes[0].log, {rank: worker_log(job.log_dir, rank) for rank in ranks})


def plan_msrun(job: Job, cluster: Cluster) -> Plan:
    """msrun, which starts the processes of this server and writes a log for each.

    Raises:
        UserError: If there is no msrun, or none of the name `python`, which it calls.
    """
    environment = _without_rank_table(job)
    folder = os.path.dirname(job.python)
    if folder:  # msrun starts whatever `python` it finds
        environment["PATH"] = os.pathsep.join([folder, environment.get("PATH", os.defpath)])
    msrun = _find("msrun", environment, "it comes with MindSpore; is PYTHON the interpreter that has it?")
    _find("python", environment, "msrun calls it by this name")
    several = cluster.worker_num > cluster.local_worker_num
    numbered = several and cluster.node_rank >= 0
    first = cluster.node_rank * cluster.local_worker_num if numbered else 0
    arguments = [
        msrun,
        f"--worker_num={cluster.worker_num}",
        f"--local_worker_num={cluster.local_worker_num}",
        f"--master_addr={cluster.master_addr}",
        f"--master_port={cluster.master_port}",
        *([f"--node_rank={cluster.node_rank}"] if numbered else []),
        f"--log_dir={job.log_dir}",
        "--join=True",
        f"--tail_worker_log={first}",
        # Without `python` before it, msrun takes its first argument for a script.
        *(["python"] if job.program[0].startswith("-") else []),
        *job.program,
        *job.options,
    ]
    logs = {rank: worker_log(job.log_dir, rank) for rank in range(first, first + cluster.local_worker_num)}
    return Plan([Process(arguments, environment, job.log_dir / "msrun.log")], logs[first], logs)


def plan_mpirun(job: Job, cluster: Cluster) -> Plan:
    """Open MPI's mpirun, which starts the processes of all servers named in HOSTFILE."""
    environment = _without_rank_table(job)
    mpirun = _find("mpirun", environment, "install Open MPI")
    hosts = ["--hostfile", environment["HOSTFILE"]] if environment.get("HOSTFILE") else []
    arguments = [
        mpirun,
        *(["--allow-run-as-root"] if os.geteuid() == 0 else []),
        "-n",
        str(cluster.worker_num),
        *hosts,
        # Bound to one core each, the processes could not prepare batches beside the training.
        "--bind-to",
        "none",
        "--output-filename",
        str(job.log_dir),
        "--merge-stderr-to-stdout",
        job.python,
        *job.program,
        *job.options,
    ]
    log = job.log_dir / "mpirun.log"
    # Open MPI 3 and 4 write JOB/rank.N/stdout, N with as many digits as the number of processes has.
    digits = len(str(cluster.worker_num))
    ranks = range(cluster.local_worker_num if hosts else cluster.worker_num)  # the first host's come first
    logs = {rank: job.log_dir / "1" / f"rank.{rank:0{digits}d}" / "stdout" for rank in ranks}
    return Plan([Process(arguments, environment, log)], log, logs)


def worker_log(log_dir: Path, rank: int) -> Path:
    """The log of a rank, under msrun's name for it."""
    return log_dir / f"worker_{rank}.log"


def _without_rank_table(job: Job) -> dict[str, str]:
    """The launcher's environment; with a rank table in it, MindSpore would not let itself be numbered."""
    environment = {name: value for name, value in job.environment.items() if name != "RANK_TABLE_FILE"}
    return environment | {"PYTHONUNBUFFERED": "1"}


def _find(program: str, environment: Environment, hint: str) -> str:
    found = shutil.which(program, path=environment.get("PATH"))
    if found is None:
        raise UserError(f"{program} is not found: {hint}")
    return found
