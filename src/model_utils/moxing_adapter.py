"""Jobs of ModelArts and their files, under the model zoo's name."""

import functools
import importlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.modelarts.job import run_job
from crnn_mindspore.modelarts.once_a_server import copied_once
from crnn_mindspore.modelarts.process import job_process
from crnn_mindspore.modelarts.storage import ResultsUpload, fetch, fetch_missing, is_remote
from crnn_mindspore.options.commands import AllOptions
from crnn_mindspore.options.load import DEFAULT_CONFIG
from src.model_utils.config import config_or
from src.model_utils.local_adapter import get_device_id, get_device_num, get_job_id, get_rank_id

__all__ = [
    "ResultsUpload",
    "fetch",
    "fetch_missing",
    "get_device_id",
    "get_device_num",
    "get_job_id",
    "get_rank_id",
    "is_remote",
    "moxing_wrapper",
    "sync_data",
]

_copies = ExitStack()  # a copy counts while a process lives that has seen it whole


def moxing_wrapper(
    pre_process: Callable[[], object] | None = None, post_process: Callable[[], object] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that runs a function as a job of ModelArts where `enable_modelarts` is set.

    What `data_url` and `checkpoint_url` hold is copied in before, `config` gets the paths as they are then,
    and what the function leaves under `output_path` is copied to `train_url`; see `run_job`. Without
    `enable_modelarts` the function is called and nothing else is done.

    Args:
        pre_process: Called after the copies in, before the function.
        post_process: Called after the function, before the copies out.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            config = config_or(None)
            if not config.enable_modelarts:
                return function(*args, **kwargs)
            results = []

            def work(settled: AllOptions) -> int:
                vars(config).update({name: getattr(settled, name) for name in settled.given})
                config.device_id, config.device_num = get_device_id(), get_device_num()
                Path(config.output_path).mkdir(parents=True, exist_ok=True)
                if pre_process is not None:
                    pre_process()
                results.append(function(*args, **kwargs))
                if post_process is not None:
                    post_process()
                return 0

            run_job(_options_of(config), work)
            return results[0] if results else None

        return wrapped

    return decorate


def _options_of(config: Any) -> AllOptions:
    """The options as they are now; those that differ from default_config.yaml count as given."""
    defaults = AllOptions.checked(read_yaml(DEFAULT_CONFIG)).values()
    values = {name: getattr(config, name) for name in defaults}
    return AllOptions.checked(values, frozenset(name for name in defaults if values[name] != defaults[name]))


def sync_data(from_path: str, to_path: str) -> None:
    """Copies a folder from object storage to this machine or back, once a server.

    What comes from storage is whole when this returns, in the processes that did not copy too.

    Raises:
        UserError: If there is nothing at `from_path`, or the folder `to_path` holds files of another origin.
    """
    process = job_process()
    if is_remote(from_path):
        folder = Path(to_path)
        copy = functools.partial(fetch, from_path, folder)
        _copies.enter_context(copied_once(from_path, folder, process.job_id, copy))
    elif process.is_first_of_server and is_remote(to_path):
        importlib.import_module("moxing").file.copy_parallel(from_path, to_path)
    elif process.is_first_of_server:
        fetch(from_path, Path(to_path))
