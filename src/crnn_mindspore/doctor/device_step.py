"""One step of LSTM and CTC on the device, in a process of its own, against the stored numbers."""

import json
import os
import subprocess
import sys

from crnn_mindspore.doctor.machine import Machine
from crnn_mindspore.doctor.verdict import FAULT, OK, Verdict
from crnn_mindspore.shipped import PACKAGE

_MODULE = "crnn_mindspore.tasks.ctc.learning.device_check"
_SECONDS = 900  # the first compilation on Ascend takes minutes
_EXACT, _HALF = 1e-3, 0.05  # differences of sums; on Ascend the LSTM computes in half precision


def check_step(machine: Machine, device_target: str, device_id: int, python: str = sys.executable) -> Verdict:
    """What the device makes of fixed numbers.

    Args:
        machine: Its environment.
        device_target: auto, Ascend, GPU or CPU.
        device_id: Which of them.
        python: The interpreter.
    """
    name = "one step of LSTM and CTC"
    again = f"{python} -m {_MODULE} {device_target} {device_id}"
    search = os.pathsep.join([str(PACKAGE.parent), machine.environment.get("PYTHONPATH", "")]).rstrip(
        os.pathsep
    )
    environment = {**machine.environment, "PYTHONPATH": search}
    command = [python, "-m", _MODULE, device_target, str(device_id)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_SECONDS, env=environment
        )
    except subprocess.TimeoutExpired:
        return Verdict(name, FAULT, f"no answer in {_SECONDS} s", again)
    except OSError as error:
        return Verdict(name, FAULT, str(error), again)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        said = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()[-1]
        return Verdict(name, FAULT, said[:200], again)
    return judged(name, json.loads(lines[-1]), again)


def judged(name: str, found: dict[str, object], again: str) -> Verdict:
    """Whether a device's numbers are those that are stored."""
    # A constant of a module that needs MindSpore when it computes, not when it is imported.
    from crnn_mindspore.tasks.ctc.learning.device_check import CTC_LOSS, LSTM_SUM

    device = str(found["device"])
    allowed = _HALF if device == "Ascend" else _EXACT
    for part, expected in (("lstm", LSTM_SUM), ("ctc", CTC_LOSS)):
        value = float(str(found[part]))
        if not abs(value - expected) <= allowed:
            wrong = f"{device}: {part} gives {value:.6f}, must be {expected:.6f}"
            remedy = "--lstm_kernel=cells; docs/ascend.md" if part == "lstm" else again
            return Verdict(name, FAULT, wrong, remedy)
    return Verdict(name, OK, f"{device} gives the stored numbers, to {allowed:g}")
