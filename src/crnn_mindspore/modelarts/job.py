"""A program as a job of Huawei Cloud ModelArts: its data in before, its results out after."""

import logging
import signal
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

from crnn_mindspore.artifacts.model_path import PRETRAINED
from crnn_mindspore.errors import UserError
from crnn_mindspore.modelarts.once_a_server import copied_once, turn
from crnn_mindspore.modelarts.process import JobProcess, job_process, tell_device
from crnn_mindspore.modelarts.storage import ResultsUpload, fetch, fetch_former, fetch_missing, is_remote
from crnn_mindspore.options.common import ModelArtsOptions
from crnn_mindspore.signals import ending_as_exit, ending_signals, handled

_logger = logging.getLogger(__name__)

_RESUME_NEWEST = "auto"
_DATA_SETS = (
    "train_dataset_path",
    "train_eval_dataset_path",
    "eval_dataset_path",
    "calibration_path",
    "verify_path",
)
_MODELS = ("checkpoint_path", "ckpt_file", "resume_ckpt", "pretrained")
_RESULTS = (
    "output_dir",
    "save_checkpoint_path",
    "file_name",
    "save_predictions",
    "result_json",
    "result_table",
)
_NO_PATHS = ("", _RESUME_NEWEST, PRETRAINED)

Job = TypeVar("Job", bound=ModelArtsOptions)


def run_job(config: Job, work: Callable[[Job], int]) -> int:
    """Does the work of a program and returns its exit status; with `enable_modelarts` as a job of ModelArts.

    As a job: what `data_url` and `checkpoint_url` hold is copied in once a server, paths in the options are
    settled to where it is now, and what the work leaves is copied to `train_url` by the first process of
    each server, also when the work fails or a signal ends it. Several processes need `run_distribute`;
    without it only the first one works.

    Args:
        config: The options.
        work: Takes the options with their paths settled.

    Raises:
        UserError: What the work raised, whether or not the results could be copied; or if something could
            not be copied.
    """
    if not config.enable_modelarts:
        return work(config)
    process = job_process()
    if process.rank > 0 and not getattr(config, "run_distribute", False):
        _logger.warning(
            "process %d of %d: nothing to do without run_distribute", process.rank, process.world_size
        )
        return 0
    tell_device(process)
    with ExitStack() as held:
        held.enter_context(ending_as_exit())
        if process.device_id is not None and "device_id" not in config.given:
            config = config.replaced(device_id=process.device_id)
        config = _bring_in(config, process, held)
        return _work_and_bring_out(_settle_results(config), process, work)


def _bring_in(config: Job, process: JobProcess, held: ExitStack) -> Job:
    """Fetches data and checkpoints; the options with the paths of both settled."""
    for url_option, folder_option, options, default in (
        ("data_url", "data_path", _DATA_SETS, "."),  # a data set without a path is the whole folder
        ("checkpoint_url", "load_path", _MODELS, ""),
    ):
        url, was = getattr(config, url_option), getattr(config, folder_option)
        if not url:
            continue
        if not is_remote(url) and not Path(url).exists():
            raise UserError(f"{url_option}: {url}: no such file or folder")
        folder = Path(was)
        if is_remote(url) or Path(url).is_file() or folder_option in config.given:
            held.enter_context(copied_once(url, folder, process.job_id, partial(fetch, url, folder)))
        else:
            folder = Path(url)
            _logger.info("%s: %s is used where it is", url_option, url)
        settled = _moved(config, was, folder)
        settled |= {name: _settled(value or default, was, folder) for name, value in _taken(config, options)}
        if getattr(config, "eval_dataset_path", "") and not getattr(config, "train_eval_dataset_path", ""):
            settled.pop(
                "train_eval_dataset_path", None
            )  # evaluation while training takes the one that is named
        config = config.replaced(**settled, **{folder_option: str(folder)})
        if getattr(config, "calibrate", False) and options is _MODELS and folder != Path(url):
            _logger.warning("calibrate: is written beside the model in %s and is not copied out", folder)
    return config


