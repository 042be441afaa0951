"""A program as a job of ModelArts: what is copied when, where paths point, what a failure leaves."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.modelarts.job import run_job
from crnn_mindspore.modelarts.once_a_server import turn
from crnn_mindspore.modelarts.storage import ResultsUpload
from crnn_mindspore.options.commands import AllOptions
from crnn_mindspore.options.load import load_options

FAKE_MOXING = Path(__file__).resolve().parents[1] / "fake_moxing"
PLATFORM = (
    *("RANK_ID", "RANK_SIZE", "DEVICE_ID", "ASCEND_DEVICE_ID", "JOB_ID", "MA_VJ_NAME"),
    *("MA_NUM_HOSTS", "VC_WORKER_NUM"),
    *("MS_ROLE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
)


class Cloud:
    """Object storage in a folder, an empty machine, and the calls of MoXing."""

    def __init__(self, root: Path) -> None:
        self.storage, self.cache, self.log = root / "storage", root / "cache", root / "calls"
        for name in ("words/a.png", "words/sub/b.png", "models/net.ckpt"):
            self.put(f"bucket/{name}", name)

    def put(self, name: str, text: str) -> None:
        path = self.storage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def calls(self) -> list[list[str]]:
        """Function, source, target of each call, the cache written as it is in the options' defaults."""
        if not self.log.exists():
            return []
        lines = self.log.read_text().replace(f"{self.cache}", "/cache").splitlines()
        return [line.split("\t")[1:] for line in lines]

    def job(self, *options: str) -> AllOptions:
        """The options of a job whose folders are in the cache."""
        folders = {"data_path": "data", "output_path": "train", "load_path": "checkpoint_path"}
        places = [f"--{option}={self.cache / name}" for option, name in folders.items()]
        return load_options(
            AllOptions, ["--enable_modelarts=True", "--modelarts_sync_minutes=0", *places, *options]
        )


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud(tmp_path)
    monkeypatch.syspath_prepend(FAKE_MOXING)
    monkeypatch.delitem(sys.modules, "moxing", raising=False)
    monkeypatch.setenv("MOXING_ROOT", str(cloud.storage))
    monkeypatch.setenv("MOXING_LOG", str(cloud.log))
    for name in (*PLATFORM, "MOXING_FAIL", "MOXING_GATE"):
        monkeypatch.setenv(name, "")  # empty is as good as unset, and is put back even where a job sets it
    return cloud


