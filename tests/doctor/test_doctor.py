"""`crnn doctor`: this machine, machines with planted faults, and the stored numbers computed anew."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from reference import bidirectional_lstm, log_probabilities, text_probabilities

from crnn_mindspore.cli import doctor
from crnn_mindspore.cli import main as crnn
from crnn_mindspore.doctor import device_step
from crnn_mindspore.doctor.machine import Machine
from crnn_mindspore.options.commands import DoctorOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.tasks.ctc.learning import device_check

GIB = 2**30
SET_ENV = {
    "ASCEND_HOME_PATH": "/usr/local/Ascend/ascend-toolkit/latest",
    "PYTHONPATH": "/usr/local/Ascend/ascend-toolkit/latest/opp/built-in/op_impl/ai_core/tbe",
    "LD_LIBRARY_PATH": "/usr/local/Ascend/driver/lib64",
    "ASCEND_OPP_PATH": "/usr/local/Ascend/ascend-toolkit/latest/opp",
}


@dataclass(frozen=True)
class Pretended(Machine):
    """A machine of which some things are as a test says."""

    versions: Mapping[str, str] = field(default_factory=dict)
    without: Sequence[str] = ()
    programs: Mapping[str, str | None] = field(default_factory=dict)
    free: int = 100 * GIB

    def version(self, package: str) -> str:
        return self.versions.get(package, super().version(package))

    def has_module(self, name: str) -> bool:
        return name not in self.without and (name == "te" or super().has_module(name))

    def has_library(self, name: str) -> bool:
        return name not in self.without

    def output(self, command: Sequence[str], seconds: float = 20) -> str | None:
        return self.programs.get(" ".join(command))

    def has_program(self, name: str) -> bool:
        return any(command.split()[0] == name for command in self.programs)

    def free_bytes(self, folder: str) -> int:
        return self.free


def server(root: Path, cann: str = "8.3.RC1", devices: int = 8, memory: int = 64) -> Path:
    """The files of an Ascend server."""
    (root / "dev").mkdir()
    for number in range(devices):
        (root / "dev" / f"davinci{number}").touch()
    (root / "dev" / "davinci_manager").touch()
    for path, text in {
        "usr/local/Ascend/driver/version.info": "Version=25.2.0\n",
        "usr/local/Ascend/ascend-toolkit/latest/compiler/version.info": f"Version={cann}\nother=1\n",
        "proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {memory * 2**20} kB\n",
    }.items():
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text(text)
    return root


def look(run_program: Run, machine: Machine, *options: str) -> dict[str, dict[str, str]]:
    """Name -> what was found, of `--json`; those that are not ok must have a remedy."""
    given = load_options(DoctorOptions, ["--quick", "--json", *options], "crnn doctor")
    outcome = run_program(lambda argv: doctor.look(given, machine))
    found = {verdict["name"]: verdict for verdict in json.loads(outcome.out)}
    assert outcome.status == int(any(v["state"] == "fault" for v in found.values()))
    assert all(bool(v["remedy"]) == (v["state"] != "ok") for v in found.values())
    return found


def states(found: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {name: verdict["state"] for name, verdict in found.items() if verdict["state"] != "ok"}


NPU = {"npu-smi info": "| NPU 0 | OK |"}


def test_a_whole_ascend_server_is_green(run_program: Run, tmp_path: Path) -> None:
    machine = Pretended(server(tmp_path), SET_ENV, programs=NPU)
    found = look(run_program, machine)
    assert states(found) == {}
    assert found["Ascend devices"]["found"] == "8: /dev/davinci*"
    assert found["CANN"]["found"] == "8.3.RC1"
    assert found["Ascend driver"]["found"] == "25.2.0"


@pytest.mark.parametrize(
    ("fault", "name", "state", "remedy"),
    [
        ({"versions": {"numpy": "2.2.1"}}, "NumPy", "fault", "pip install 'numpy<2'"),
        ({"versions": {"mindspore": ""}}, "MindSpore", "fault", "pip install mindspore==2.8.0"),
        ({"versions": {"mindspore": "2.10.0"}}, "MindSpore", "warning", "pip install mindspore==2.8.0"),
        ({"without": ["cv2"]}, "opencv-python-headless", "fault", "pip install opencv-python-headless"),
        ({"without": ["libgomp.so.1"]}, "libgomp.so.1", "fault", "dnf install libgomp"),
        ({"without": ["te"]}, "te", "fault", "pip install $ASCEND_HOME_PATH/lib64/te-*.whl"),
        ({"free": 0}, "disk of the results", "fault", "--output_dir=FOLDER"),
        ({"free": 3 * GIB}, "disk of temporary files", "warning", "TMPDIR=FOLDER"),
        ({"programs": {}}, "npu-smi", "fault", "docs/ascend.md"),
        ({"environment": {}}, "CANN", "fault", "source /usr/local/Ascend/cann/set_env.sh"),
        ({"environment": {**SET_ENV, "PYTHONPATH": "/x"}}, "PYTHONPATH", "fault", "set_env.sh"),
        (
            {"environment": {**SET_ENV, "RANK_TABLE_FILE": "/t.json"}},
            "RANK_TABLE_FILE",
            "warning",
            "start with msrun",
        ),
    ],
)
def test_a_planted_fault_is_found_with_what_mends_it(
    run_program: Run, tmp_path: Path, fault: dict, name: str, state: str, remedy: str
) -> None:
    whole = {"root": server(tmp_path), "environment": SET_ENV, "programs": NPU}
    found = look(run_program, Pretended(**{**whole, **fault}))
    assert found[name]["state"] == state
    assert remedy in found[name]["remedy"]
    beside = states(found).keys() - {name, "CANN", "disk of the results", "disk of temporary files"}
    assert not beside  # nothing else is to blame


@pytest.mark.parametrize(
    ("files", "name", "part"),
    [
        ({"cann": "7.0.0"}, "CANN", "7.0.0: MindSpore 2.8 takes 8.2, 8.3, 8.5"),
        ({"devices": 0}, "Ascend devices", "none: no /dev/davinci*"),
        ({"memory": 0}, "memory", "0.0 GiB free"),
    ],
)
def test_unfit_cann_no_device_and_no_memory(
    run_program: Run, tmp_path: Path, files: dict, name: str, part: str
) -> None:
    machine = Pretended(server(tmp_path, **files), SET_ENV, programs=NPU)
    found = look(run_program, machine, "--device_target=Ascend")
    assert states(found) == {name: "fault"}
    assert part in found[name]["found"]


@pytest.mark.parametrize(
    ("sign", "faults"),
    [
        ({"device": "dev/davinci0"}, {"npu-smi", "Ascend driver", "CANN"}),
        ({"device": "dev/davinci_manager"}, {"Ascend devices", "npu-smi", "Ascend driver", "CANN"}),
        ({"device": "usr/local/Ascend"}, {"Ascend devices", "npu-smi", "Ascend driver", "CANN"}),
        ({"programs": {"npu-smi info": None}}, {"Ascend devices", "npu-smi", "Ascend driver", "CANN"}),
        ({"environment": SET_ENV}, {"Ascend devices", "npu-smi", "Ascend driver", "CANN"}),
    ],
)
def test_one_sign_of_ascend_has_all_of_it_looked_at(
    run_program: Run, tmp_path: Path, sign: dict, faults: set[str]
) -> None:
    if device := sign.pop("device", ""):
        (tmp_path / device).mkdir(parents=True)
    machine = Pretended(tmp_path, **sign) if "environment" in sign else Pretended(tmp_path, {}, **sign)
    assert states(look(run_program, machine)) == dict.fromkeys(faults, "fault")
    assert "devices" not in look(run_program, machine)
    assert not states(look(run_program, machine, "--device_target=CPU"))


def test_without_a_sign_of_ascend_a_line_says_what_was_looked_for(run_program: Run, tmp_path: Path) -> None:
    found = look(run_program, Pretended(tmp_path, {}))
    assert found["devices"]["found"] == (
        "no sign of Ascend (/dev/davinci*, /usr/local/Ascend, npu-smi, ASCEND_HOME_PATH), no GPU: "
        "the CPU computes"
    )


def test_a_host_that_only_reads_has_a_cann_of_any_version(run_program: Run, tmp_path: Path) -> None:
    machine = Pretended(server(tmp_path, cann="7.0.0"), SET_ENV, programs=NPU, versions={"mindspore": ""})
    found = look(run_program, machine)
    assert (found["CANN"]["state"], found["CANN"]["found"]) == ("ok", "7.0.0")
    assert states(found) == {"MindSpore": "fault"}


def test_a_gpu_without_its_libraries(run_program: Run, tmp_path: Path) -> None:
    programs = {"nvidia-smi -L": "GPU 0: NVIDIA H100 (UUID: GPU-a)\n"}
    machine = Pretended(tmp_path, {}, programs=programs, without=["libcudnn.so.8"])
    found = look(run_program, machine)
    assert states(found) == {"libcudnn.so.8": "fault"}
    assert found["GPU"]["found"] == "1: GPU 0: NVIDIA H100"
    absent = look(run_program, Pretended(tmp_path, {}), "--device_target=GPU")
    assert states(absent) == {"GPU": "fault"}


def test_more_workers_than_cores(run_program: Run, tmp_path: Path) -> None:
    found = look(run_program, Pretended(tmp_path, {}), "--num_parallel_workers=4096")
    assert states(found) == {"cores": "warning"}
    assert found["cores"]["remedy"].startswith("--num_parallel_workers=")


def test_a_fresh_folder_is_measured_where_it_would_be_made(tmp_path: Path) -> None:
    assert Machine().free_bytes(str(tmp_path / "not" / "yet" / "there")) > 0
    assert Machine().output(["no-such-program"]) is None
    assert not Machine().has_library("libnone.so.9")
    assert Machine().version("no-such-package") == ""
    assert not Machine(environment={}).has_program("sh")
    assert Machine(environment={"PATH": "/usr/bin:/bin"}).has_program("sh")


# --- the step on the device ---


def test_the_stored_numbers_are_numpys() -> None:
    features, targets, lengths = device_check.inputs()
    weights = {f"lstm.{name}": value.astype(np.float64) for name, value in device_check.parameters().items()}
    outputs = bidirectional_lstm(features.astype(np.float64), weights, "lstm")
    share = device_check.wave(*outputs.shape, phase=0)
    assert (outputs * share).sum() == pytest.approx(device_check.LSTM_SUM, abs=1e-6)
    log_probs = log_probabilities(4 * outputs[:, :, : device_check.CLASSES])
    losses = []
    for n, length in enumerate(lengths):
        found = text_probabilities(log_probs[:, n], device_check.CLASSES - 1)
        losses.append(-np.log(found[tuple(targets[n, :length].tolist())]))
    assert np.mean(losses) == pytest.approx(device_check.CTC_LOSS, abs=1e-6)


def test_wrong_numbers_are_a_fault() -> None:
    right = {"device": "CPU", "lstm": device_check.LSTM_SUM, "ctc": device_check.CTC_LOSS}
    assert device_step.judged("step", right, "again").state == "ok"
    wrong = device_step.judged("step", {**right, "lstm": device_check.LSTM_SUM + 0.01}, "again")
    assert (wrong.state, wrong.remedy) == ("fault", "--lstm_kernel=cells; docs/ascend.md")
    half = {**right, "lstm": device_check.LSTM_SUM + 0.01, "device": "Ascend"}
    assert device_step.judged("step", half, "again").state == "ok"  # its LSTM computes in half precision
    assert device_step.judged("step", {**right, "ctc": float("nan")}, "again").state == "fault"


@pytest.mark.parametrize("python", ["/no/python", "false"])
def test_a_step_that_cannot_be_made_is_a_fault(python: str) -> None:
    found = device_step.check_step(Machine(), "CPU", 0, python)
    assert found.state == "fault"
    assert found.remedy.startswith(python)


@pytest.mark.slow
def test_this_machine_can_train(run_program: Run, tmp_path: Path) -> None:
    outcome = run_program(crnn.main, "doctor", "--device_target=CPU", f"--folder={tmp_path}", "--json")
    found = {verdict["name"]: verdict for verdict in json.loads(outcome.out)}
    # What a machine of tests may truly lack: cores, memory and disk.
    truly = {"cores", "memory", "disk of the results", "disk of temporary files"}
    assert not states(found).keys() - truly
    assert found["one step of LSTM and CTC"]["found"].startswith("CPU gives the stored numbers")
    listed = run_program(crnn.main, "doctor", "--quick", f"--folder={tmp_path}")
    assert "0 faults" in listed.out or listed.status == 1
