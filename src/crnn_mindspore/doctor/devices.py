"""Accelerators, their drivers and libraries: are they seen, and does their software fit MindSpore?"""

import re
from collections.abc import Iterator

from crnn_mindspore.doctor.machine import Machine
from crnn_mindspore.doctor.verdict import FAULT, OK, WARNING, Verdict

_PAGE = "docs/ascend.md"
_SET_ENV = "source /usr/local/Ascend/cann/set_env.sh, before CANN 8.5 .../ascend-toolkit/set_env.sh"
_WHEEL = "pip install $ASCEND_HOME_PATH/lib64/te-*.whl"
# MindSpore -> CANN. Source: `run_check/_check_version.py` of the 2.8.0 wheel.
_CANN = {"2.8": ("8.2", "8.3", "8.5")}
# What a machine with Ascend has of it, in part at least.
_ASCEND_SIGNS = ("/dev/davinci*", "/usr/local/Ascend", "npu-smi", "ASCEND_HOME_PATH")
# What MindSpore looks for in the environment, by the same file: variable -> a part of its value.
_ASCEND_VARIABLES = {
    "PYTHONPATH": "opp/built-in/op_impl/ai_core/tbe",
    "LD_LIBRARY_PATH": "/lib64",
    "ASCEND_OPP_PATH": "/opp",
}
# Of the CUDA plug-in of MindSpore 2.8.0's wheel.
_CUDA_LIBRARIES = ("libcudart.so.11.0", "libcudnn.so.8", "libcublas.so.11", "libcufft.so.10", "libnccl.so.2")


def check_devices(machine: Machine, device_target: str) -> Iterator[Verdict]:
    """The device that is asked for, or with `auto` those that the machine has.

    With `auto` one sign of Ascend is enough to look at all of it: a server without driver has no
    /dev/davinci* and no npu-smi, one where set_env.sh was not sourced no ASCEND_HOME_PATH.

    Args:
        machine: Files, environment and programs.
        device_target: auto, Ascend, GPU or CPU.
    """
    davinci = len(machine.paths("/dev/davinci[0-9]*"))
    gpus = [line for line in (machine.output(["nvidia-smi", "-L"]) or "").splitlines() if "GPU " in line]
    is_ascend = _has_signs_of_ascend(machine)
    if device_target == "Ascend" or (device_target == "auto" and is_ascend):
        yield from _ascend(machine, davinci)
    if device_target == "GPU" or (device_target == "auto" and gpus):
        yield from _gpu(machine, gpus)
    if device_target == "auto" and not is_ascend and not gpus:
        signs = f"no sign of Ascend ({', '.join(_ASCEND_SIGNS)}), no GPU"
        yield Verdict("devices", OK, f"{signs}: the CPU computes")


def _has_signs_of_ascend(machine: Machine) -> bool:
    devices, folder, program, variable = _ASCEND_SIGNS
    return bool(
        machine.paths(devices)
        or machine.paths(folder)
        or machine.has_program(program)
        or machine.environment.get(variable)
    )


def _ascend(machine: Machine, devices: int) -> Iterator[Verdict]:
    if devices:
        yield Verdict("Ascend devices", OK, f"{devices}: /dev/davinci*")
    else:
        remedy = f"npu-smi info; driver: {_PAGE}; to look without Ascend: --device_target=CPU"
        yield Verdict("Ascend devices", FAULT, "none: no /dev/davinci*", remedy)
    if machine.output(["npu-smi", "info"]) is None:
        yield Verdict("npu-smi", FAULT, "missing, or fails", f"install driver and firmware, see {_PAGE}")
    else:
        yield Verdict("npu-smi", OK, "answers")
    driver = _value(machine.text("/usr/local/Ascend/driver/version.info"), "Version")
    if driver:
        yield Verdict("Ascend driver", OK, driver)
    else:
        yield Verdict("Ascend driver", FAULT, "no /usr/local/Ascend/driver/version.info", _PAGE)
    yield from _cann(machine)


def _cann(machine: Machine) -> Iterator[Verdict]:
    home = machine.environment.get("ASCEND_HOME_PATH", "")
    if not home:
        yield Verdict("CANN", FAULT, "ASCEND_HOME_PATH is not set", _SET_ENV)
        return
    version = _value(machine.text(f"{home}/compiler/version.info"), "Version")
    mindspore = ".".join(machine.version("mindspore").split(".")[:2])
    wanted = _CANN.get(mindspore, ())
    if not version:
        yield Verdict("CANN", FAULT, f"no {home}/compiler/version.info", f"install the toolkit, see {_PAGE}")
    elif wanted and ".".join(version.split(".")[:2]) not in wanted:
        fits = f"{version}: MindSpore {mindspore} takes {', '.join(wanted)}"
        yield Verdict("CANN", FAULT, fits, f"install CANN {wanted[-1]}, see {_PAGE}")
    elif mindspore and not wanted:
        yield Verdict("CANN", WARNING, f"{version}: not known for MindSpore {mindspore}", _PAGE)
    else:
        yield Verdict("CANN", OK, version)
    for name, part in _ASCEND_VARIABLES.items():
        if part not in machine.environment.get(name, ""):
            yield Verdict(name, FAULT, f"has no {part}", _SET_ENV)
    if not machine.has_module("te"):
        yield Verdict("te", FAULT, "CANN's Python package is missing", _WHEEL)
    if "RANK_TABLE_FILE" in machine.environment and "MS_ROLE" not in machine.environment:
        yield Verdict(
            "RANK_TABLE_FILE", WARNING, "is set: compiles at O2", "start with msrun: docs/devices.md"
        )


def _gpu(machine: Machine, gpus: list[str]) -> Iterator[Verdict]:
    if gpus:
        yield Verdict("GPU", OK, f"{len(gpus)}: {gpus[0].split(' (')[0]}")
    else:
        yield Verdict("GPU", FAULT, "nvidia-smi lists none", "nvidia-smi; install NVIDIA's driver")
    for library in _CUDA_LIBRARIES:
        if not machine.has_library(library):
            yield Verdict(
                library, FAULT, "does not load; MindSpore's CUDA plug-in needs it", "docs/install.md"
            )


def _value(text: str, name: str) -> str:
    """`Version=8.2.RC1` -> 8.2.RC1."""
    found = re.search(rf"^{name}\s*=\s*(\S+)", text, flags=re.MULTILINE)
    return found[1] if found else ""
