"""A program as a job of Huawei Cloud ModelArts: its data in before, its results out after."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from src.errors import UserError
from src.inference.backend import PRETRAINED
from src.model_utils.config import Config
from src.model_utils.device_adapter import JobProcess, job_process, tell_device
from src.model_utils.local_adapter import copied_once, turn
from src.model_utils.moxing_adapter import ResultsUpload, fetch, fetch_missing, is_remote

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


def run_job(config: Config, work: Callable[[Config], int]) -> int:
    """Does the work of a program and returns its exit status; with `enable_modelarts` as a job of ModelArts.

    As a job: what `data_url` and `checkpoint_url` hold is copied in once a server, paths in the options are
    settled to where it is now, and what the work leaves is copied to `train_url` by the first process of
    each server, also when the work fails or a SIGTERM ends it. Several processes need `run_distribute`;
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
    if process.rank > 0 and not config.run_distribute:
        _logger.warning(
            "process %d of %d: nothing to do without run_distribute", process.rank, process.world_size
        )
        return 0
    tell_device(process)
    with ExitStack() as held:
        held.enter_context(_sigterm_as_exit())
        if process.device_id is not None and "device_id" not in config.given:
            config = config.replaced(device_id=process.device_id)
        config = _bring_in(config, process, held)
        return _work_and_bring_out(_settle_results(config), process, work)


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """SIGTERM ends the program as an exception does: what has to be done at the end is done."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _bring_in(config: Config, process: JobProcess, held: ExitStack) -> Config:
    """Fetches data and checkpoints; the options with the paths of both settled."""
    for url_option, folder_option, options, default in (
        ("data_url", "data_path", _DATA_SETS, "."),  # a data set without a path is the whole folder
        ("checkpoint_url", "load_path", _MODELS, ""),
    ):
        url, was = config[url_option], config[folder_option]
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
        settled = {name: _settled(config[name] or default, was, folder) for name in options}
        config = config.replaced(**settled, **{folder_option: str(folder)})
        if config.calibrate and options is _MODELS and folder != Path(url):
            _logger.warning("calibrate: is written beside the model in %s and is not copied out", folder)
    return config


def _settle_results(config: Config) -> Config:
    """The options with the paths of results settled to where they are copied from, or belong."""
    url, was = config.train_url, config.output_path
    if not url:
        _logger.warning("train_url is not given: results stay on this machine")
        return config
    folder = Path(was) if is_remote(url) or "output_path" in config.given else Path(url)
    settled = {name: _settled(config[name], was, folder) for name in _RESULTS}
    for name, value in settled.items():
        if any(not Path(path).is_relative_to(folder) for path in value.split(",") if path):
            _logger.warning("%s: %s is outside of %s and is not copied to train_url", name, value, folder)
    return config.replaced(**settled, output_path=str(folder))


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


def _work_and_bring_out(config: Config, process: JobProcess, work: Callable[[Config], int]) -> int:
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
    if config.resume_ckpt == _RESUME_NEWEST:
        with turn(folder, "fetch"):
            fetch_missing(url, folder)
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


def _finish(upload: ResultsUpload, has_failed: bool) -> None:
    """Copies the last results; an error in that is only logged where the work has failed with its own."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end is near, with or without it
    try:
        upload.finish()
    except UserError as error:
        if not has_failed:
            raise
        _logger.error("%s", error)
