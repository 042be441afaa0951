"""Which process of which job this is, under the model zoo's name."""

from crnn_mindspore.modelarts.process import JobProcess, job_process, tell_device
from src.model_utils.local_adapter import get_device_id, get_device_num, get_job_id, get_rank_id

__all__ = [
    "JobProcess",
    "get_device_id",
    "get_device_num",
    "get_job_id",
    "get_rank_id",
    "job_process",
    "tell_device",
]
