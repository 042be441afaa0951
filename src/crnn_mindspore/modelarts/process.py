"""Which process of which job this is, as the platform's environment says."""

import os
from dataclasses import dataclass

from crnn_mindspore.errors import UserError

# The first that is set counts. RANK_TABLE_FILE, RANK_ID, RANK_SIZE and ASCEND_DEVICE_ID are ModelArts' on
# Ascend, where it starts one process a device; msrun sets RANK_ID, RANK_SIZE and DEVICE_ID, mpirun OMPI_*.
_RANK = ("RANK_ID", "OMPI_COMM_WORLD_RANK")
_WORLD_SIZE = ("RANK_SIZE", "OMPI_COMM_WORLD_SIZE")
_DEVICE = ("DEVICE_ID", "ASCEND_DEVICE_ID", "OMPI_COMM_WORLD_LOCAL_RANK")
_SERVERS = ("MA_NUM_HOSTS", "VC_WORKER_NUM")
_JOB = ("JOB_ID", "MA_VJ_NAME")


@dataclass(frozen=True)
class JobProcess:
    """One process of a job.

    Attributes:
        rank: Its number in the job, from 0.
        world_size: How many processes the job has on all servers.
        servers: How many servers the job has.
        device_id: The accelerator on its server; None where the platform names none.
        job_id: What tells the job from others; "" where the platform does not say.
        is_scheduler: Whether it is msrun's scheduler: it runs the same program, carries the number of rank 0,
            and only lets the others find each other.
    """

    rank: int = 0
    world_size: int = 1
    servers: int = 1
    device_id: int | None = None
    job_id: str = ""
    is_scheduler: bool = False

    @property
    def is_first_of_server(self) -> bool:
        """Whether no process of its server has a lower rank."""
        return not self.is_scheduler and self.rank % max(1, self.world_size // self.servers) == 0


def job_process() -> JobProcess:
    """This process, from the environment; the only one of a job where nothing is set.

    Raises:
        UserError: If a variable is no number, or the rank is missing or not below the number of processes.

    Source: https://support.huaweicloud.com/intl/en-us/usermanual-standard-modelarts/develop-modelarts-0104.html
        and develop-modelarts-1415.html beside it, for the variables of ModelArts.
    """
    device = _first(_DEVICE)
    process = JobProcess(
        rank=_number(_RANK, 0),
        world_size=_number(_WORLD_SIZE, 1),
        servers=max(1, _number(_SERVERS, 1)),
        device_id=_number(_DEVICE, 0) if device else None,
        job_id=_first(_JOB),
        is_scheduler=os.environ.get("MS_ROLE") == "MS_SCHED",
    )
    if process.world_size > 1 and not _first(_RANK):
        raise UserError(
            f"environment: {_WORLD_SIZE[0]} is {process.world_size}, but {_RANK[0]} is not set; "
            "msrun sets it when --node_rank is given"
        )
    if process.rank >= process.world_size:
        raise UserError(
            f"environment: {_RANK[0]} is {process.rank}, but {_WORLD_SIZE[0]} is {process.world_size}"
        )
    return process


def tell_device(process: JobProcess) -> None:
    """Sets DEVICE_ID, which MindSpore reads, where ModelArts has set only ASCEND_DEVICE_ID."""
    if process.device_id is not None:
        os.environ.setdefault("DEVICE_ID", str(process.device_id))


def _first(names: tuple[str, ...]) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _number(names: tuple[str, ...], default: int) -> int:
    text = _first(names)
    if not text:
        return default
    if not text.isdecimal():
        name = next(name for name in names if os.environ.get(name))
        raise UserError(f"environment: {name} is {text!r}, must be a whole number")
    return int(text)
