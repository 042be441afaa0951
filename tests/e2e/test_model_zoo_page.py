"""The model zoo's page: every command form, word for word but for paths, and the lines and files it promises.

Ascend and GPU are stand-ins that keep their arguments; on the CPU everything runs. Others go into detail:
test_launch.py (several devices), test_docker_start.py, test_infer_310.py, test_modelarts.py, tests/modelarts,
tests/data/test_data_converters.py (convert_ic03.py, convert_iiit5k.py, convert_svt.py), tests/zoo (modules).
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import TINY_HIDDEN, TINY_SCALE, WORDS, word_image, write_synth
from stand_ins import Launch

ROOT = Path(__file__).resolve().parents[2]
TINY = f"--hidden_size={TINY_HIDDEN} --channel_scale={TINY_SCALE} --batch_size=4 --epoch_size=2"


@dataclass(frozen=True)
class Page:
    """Runs commands of the page in a folder, its paths replaced.

    Attributes:
        folder: Where the commands are called.
        paths: Word of the page -> path.
    """

    folder: Path
    paths: dict[str, Path]

    def __call__(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        words = [str(self.paths.get(word, word)) for word in command.split()]
        words[0] = {"python": sys.executable}.get(words[0], words[0])
        words[1] = str(ROOT / words[1])
        return subprocess.run(
            words,
            cwd=self.folder,
            env={**os.environ, "PYTHON": sys.executable, "LITE_HOME": "", **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def works(self, command: str, **environment: str) -> str:
        """What a command printed, which must have ended well."""
        result = self(command, **environment)
        assert result.returncode == 0, result
        return result.stdout

    def log(self, name: str) -> str:
        return (self.folder / name).read_text()


def has_line(pattern: str, text: str) -> bool:
    return re.search(rf"^{pattern}$", text, re.MULTILINE) is not None


# --- one device: what the program is called with ---


@pytest.fixture
def recorded(tmp_path: Path) -> Page:
    """Commands whose program only prints its arguments."""
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    (tmp_path / "my.ckpt").touch()
    data = tmp_path / "words"
    data.mkdir()
    return Page(tmp_path, {"DATASET_PATH": data, "CHECKPOINT_PATH": tmp_path / "my.ckpt", "PROGRAM": program})


TRAIN, EVAL = (
    "bash scripts/run_standalone_train.sh synth DATASET_PATH",
    "bash scripts/run_eval.sh svt DATASET_PATH",
)


@pytest.mark.parametrize(
    ("command", "device", "platform", "resumes"),
    [
        (TRAIN, 0, "Ascend", False),
        (f"{TRAIN} 3", 3, "Ascend", False),
        (f"{TRAIN} 3 Ascend", 3, "Ascend", False),
        (f"{TRAIN} 3 Ascend CHECKPOINT_PATH", 3, "Ascend", True),
        (f"{TRAIN} 3 GPU", 3, "GPU", False),
        (f"{TRAIN} 3 GPU CHECKPOINT_PATH", 3, "GPU", True),
        (f"{TRAIN} GPU", 0, "GPU", False),
        (f"{TRAIN} GPU CHECKPOINT_PATH", 0, "GPU", True),
        ("bash scripts/run_standalone_train_cpu.sh synth DATASET_PATH", 0, "CPU", False),
        ("bash scripts/run_standalone_train_cpu.sh synth DATASET_PATH CHECKPOINT_PATH", 0, "CPU", True),
    ],
)
def test_training_on_one_device(
    recorded: Page, command: str, device: int, platform: str, resumes: bool
) -> None:
    printed = recorded.works(command, PYTHON=str(recorded.paths["PROGRAM"])).splitlines()
    checkpoint = recorded.paths["CHECKPOINT_PATH"] if resumes else ""
    assert printed[1] == str(ROOT / "train.py")
    assert printed[2:8] == [
        "--train_dataset=synth",
        f"--train_dataset_path={recorded.paths['DATASET_PATH']}",
        f"--device_id={device}",
        f"--device_target={platform}",
        "--run_distribute=False",
        f"--resume_ckpt={checkpoint}",
    ]


@pytest.mark.parametrize(
    ("command", "device", "platform"),
    [
        (f"{EVAL} CHECKPOINT_PATH", 0, "Ascend"),
        (f"{EVAL} CHECKPOINT_PATH 5", 5, "Ascend"),
        (f"{EVAL} CHECKPOINT_PATH 5 Ascend", 5, "Ascend"),
        (f"{EVAL} CHECKPOINT_PATH 5 GPU", 5, "GPU"),
        (f"{EVAL} CHECKPOINT_PATH GPU", 0, "GPU"),
        ("bash scripts/run_eval_cpu.sh svt DATASET_PATH CHECKPOINT_PATH", 0, "CPU"),
    ],
)
def test_evaluation_on_one_device(recorded: Page, command: str, device: int, platform: str) -> None:
    printed = recorded.works(command, PYTHON=str(recorded.paths["PROGRAM"])).splitlines()
    assert printed[1:7] == [
        str(ROOT / "eval.py"),
        "--eval_dataset=svt",
        f"--eval_dataset_path={recorded.paths['DATASET_PATH']}",
        f"--checkpoint_path={recorded.paths['CHECKPOINT_PATH']}",
        f"--device_id={device}",
        f"--device_target={platform}",
    ]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (f"{EVAL} CHECKPOINT_PATH GPU 0", "usage: bash"),
        (f"{EVAL} CHECKPOINT_PATH 0 1", "PLATFORM is '1', must be Ascend, GPU or CPU"),
        (f"{EVAL} CHECKPOINT_PATH gpu", "DEVICE_ID is 'gpu', must be the number of a device, or a platform"),
        (f"{TRAIN} GPU 0", "no such checkpoint: 0"),
        (f"{TRAIN} CHECKPOINT_PATH", "must be the number of a device, or a platform: Ascend, GPU or CPU"),
        (f"{TRAIN} 0 GPU CHECKPOINT_PATH more", "usage: bash"),
    ],
)
def test_a_form_that_could_mean_two_things_is_refused(recorded: Page, command: str, message: str) -> None:
    result = recorded(command, PYTHON=str(recorded.paths["PROGRAM"]))
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr


# --- several devices ---


@pytest.mark.parametrize(
    "form", ["Ascend RANK_TABLE_FILE", "Ascend RANK_TABLE_FILE RESUME_CKPT", "GPU", "GPU RESUME_CKPT"]
)
def test_training_on_several_devices(tmp_path: Path, form: str) -> None:
    launch = Launch(tmp_path)
    paths = {"RANK_TABLE_FILE": launch.rank_table(1, 2), "RESUME_CKPT": launch.checkpoint()}
    platform, *rest = form.split()
    result, records = launch(*(paths.get(word, word) for word in form.split()))
    assert result.returncode == 0, result
    resumed = paths["RESUME_CKPT"] if "RESUME_CKPT" in rest else ""
    assert len(records) == (2 if platform == "Ascend" else 1)  # msrun starts the processes on a GPU server
    for record in records:
        assert record["arguments"][-7:] == launch.train_options(platform, resumed)
    for rank in range(2):  # "Check the train_parallel0/log.txt"
        link = launch.folder / f"train_parallel{rank}" / "log.txt"
        assert link.is_symlink()
        assert link.resolve() == launch.folder / "train_parallel" / f"worker_{rank}.log"


# --- containers ---


def base_image(**given: str) -> str:
    """The image that `docker build . --build-arg NAME=VALUE ...` starts from."""
    values: dict[str, str] = {}

    def filled(text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], text)

    image = ""
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if match := re.fullmatch(r"ARG (\w+)=(\S+)", line):
            if not image:
                values[match[1]] = given.get(match[1], filled(match[2]))
        elif match := re.match(r"FROM (\S+)", line):
            image = filled(match[1])
    return image


def test_an_image_is_built_from_the_one_that_is_named() -> None:
    # docker build -t ssd:20.1.0 . --build-arg FROM_IMAGE_NAME=ascend-mindspore-arm:20.1.0
    assert base_image(FROM_IMAGE_NAME="ascend-mindspore-arm:20.1.0") == "ascend-mindspore-arm:20.1.0"
    assert base_image(BASE="other:1") == "other:1"
    assert base_image().startswith("python:3.11")


# --- on the CPU, from the first training to the last figure ---


def write_svt(root: Path) -> Path:
    import cv2

    root.mkdir()
    for i, word in enumerate(WORDS):
        cv2.imwrite(str(root / f"{i}_{word}.jpg"), word_image(word))
    return root


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A folder in which a network was trained by the page's first command, and exported."""
    folder = tmp_path_factory.mktemp("page")
    paths = {
        "DATASET_PATH": write_synth(folder / "90kDICT32px", WORDS),
        "SVT_PATH": write_svt(folder / "svt"),
        "CHECKPOINT_PATH": folder / "train" / "ckpt" / "crnn-2_2.ckpt",
    }
    made = Page(folder, paths)
    made.works("bash scripts/run_standalone_train_cpu.sh synth DATASET_PATH", EXTRA_OPTIONS=TINY)
    made.works(
        "python export.py --device_target CPU --ckpt_file CHECKPOINT_PATH --file_name crnn.onnx "
        "--file_format ONNX --model_version V1"
    )
    made.works(
        "python export.py --ckpt_file CHECKPOINT_PATH --file_name crnn --file_format MINDIR "
        "--device_target CPU --model_version V1"
    )
    return made