def _settle_results(config: Job) -> Job:
    """The options with the paths of results settled to where they are copied from, or belong."""
    url, was = config.train_url, config.output_path
    if not url:
        _logger.warning("train_url is not given: results stay on this machine")
        return config
    folder = Path(was) if is_remote(url) or "output_path" in config.given else Path(url)
    settled = {name: _settled(value, was, folder) for name, value in _taken(config, _RESULTS)}
    for name, value in settled.items():
        if any(not Path(path).is_relative_to(folder) for path in value.split(",") if path):
            _logger.warning("%s: %s is outside of %s and is not copied to train_url", name, value, folder)
    return config.replaced(**settled, output_path=str(folder))


def _moved(config: ModelArtsOptions, was: str, folder: Path) -> dict[str, str]:
    """The options, whatever they name, with an absolute path under `was`: as paths under `folder`.

    The model zoo's page keeps checkpoints among the data: `ckpt_file=/cache/data/NAME`.
    """
    moved = {}
    for name, value in config.values().items():
        if isinstance(value, str) and name not in ModelArtsOptions.model_fields:
            parts = [
                _settled(text, was, folder) if Path(text).is_absolute() else text for text in value.split(",")
            ]
            moved[name] = ",".join(parts)
    return {name: value for name, value in moved.items() if value != getattr(config, name)}


def _taken(config: ModelArtsOptions, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Name and value of those of the options that the command takes."""
    return [(name, getattr(config, name)) for name in names if name in type(config).model_fields]


def _settled(value: str, was: str, folder: Path) -> str:
    """A path of the options as it is on this machine.

    Args:
        value: The option; several paths have commas between.
        was: The folder that the options name.
        folder: The folder that is meant: relative paths, and those under `was`, become paths under it.
    """
    if value in _NO_PATHS:
        return value
    paths = []
    for text in value.split(","):
        path = Path(text)
        if path.is_absolute() and not path.is_relative_to(was):
            paths.append(text)
        else:
            paths.append(str(folder / (path.relative_to(was) if path.is_absolute() else path)))
    return ",".join(paths)


def _work_and_bring_out(config: Job, process: JobProcess, work: Callable[[Job], int]) -> int:
    """The exit status of the work; its results are at `train_url` then."""
    url, folder = config.train_url, Path(config.output_path)
    if not url:
        return work(config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from None
    if Path(url) == folder:
        return work(config)
    _bring_former(config, url, folder)
    if not process.is_first_of_server:
        status = work(config)
        if status:
            # A launcher kills the others when one has ended so; the first is still copying.
            with turn(folder, "upload"):
                pass
        return status
    with turn(folder, "upload", waits=False):
        upload = ResultsUpload(folder, url, config.modelarts_sync_minutes)
        status = -1
        try:
            status = work(config)
        finally:
            _finish(upload, has_failed=status != 0)
        return status


def _bring_former(config: ModelArtsOptions, url: str, folder: Path) -> None:
    """Fetches what earlier runs have left at `train_url`: to go on from it, or to write beside it."""
    if not _taken(config, ("resume_ckpt",)):
        return
    with turn(folder, "fetch"):
        if getattr(config, "resume_ckpt", "") == _RESUME_NEWEST:
            fetch_missing(url, folder)
            return
        written = [Path(value) for _, value in _taken(config, ("output_dir", "save_checkpoint_path"))]
        fetch_former(url, folder, [path for path in written if path.is_relative_to(folder)])


def _finish(upload: ResultsUpload, has_failed: bool) -> None:
    """Copies the last results; an error in that is only logged where the work has failed with its own."""
    with handled(signal.SIG_IGN, ending_signals()):  # the end is near, with or without them
        try:
            upload.finish()
        except UserError as error:
            if not has_failed:
                raise
            _logger.error("%s", error)
