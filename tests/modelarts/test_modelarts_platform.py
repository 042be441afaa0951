"""What ModelArts and the launchers tell a program: variables of the environment, options of their own."""

from pathlib import Path

import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.modelarts.process import JobProcess, job_process
from crnn_mindspore.options.commands import AllOptions
from crnn_mindspore.options.load import DEFAULT_CONFIG, load_options


@pytest.fixture(autouse=True)
def _no_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK_ID", "RANK_SIZE", "DEVICE_ID", "ASCEND_DEVICE_ID", "MA_NUM_HOSTS", "VC_WORKER_NUM"):
        monkeypatch.delenv(name, raising=False)
    for name in ("JOB_ID", "MA_VJ_NAME", "MS_ROLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "process", "is_first"),
    [
        ({}, JobProcess(), True),
        (
            {"RANK_ID": "3", "RANK_SIZE": "8", "ASCEND_DEVICE_ID": "3", "MA_VJ_NAME": "ma-job-1"},
            JobProcess(3, 8, 1, 3, "ma-job-1"),
            False,
        ),
        (
            {"RANK_ID": "9", "RANK_SIZE": "16", "ASCEND_DEVICE_ID": "1", "MA_NUM_HOSTS": "2"},
            JobProcess(9, 16, 2, 1),
            False,
        ),
        (
            {"OMPI_COMM_WORLD_RANK": "8", "OMPI_COMM_WORLD_SIZE": "16", "OMPI_COMM_WORLD_LOCAL_RANK": "0"}
            | {"VC_WORKER_NUM": "2"},
            JobProcess(8, 16, 2, 0),
            True,
        ),
        (
            {"RANK_ID": "0", "RANK_SIZE": "2", "MS_ROLE": "MS_SCHED"},
            JobProcess(world_size=2, is_scheduler=True),
            False,
        ),
        (
            {"DEVICE_ID": "5", "ASCEND_DEVICE_ID": "0", "JOB_ID": "j"},
            JobProcess(device_id=5, job_id="j"),
            True,
        ),
    ],
)
def test_the_platforms_variables_say_which_process_this_is(
    monkeypatch: pytest.MonkeyPatch, environment: dict, process: JobProcess, is_first: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert job_process() == process
    assert job_process().is_first_of_server == is_first


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"RANK_ID": "job-0"}, "RANK_ID is 'job-0', must be a whole number"),
        ({"RANK_ID": "8", "RANK_SIZE": "8"}, "RANK_ID is 8, but RANK_SIZE is 8"),
        ({"RANK_SIZE": "8"}, "RANK_SIZE is 8, but RANK_ID is not set"),
        ({"RANK_SIZE": "8", "MA_NUM_HOSTS": "two"}, "MA_NUM_HOSTS is 'two'"),
    ],
)
def test_variables_that_make_no_sense_are_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict, message: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=message):
        job_process()


def test_the_platforms_own_options_are_named_and_left(log: list[str]) -> None:
    argv = ["--enable_modelarts=True", "--init_method=tcp://job:6666", "--num_gpus=8", "--task_index", "0"]
    assert load_options(AllOptions, [*argv, "--batch_size=3"]).batch_size == 3
    ignored = "--init_method=tcp://job:6666 --num_gpus=8 --task_index 0"
    assert log == [f"not options of this program, ignored: {ignored}"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--num_gpus=8"], "unknown option 'num_gpus'"),
        (
            ["--enable_modelarts=True", "--init_method=x", "--bach_size=8"],
            "unknown option 'bach_size', did you mean 'batch_size'?",
        ),
    ],
)
def test_other_unknown_options_are_refused(argv: list[str], message: str) -> None:
    with pytest.raises(UserError) as refused:
        load_options(AllOptions, argv)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("option", ["--config_path", "--_config_path"])
def test_a_yaml_of_the_code_folder_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_options(AllOptions, [f"{option}=configs/demo.yaml"]).given
    (tmp_path / DEFAULT_CONFIG.name).write_text("batch_size: 3\n")
    assert load_options(AllOptions, [f"{option}={DEFAULT_CONFIG.name}"]).given == {
        "batch_size"
    }  # the nearer one
    with pytest.raises(UserError, match=r"^none\.yaml: No such file"):
        load_options(AllOptions, [f"{option}=none.yaml"])