def writes(name: str, status: int = 0, error: BaseException | None = None) -> Callable[[AllOptions], int]:
    """Work that leaves a file in output_dir, then ends with a status or an error."""

    def work(config: AllOptions) -> int:
        path = Path(config.output_dir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("result")
        if error is not None:
            raise error
        return status

    return work


IN_AND_OUT = ("--data_url=obs://bucket/words/", "--train_url=obs://bucket/out/")


def test_data_and_checkpoints_come_in_before_results_go_out_after(cloud: Cloud) -> None:
    seen = []

    def work(config: AllOptions) -> int:
        seen.extend(cloud.calls())
        assert (cloud.cache / "data" / "sub" / "b.png").read_text() == "words/sub/b.png"
        assert Path(config.checkpoint_path).read_text() == "models/net.ckpt"
        return writes("eval_log.csv")(config)

    options = (*IN_AND_OUT, "--checkpoint_url=s3://bucket/models", "--checkpoint_path=net.ckpt")
    assert run_job(cloud.job(*options), work) == 0
    assert seen == [
        ["copy_parallel", "obs://bucket/words/", "/cache/data"],
        ["copy_parallel", "s3://bucket/models", "/cache/checkpoint_path"],
    ]
    assert cloud.calls()[2:] == [
        ["copy", "/cache/train/output/eval_log.csv", "obs://bucket/out/output/eval_log.csv"]
    ]
    assert (cloud.storage / "bucket/out/output/eval_log.csv").read_text() == "result"


def test_a_checkpoint_may_be_named_as_a_file(cloud: Cloud) -> None:
    options = "--checkpoint_url=obs://bucket/models/net.ckpt", "--ckpt_file=net.ckpt"
    assert run_job(cloud.job(*options), lambda config: len(Path(config.ckpt_file).read_text())) == 15
    assert [call[0] for call in cloud.calls()] == ["copy"]


def test_without_enable_modelarts_nothing_is_touched(cloud: Cloud) -> None:
    config = load_options(AllOptions, [*IN_AND_OUT, "--data_path=/elsewhere"])
    assert run_job(config, lambda given: 7 if given is config else 0) == 7
    assert cloud.calls() == []


@pytest.mark.parametrize(
    "error", [UserError("the data is bad"), ZeroDivisionError("a defect"), KeyboardInterrupt()], ids=repr
)
@pytest.mark.parametrize("storage_fails", [False, True])
def test_results_go_out_when_the_work_fails_and_its_error_stays(
    cloud: Cloud, log: list[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, storage_fails: bool
) -> None:
    monkeypatch.setenv("MOXING_FAIL", "out/" if storage_fails else "")
    with pytest.raises(type(error)) as raised:
        run_job(cloud.job(*IN_AND_OUT), writes("train_log.csv", error=error))
    assert raised.value is error
    assert cloud.calls()[-1][-1] == "obs://bucket/out/output/train_log.csv"
    assert any("train_log.csv: storage says no" in line for line in log) == storage_fails


@pytest.mark.parametrize("storage_fails", ["", "out/"])
def test_the_status_of_a_training_that_was_stopped_is_kept(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, storage_fails: str
) -> None:
    monkeypatch.setenv("MOXING_FAIL", storage_fails)
    assert run_job(cloud.job(*IN_AND_OUT), writes("train_log.csv", status=143)) == 143
    assert cloud.calls()[-1][-1] == "obs://bucket/out/output/train_log.csv"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_ends_with_its_status_after_results_went_out(cloud: Cloud, number: signal.Signals) -> None:
    def work(config: AllOptions) -> int:
        writes("train_log.csv")(config)
        os.kill(os.getpid(), number)
        time.sleep(60)
        return 0

    if signal.getsignal(number) is signal.SIG_IGN:  # the tests run under nohup
        signal.signal(number, signal.SIG_DFL)
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended:
        run_job(cloud.job(*IN_AND_OUT), work)
    assert ended.value.code == 128 + number
    assert (cloud.storage / "bucket/out/output/train_log.csv").exists()
    assert signal.getsignal(number) is before


def test_results_that_cannot_go_out_are_an_error_of_their_own(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOXING_FAIL", "bad.csv")
    config = cloud.job(*IN_AND_OUT)
    with pytest.raises(UserError, match=r"obs://bucket/out: 1 files cannot .*bad\.csv: storage says no"):
        run_job(config, lambda c: writes("bad.csv")(c) + writes("good.csv")(c))
    assert (cloud.storage / "bucket/out/output/good.csv").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--data_url=obs://bucket/wrods", "obs://bucket/wrods: there is nothing"),
        ("--data_url=/no/such/folder", "data_url: /no/such/folder: no such file or folder"),
        ("--checkpoint_url=obs://bucket/none", "obs://bucket/none: there is nothing"),
    ],
)
def test_a_wrong_address_is_named_and_the_work_not_begun(cloud: Cloud, option: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run_job(cloud.job(option), lambda config: pytest.fail("begun"))


def test_object_storage_needs_moxing(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moxing", None)
    with pytest.raises(UserError, match=r"obs://bucket/words/: needs the package moxing"):
        run_job(cloud.job(*IN_AND_OUT), lambda config: 0)


def settled(cloud: Cloud, *options: str) -> AllOptions:
    """The options as the work sees them."""
    seen = []
    config = load_options(AllOptions, ["--enable_modelarts=True", *options])
    run_job(config, lambda given: seen.append(given) or 0)
    return seen[0]


@pytest.mark.parametrize("name", ["", "obs://bucket/out"])
def test_mounted_places_are_used_where_they_are(cloud: Cloud, name: str) -> None:
    words, out = cloud.storage / "bucket" / "words", cloud.storage / "results"
    config = settled(
        cloud,
        f"--data_url={words}",
        f"--train_url={out}",
        f"--checkpoint_url={cloud.storage / 'bucket' / 'models'}",
        "--eval_dataset_path=sub",
        "--train_eval_dataset_path=/cache/data/sub,other,/mnt/else",
        "--calibration_path=sub",
        "--verify_path=/cache/data/sub",
        "--checkpoint_path=net.ckpt",
        "--ckpt_file=/cache/checkpoint_path/net.ckpt",
        "--resume_ckpt=auto",
        "--pretrained=pretrained",
        "--save_checkpoint_path=/cache/train/checkpoint",
        "--result_table=a.md,b.csv",
    )
    models = cloud.storage / "bucket" / "models"
    expected = {
        "train_dataset_path": words,  # none was given: the folder itself
        "eval_dataset_path": words / "sub",
        "calibration_path": words / "sub",
        "verify_path": words / "sub",
        "train_eval_dataset_path": f"{words}/sub,{words}/other,/mnt/else",
        "checkpoint_path": models / "net.ckpt",
        "ckpt_file": models / "net.ckpt",
        "resume_ckpt": "auto",
        "pretrained": "pretrained",
        "save_checkpoint_path": out / "checkpoint",
        "output_dir": out / "output",
        "file_name": out / "crnn",
        "result_table": f"{out}/a.md,{out}/b.csv",
        "save_predictions": "",
    }
    assert {name: getattr(config, name) for name in expected} == {k: str(v) for k, v in expected.items()}
    assert cloud.calls() == []
    assert out.is_dir()


def test_mounted_places_are_copied_where_a_folder_is_asked_for(cloud: Cloud) -> None:
    options = f"--data_url={cloud.storage}/bucket/words", f"--train_url={cloud.storage}/results"

    def work(config: AllOptions) -> int:
        assert config.train_dataset_path == str(cloud.cache / "data")
        assert (cloud.cache / "data/sub/b.png").read_text() == "words/sub/b.png"
        return writes("train_log.csv")(config)

    assert run_job(cloud.job(*options), work) == 0
    assert [p.name for p in (cloud.storage / "results").rglob("*.*")] == ["train_log.csv"]
    assert cloud.calls() == []


def test_a_calibration_that_stays_behind_is_named(cloud: Cloud, log: list[str]) -> None:
    run_job(cloud.job("--checkpoint_url=obs://bucket/models", "--calibrate=True"), lambda _: 0)
    message = f"calibrate: is written beside the model in {cloud.cache}/checkpoint_path and is not copied out"
    assert message in log
    log.clear()
    settled(cloud, f"--checkpoint_url={cloud.storage / 'bucket' / 'models'}", "--calibrate=True")
    assert not any("calibrate" in line for line in log)  # it is in the place itself


def test_results_outside_are_named(cloud: Cloud, log: list[str]) -> None:
    run_job(cloud.job("--train_url=obs://bucket/out", "--output_dir=/mnt/log"), lambda config: 0)
    assert [line for line in log if "/mnt/log is outside of" in line]
    run_job(cloud.job(), lambda config: 0)
    assert "train_url is not given: results stay on this machine" in log


def test_only_what_a_job_wrote_goes_out(cloud: Cloud) -> None:
    left = cloud.cache / "train"
    left.mkdir(parents=True)
    (left / "old.ckpt").write_text("of an earlier job")
    (left / "log.csv").write_text("first line")

    def work(config: AllOptions) -> int:
        (left / "log.csv").write_text("first line and another")
        (left / "new.ckpt").touch()
        (left / ".crnn-1_5.ckpt.tmp").touch()
        return 0

    run_job(cloud.job("--train_url=obs://bucket/out"), work)
    assert [call[-1] for call in cloud.calls()] == ["obs://bucket/out/log.csv", "obs://bucket/out/new.ckpt"]


def test_results_go_out_while_the_work_goes_on(cloud: Cloud, tmp_path: Path, log: list[str]) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    upload = ResultsUpload(folder, "obs://bucket/out", minutes=0.0001)
    (folder / "crnn-1_5.ckpt").write_text("weights")
    target = cloud.storage / "bucket/out/crnn-1_5.ckpt"
    end = time.monotonic() + 60
    while not (target.exists() and target.read_text()):
        assert time.monotonic() < end, "not copied while the work goes on"
        time.sleep(0.01)
    upload.finish()
    assert [call[-1] for call in cloud.calls()] == ["obs://bucket/out/crnn-1_5.ckpt"]


def test_a_job_that_goes_on_gets_its_checkpoints_back(cloud: Cloud) -> None:
    for name in ("crnn-1_5", "crnn-1_10", "crnn-2_5", "crnn-10_1"):
        cloud.put(f"bucket/out/ckpt/{name}.ckpt", name)
    newer = cloud.cache / "train/ckpt/crnn-2_5.ckpt"
    newer.parent.mkdir(parents=True)
    newer.write_text("not yet copied out")

    config = cloud.job("--train_url=obs://bucket/out", "--resume_ckpt=auto", "--save_checkpoint_path=ckpt")
    assert run_job(config, lambda config: 0) == 0
    assert newer.read_text() == "not yet copied out"
    assert (cloud.storage / "bucket/out/ckpt/crnn-2_5.ckpt").read_text() == "not yet copied out"
    assert sorted(call[1] for call in cloud.calls())[1:] == [
        f"obs://bucket/out/ckpt/{name}.ckpt" for name in ("crnn-10_1", "crnn-1_10", "crnn-1_5")
    ]


def results(cloud: Cloud) -> dict[str, str]:
    place = cloud.storage / "bucket/out"
    return {path.relative_to(place).as_posix(): path.read_text() for path in place.rglob("*.ckpt")}


def test_a_job_that_is_started_again_in_place_copies_what_it_had_not(cloud: Cloud) -> None:
    """Killed before it could copy anything; the second time the best stays as it is."""
    ckpt = cloud.cache / "train/ckpt"

    def killed(config: AllOptions) -> int:
        ckpt.mkdir()
        for name in ("crnn-1_5", "crnn-1_10", "crnn-best"):
            (ckpt / f"{name}.ckpt").write_text(name)
        os._exit(9)

    def again(config: AllOptions) -> int:
        (ckpt / "crnn-1_10.ckpt").write_text("once more")
        (ckpt / "crnn-2_5.ckpt").write_text("crnn-2_5")
        return 0

    config = cloud.job("--train_url=obs://bucket/out", "--save_checkpoint_path=ckpt")
    if (pid := os.fork()) == 0:
        run_job(config, killed)
    os.waitpid(pid, 0)
    assert results(cloud) == {}
    assert run_job(config, again) == 0
    assert results(cloud) == {
        "ckpt/crnn-1_5.ckpt": "crnn-1_5",
        "ckpt/crnn-1_10.ckpt": "once more",
        "ckpt/crnn-2_5.ckpt": "crnn-2_5",
        "ckpt/crnn-best.ckpt": "crnn-best",
    }
    before = len(cloud.calls())
    assert run_job(config, lambda config: 0) == 0
    assert len(cloud.calls()) == before  # all is there
    (cloud.storage / "bucket/out/ckpt/crnn-best.ckpt").unlink()
    assert run_job(config, lambda config: 0) == 0
    assert [call[-1] for call in cloud.calls()[before:]] == ["obs://bucket/out/ckpt/crnn-best.ckpt"]


def test_a_newer_version_at_the_address_takes_the_place_of_the_one_here(cloud: Cloud) -> None:
    best = cloud.cache / "train/ckpt/crnn-best.ckpt"

    def work(config: AllOptions) -> int:
        best.parent.mkdir(exist_ok=True)
        best.write_text("first")
        return 0

    config = cloud.job("--train_url=obs://bucket/out", "--resume_ckpt=auto", "--save_checkpoint_path=ckpt")
    assert run_job(config, work) == 0
    cloud.put("bucket/out/ckpt/crnn-best.ckpt", "later")  # of the job on another machine
    assert run_job(config, lambda config: 0) == 0
    assert (best.read_text(), results(cloud)) == ("later", {"ckpt/crnn-best.ckpt": "later"})
    best.write_text("third")
    assert run_job(config, lambda config: 0) == 0
    assert (best.read_text(), results(cloud)) == ("third", {"ckpt/crnn-best.ckpt": "third"})


def test_a_folder_that_was_of_another_address_sends_none_of_its_files(cloud: Cloud) -> None:
    def work(config: AllOptions) -> int:
        (cloud.cache / "train" / "first.ckpt").write_text("first")
        return 0

    assert run_job(cloud.job("--train_url=obs://bucket/other"), work) == 0
    assert run_job(cloud.job("--train_url=obs://bucket/out"), lambda config: 0) == 0
    assert results(cloud) == {}


@pytest.mark.parametrize(
    ("options", "device"), [((), 6), (("--device_id=2",), 2)], ids=["of the platform", "given"]
)
def test_the_device_is_the_platforms_unless_given(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], device: int
) -> None:
    monkeypatch.delenv("DEVICE_ID")
    monkeypatch.setenv("ASCEND_DEVICE_ID", "6")
    assert run_job(cloud.job(*options), lambda config: config.device_id) == device
    assert os.environ["DEVICE_ID"] == "6"


@pytest.mark.parametrize(
    ("rank", "role", "uploads"),
    [
        (0, "", True),
        (0, "MS_WORKER", True),
        (0, "MS_SCHED", False),
        (7, "", False),
        (8, "", True),
        (15, "", False),
    ],
)
def test_the_first_process_of_each_server_copies_results_out(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, rank: int, role: str, uploads: bool
) -> None:
    for name, value in {"RANK_ID": rank, "RANK_SIZE": 16, "MA_NUM_HOSTS": 2, "MS_ROLE": role}.items():
        monkeypatch.setenv(name, str(value))
    config = cloud.job("--train_url=obs://bucket/out", "--run_distribute=True")
    assert run_job(config, writes(f"bad_batch_rank{rank}.npz", status=1)) == 1
    expected = [f"obs://bucket/out/output/bad_batch_rank{rank}.npz"] if uploads else []
    assert [call[-1] for call in cloud.calls()] == expected


def test_a_process_that_was_stopped_waits_until_results_are_out(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK_ID": "3", "RANK_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    config = cloud.job("--train_url=obs://bucket/out", "--run_distribute=True")
    order = []

    def other() -> None:
        run_job(config, lambda config: order.append("stopped") or 143)
        order.append("left")

    process = threading.Thread(target=other)
    with turn(cloud.cache / "train", "upload"):
        process.start()
        process.join(0.3)
        order.append("results are out")
    process.join()
    assert order == ["stopped", "results are out", "left"]


def test_two_that_would_copy_the_same_results_out_are_refused(cloud: Cloud) -> None:
    config = cloud.job("--train_url=obs://bucket/out")
    with (
        turn(cloud.cache / "train", "upload"),
        pytest.raises(UserError, match=r"train: in use by another job, or two processes have one rank"),
    ):
        run_job(config, lambda config: 0)


def test_without_run_distribute_only_the_first_process_works(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    monkeypatch.setenv("RANK_SIZE", "8")
    monkeypatch.setenv("RANK_ID", "0")
    assert run_job(cloud.job(), lambda config: 5) == 5
    monkeypatch.setenv("RANK_ID", "1")
    assert run_job(cloud.job(*IN_AND_OUT), lambda config: pytest.fail("worked")) == 0
    assert log[-1] == "process 1 of 8: nothing to do without run_distribute"
    assert cloud.calls() == []


@pytest.mark.parametrize("is_mounted", [True, False])
def test_whatever_an_option_names_under_the_datas_folder_is_in_the_data(
    cloud: Cloud, is_mounted: bool
) -> None:
    cloud.put("bucket/words/checkpoint/net.ckpt", "weights")
    url = str(cloud.storage / "bucket/words") if is_mounted else "obs://bucket/words"
    data = Path("/cache/data") if is_mounted else cloud.cache / "data"
    named = data / "checkpoint" / "net.ckpt"
    options = (
        f"--data_url={url}",
        f"--CHECKPOINT_PATH={named}",
        f"--ckpt_file={named}",
        f"--render_words={data}/words.txt",
        f"--label_dict={data}/charset.txt",
        "--lexicon=/mnt/else",
    )
    config = settled(cloud, *options) if is_mounted else cloud.job(*options)
    if not is_mounted:
        seen = []
        run_job(config, lambda given: seen.append(given) or 0)
        config = seen[0]
    folder = cloud.storage / "bucket/words" if is_mounted else cloud.cache / "data"
    assert Path(config.checkpoint_path).read_text() == "weights"
    assert config.ckpt_file == config.checkpoint_path == str(folder / "checkpoint/net.ckpt")
    assert config.render_words == f"{folder}/words.txt"
    assert config.label_dict == f"{folder}/charset.txt"
    assert config.lexicon == "/mnt/else"