@pytest.mark.slow
def test_a_training_logs_the_ends_of_its_epochs(page: Page) -> None:
    log = page.log("train/log.txt")
    number = r"\d+\.\d+(e-\d+)?"
    assert has_line(rf"epoch: 2 step: 2, loss is {number}", log)
    assert has_line(rf"Epoch time: {number}s, per step time: {number}s", log)


@pytest.mark.slow
def test_a_training_resumes_from_a_checkpoint(page: Page, tmp_path: Path) -> None:
    printed = Page(tmp_path, page.paths).works(
        "bash scripts/run_standalone_train_cpu.sh synth DATASET_PATH CHECKPOINT_PATH",
        EXTRA_OPTIONS=f"{TINY} --epoch_size=3",
    )
    assert f"resumed from {page.paths['CHECKPOINT_PATH']} at step 4" in printed
    assert has_line(r"epoch: 3 step: 2, loss is \S+", printed)


@pytest.mark.slow
def test_a_training_evaluates_what_eval_dataset_names(page: Page, tmp_path: Path) -> None:
    options = (
        f"{TINY} --run_eval=True --eval_dataset=svt --eval_dataset_path={page.paths['SVT_PATH']} "
        "--save_best_ckpt=True --eval_start_epoch=1 --eval_interval=1"
    )
    printed = Page(tmp_path, page.paths).works(
        "bash scripts/run_standalone_train_cpu.sh synth DATASET_PATH", EXTRA_OPTIONS=options
    )
    assert len(re.findall(r"^correct num: \d+ , total num: 8$", printed, re.MULTILINE)) == 2
    assert (tmp_path / "train" / "ckpt" / "crnn-best.ckpt").exists()


