"""`src.model_utils.*_adapter`: which process this is, and jobs of ModelArts with a stand-in for MoXing."""

import sys
from pathlib import Path

import pytest
from zoo_options import options

from crnn_mindspore.errors import UserError
from src.model_utils import moxing_adapter
from src.model_utils.config import Config
from src.model_utils.device_adapter import get_device_id, get_device_num, get_job_id, get_rank_id
from src.model_utils.moxing_adapter import moxing_wrapper, sync_data

VARIABLES = ("RANK_ID", "RANK_SIZE", "DEVICE_ID", "ASCEND_DEVICE_ID", "JOB_ID", "MA_VJ_NAME", "MA_NUM_HOSTS")


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Object storage: obs://bucket is this folder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "fake_moxing"))
    monkeypatch.setenv("MOXING_ROOT", str(tmp_path / "storage"))
    monkeypatch.setenv("MOXING_LOG", str(tmp_path / "calls"))
    folder = tmp_path / "storage" / "bucket"
    (folder / "words").mkdir(parents=True)
    (folder / "words" / "a.txt").write_text("of the bucket")
    monkeypatch.delitem(sys.modules, "moxing", raising=False)
    return folder


def use(monkeypatch: pytest.MonkeyPatch, config: Config) -> Config:
    monkeypatch.setattr(moxing_adapter, "config_or", lambda given: config)
    return config


def test_a_process_alone_is_the_first_of_one() -> None:
    assert (get_device_id(), get_device_num(), get_rank_id(), get_job_id()) == (0, 1, 0, "Local Job")


def test_a_process_of_several_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK_ID": "13", "RANK_SIZE": "16", "DEVICE_ID": "5", "JOB_ID": "my job"}.items():
        monkeypatch.setenv(name, value)
    assert (get_device_id(), get_device_num(), get_rank_id(), get_job_id()) == (5, 16, 13, "my job")


def test_without_modelarts_the_function_is_called_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, options("--data_url=obs://bucket/words"))
    calls: list[str] = []

    @moxing_wrapper(pre_process=lambda: calls.append("before"), post_process=lambda: calls.append("after"))
    def work(first: int, second: int = 0) -> int:
        return first + second

    assert work(2, second=3) == 5
    assert calls == []
    assert work.__name__ == "work"


def test_a_job_copies_its_data_in_and_its_results_out(
    monkeypatch: pytest.MonkeyPatch, bucket: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    config = use(
        monkeypatch,
        options(
            "--enable_modelarts=True",
            "--data_url=obs://bucket/words",
            "--train_url=obs://bucket/out",
            f"--data_path={cache / 'data'}",
            f"--output_path={cache / 'train'}",
            "--eval_dataset_path=inner",
        ),
    )
    config.batch_size = 1
    seen: list[str] = []

    def post_process() -> None:
        Path(config.output_path, "late.txt").write_text("late")

    @moxing_wrapper(pre_process=lambda: seen.append(config.eval_dataset_path), post_process=post_process)
    def work() -> str:
        seen.append(Path(config.data_path, "a.txt").read_text())
        Path(config.output_path, "result.txt").write_text("found")
        return "value"

    assert work() == "value"
    assert seen == [str(cache / "data" / "inner"), "of the bucket"]
    assert (config.batch_size, config.device_id, config.device_num) == (1, 0, 1)
    assert (bucket / "out" / "result.txt").read_text() == "found"
    assert (bucket / "out" / "late.txt").read_text() == "late"


def test_a_job_that_fails_brings_its_results_out_too(
    monkeypatch: pytest.MonkeyPatch, bucket: Path, tmp_path: Path
) -> None:
    out = tmp_path / "train"
    use(
        monkeypatch,
        options("--enable_modelarts=True", "--train_url=obs://bucket/out", f"--output_path={out}"),
    )

    @moxing_wrapper()
    def work() -> None:
        (out / "half.txt").write_text("half")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        work()
    assert (bucket / "out" / "half.txt").read_text() == "half"


def test_folders_go_from_storage_to_the_machine_and_back(bucket: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    sync_data("obs://bucket/words", str(here))
    sync_data("obs://bucket/words", str(here))
    assert (here / "a.txt").read_text() == "of the bucket"
    assert (tmp_path / "calls").read_text().count("copy_parallel\tobs://bucket/words") == 1
    sync_data(str(here), "obs://bucket/back")
    assert (bucket / "back" / "a.txt").read_text() == "of the bucket"
    sync_data(str(here), str(tmp_path / "mounted"))
    assert (tmp_path / "mounted" / "a.txt").read_text() == "of the bucket"
    with pytest.raises(UserError, match="obs://bucket/gone: there is nothing"):
        sync_data("obs://bucket/gone", str(tmp_path / "other"))


def test_results_go_to_storage_from_the_first_process_of_a_server_alone(
    monkeypatch: pytest.MonkeyPatch, bucket: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("RANK_ID", "1")
    monkeypatch.setenv("RANK_SIZE", "2")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "b.txt").touch()
    sync_data(str(tmp_path / "here"), "obs://bucket/back")
    assert not (bucket / "back").exists()
