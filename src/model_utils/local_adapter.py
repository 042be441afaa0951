"""Which process this is, under the model zoo's name; and what the processes of one server do once."""

from crnn_mindspore.modelarts.once_a_server import copied_once, turn
from crnn_mindspore.modelarts.process import job_process

__all__ = ["copied_once", "get_device_id", "get_device_num", "get_job_id", "get_rank_id", "turn"]


def get_device_id() -> int:
    """The accelerator of this process on its server: DEVICE_ID, 0 where nothing is set."""
    return job_process().device_id or 0


def get_device_num() -> int:
    """How many processes train together, on all servers: RANK_SIZE, 1 where nothing is set."""
    return job_process().world_size


def get_rank_id() -> int:
    """The number of this process among them: RANK_ID, 0 where nothing is set."""
    return job_process().rank


def get_job_id() -> str:
    """What tells this job from others: JOB_ID, "Local Job" where nothing is set."""
    return job_process().job_id or "Local Job"