@pytest.mark.slow
def test_evaluations_and_inference_end_with_the_pages_lines(page: Page) -> None:
    page.works("bash scripts/run_eval_cpu.sh svt SVT_PATH CHECKPOINT_PATH")
    counts, rate = r"correct num: (\d+) , total num: 8", r"[01]\.\d+"
    log = page.log("eval/log.txt")
    assert has_line(counts, log)
    assert has_line(rf"result: \{{'CRNNAccuracy': {rate}\}}", log)
    correct = int(re.search(counts, log)[1])

    onnx = Page(page.folder, {**page.paths, "ONNX_MODEL": page.folder / "crnn.onnx"})
    onnx.works("bash scripts/run_eval_onnx.sh svt SVT_PATH ONNX_MODEL CPU")
    log = page.log("eval_onnx/log.txt")
    assert has_line(rf"correct num: {correct} , total num: 8", log)
    assert has_line(rf"result: {correct / 8}", log)

    mindir = {**page.paths, "MINDIR_PATH": page.folder / "crnn.mindir"}
    for name, command, environment in (
        ("310", "bash scripts/run_infer_310.sh MINDIR_PATH SVT_PATH SVT_PATH svt 0", {"DEVICE_TYPE": "CPU"}),
        ("cpp", "bash scripts/run_infer_cpp.sh MINDIR_PATH SVT_PATH SVT_PATH svt CPU 0", {}),
    ):
        folder = page.folder / name
        folder.mkdir()
        inference = Page(folder, mindir)
        inference.works(command, **environment)
        assert len(list((folder / "result_Files").iterdir())) == 8
        log = inference.log("acc.log")
        assert has_line(rf"correct num: {correct} , total num: 8", log)
        assert has_line(rf"result CRNNAccuracy is: {correct / 8}", log)


