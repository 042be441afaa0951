"""Which process of which job this is, under the model zoo's name."""

from crnn_mindspore.modelarts.process import JobProcess, job_process, tell_device

__all__ = ["JobProcess", "job_process", "tell_device"]