@pytest.mark.slow
def test_air_is_for_ascend_alone_and_says_so(page: Page) -> None:
    result = page(
        "python export.py --ckpt_file CHECKPOINT_PATH --file_name crnn --file_format AIR "
        "--device_target CPU --model_version V1"
    )
    assert result.returncode == 2
    assert "AIR" in result.stderr
    assert "Traceback" not in result.stderr


# --- ModelArts ---


@dataclass(frozen=True)
class ModelArts:
    """Jobs whose data is in object storage, or a folder that the platform has mounted.

    Attributes:
        root: Folder of everything.
        is_mounted: Whether it is mounted; /cache/data and /cache/train are then written as the page has them.
    """

    root: Path
    is_mounted: bool

    @property
    def data(self) -> str:
        return "/cache/data" if self.is_mounted else f"{self.root}/cache/data"

    @property
    def results(self) -> str:
        return "/cache/train" if self.is_mounted else f"{self.root}/cache/train"

    def works(self, program: str, data: str, *options: str) -> str:
        """Runs a job over a folder of the bucket; what it printed."""
        place = f"{self.root}/storage/bucket" if self.is_mounted else "obs://bucket"
        urls = [f"--data_url={place}/{data}", f"--train_url={place}/out"]
        if not self.is_mounted:
            urls += [f"--data_path={self.data}", f"--output_path={self.results}"]
        fake = {
            "PYTHONPATH": str(ROOT / "tests" / "fake_moxing"),
            "MOXING_ROOT": str(self.root / "storage"),
            "MOXING_LOG": str(self.root / "calls"),
        }
        result = subprocess.run(
            [sys.executable, str(ROOT / program), *urls, "--device_target=CPU", *options],
            cwd=self.root,
            env={**os.environ, **fake},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert result.returncode == 0, result
        return result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("is_mounted", [False, True], ids=["storage", "mounted"])
def test_jobs_train_evaluate_and_export(tmp_path: Path, is_mounted: bool) -> None:
    jobs = ModelArts(tmp_path, is_mounted)
    bucket = tmp_path / "storage" / "bucket"
    write_synth(bucket / "train" / "mnt" / "ramdisk" / "max" / "90kDICT32px", WORDS)
    (bucket / "eval" / "svt" / "converted").mkdir(parents=True)
    write_svt(bucket / "eval" / "svt" / "converted" / "img")

    # run_distribute is left out: with one process there is nothing to distribute.
    printed = jobs.works(
        "train.py",
        "train",
        "--enable_modelarts=True",
        f"--save_checkpoint_path={jobs.results}/checkpoint",
        f"--train_dataset_path={jobs.data}/mnt/ramdisk/max/90kDICT32px",
        *TINY.split(),
    )
    assert has_line(r"epoch: 2 step: 2, loss is \S+", printed)
    (checkpoint,) = (bucket / "out" / "checkpoint").glob("crnn-*.ckpt")

    (bucket / "eval" / "checkpoint").mkdir()
    checkpoint.rename(bucket / "eval" / "checkpoint" / checkpoint.name)
    options = {
        "enable_modelarts": True,
        "eval_dataset": "svt",
        "eval_dataset_path": f"{jobs.data}/svt/converted/img/",
        "CHECKPOINT_PATH": f"{jobs.data}/checkpoint/{checkpoint.name}",
    }
    (tmp_path / "job.yaml").write_text(json.dumps(options))
    for given in ([f"--_config_path={tmp_path / 'job.yaml'}"], [f"--{n}={v}" for n, v in options.items()]):
        assert has_line(r"correct num: \d+ , total num: 8", jobs.works("eval.py", "eval", *given))

    jobs.works(
        "export.py",
        "eval/checkpoint",
        "--enable_modelarts=True",
        "--file_name=crnn",
        "--file_format=MINDIR",
        f"--ckpt_file={jobs.data}/{checkpoint.name}",
    )
    assert (bucket / "out" / "crnn.mindir").stat().st_size > 0
