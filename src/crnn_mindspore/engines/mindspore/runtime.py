"""Device, threads, distributed initialisation, and the measured work-arounds of MindSpore."""

import importlib.metadata
import logging
import os
import platform
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crnn_mindspore.engines.choices import LEFT_OPEN, AscendChoices
from crnn_mindspore.engines.cores import usable_cores
from crnn_mindspore.engines.mindspore.ascend import INACTIVE, Profile, apply, chip_name, resolve
from crnn_mindspore.errors import UserError
from crnn_mindspore.signals import deferred
from crnn_mindspore.versions import version_tuple

_logger = logging.getLogger(__name__)

AUTO = "auto"

# oneDNN 3.10 in these versions runs plain-layout convolutions in its reference kernel on AVX-512, 100 times
# slower.
_FIRST_SLOW_ON_AVX512 = (2, 9)


@dataclass(frozen=True)
class Runtime:
    """Where this process computes, and by which settings."""

    device_target: str
    device_id: int
    rank: int = 0
    world_size: int = 1
    profile: Profile = field(default=INACTIVE)

    @property
    def is_main(self) -> bool:
        """Whether this process writes checkpoints and logs."""
        return self.rank == 0


def prepare_environment() -> list[str]:
    """Sets the variables that MindSpore reads when it is imported, and imports it.

    A signal that asks to end waits for the import: an exception in the middle of it would abort the program.

    Returns:
        What was decided, for the log.

    Raises:
        ModuleNotFoundError: If MindSpore is not installed.
        UserError: If it was imported already where a variable is needed; if there is no folder for temporary
            files, without which MindSpore aborts the program.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        raise UserError(
            "no folder for temporary files, which MindSpore needs: neither /tmp nor /var/tmp nor the working "
            "folder can be written; set TMPDIR to one that can"
        ) from None
    os.environ.setdefault("GLOG_v", "3")
    try:
        version = importlib.metadata.version("mindspore")
    except importlib.metadata.PackageNotFoundError:
        raise ModuleNotFoundError("No module named 'mindspore'", name="mindspore") from None
    decisions = [f"MindSpore {version}"]
    if version_tuple(version) >= _FIRST_SLOW_ON_AVX512 and _has_avx512():
        if "ONEDNN_MAX_CPU_ISA" not in os.environ:
            if "mindspore" in sys.modules:
                raise UserError("set ONEDNN_MAX_CPU_ISA=AVX2 before MindSpore is imported")
            os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
        decisions.append(f"ONEDNN_MAX_CPU_ISA={os.environ['ONEDNN_MAX_CPU_ISA']} (convolutions on AVX-512)")
    _import_mindspore()
    return decisions


def _import_mindspore() -> None:
    with deferred():
        import mindspore  # noqa: F401 - after the environment is set


def initialize(
    device_target: str,
    device_id: int = 0,
    run_distribute: bool = False,
    choices: AscendChoices = LEFT_OPEN,
    is_deterministic: bool = False,
) -> Runtime:
    """Chooses device, graph mode and profile, joins the other processes, and logs one line about it.

    Args:
        device_target: Ascend, GPU, CPU, or auto; see `find_device`.
        device_id: Which device of this server.
        run_distribute: Whether this is one of several processes.
        choices: What the user chose of the settings for Ascend.
        is_deterministic: Whether the same bits are to come out every time; see `apply`.

    Raises:
        UserError: If the device or the communication is not available.
    """
    decisions = prepare_environment()
    device_target = find_device(device_target)
    import mindspore as ms  # after the environment is set

    ms.set_context(mode=ms.GRAPH_MODE)
    try:
        profile = resolve(choices, device_target, _chip(device_target), os.environ)
        settings = apply(ms, profile, device_target, is_deterministic)
        if run_distribute:
            device_id = join_device(ms, device_target)
        elif not (device_target == "CPU" and _computes_on_cpu(ms)):
            ms.set_device(device_target, device_id if device_target != "CPU" else 0)
        rank, world_size = _join(ms) if run_distribute else (0, 1)
    except (RuntimeError, ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"device_target {device_target} (device_id {device_id}) cannot be used: {reason}"
        ) from None
    decisions += [
        f"Python {platform.python_version()}",
        f"{device_target} {device_id}" if device_target != "CPU" else f"CPU, {usable_cores()} cores",
        "graph mode",
        *settings,
    ]
    if run_distribute:
        decisions.append(f"rank {rank} of {world_size}")
    _logger.info("runtime: %s", ", ".join(decisions))
    return Runtime(device_target, device_id, rank, world_size, profile)


def _chip(device_target: str) -> str:
    return chip_name() if device_target == "Ascend" else ""


def find_device(device_target: str) -> str:
    """Ascend, GPU or CPU; `auto` is the first of them that MindSpore has on this machine, and logs so.

    Raises:
        ModuleNotFoundError: If `auto` is asked for where MindSpore is not installed.
    """
    if device_target != AUTO:
        return device_target
    version = prepare_environment()[0]
    import mindspore as ms  # after the environment is set

    # What MindSpore would take by itself: the first of Ascend, GPU and CPU whose driver it could load.
    found = str(ms.get_context("device_target"))
    _logger.info("device_target auto: %s, the first of Ascend, GPU, CPU that %s finds here", found, version)
    return found


def _computes_on_cpu(ms: "object") -> bool:
    """Whether the CPU is the device already: MindSpore refuses to be told so once it has computed."""
    return bool(ms.get_context("device_target") == "CPU")  # type: ignore[attr-defined]


def join_device(ms: Any, device_target: str) -> int:
    """Takes the device that the launcher gave this process.

    msrun's processes settle among themselves who takes which; those of a rank table and of mpirun would all
    take the first, if they were not told.

    Args:
        ms: The package mindspore.
        device_target: Ascend, GPU or CPU.

    Returns:
        The number of the device on this server, for the log.

    Source: https://www.mindspore.cn/docs/en/r2.7.1/api_python/mindspore/mindspore.set_device.html
    """
    given = os.environ.get("DEVICE_ID") or os.environ.get("OMPI_COMM_WORLD_LOCAL_RANK") or "0"
    if "MS_ROLE" in os.environ or device_target == "CPU":
        ms.set_device(device_target)
    else:
        ms.set_device(device_target, int(given))
    return int(given)


def _join(ms: "object") -> tuple[int, int]:
    from mindspore.communication import get_group_size, get_rank, init

    init()
    ms.set_auto_parallel_context(  # type: ignore[attr-defined]
        parallel_mode=ms.ParallelMode.DATA_PARALLEL,  # type: ignore[attr-defined]
        gradients_mean=True,
    )
    return get_rank(), get_group_size()


def _has_avx512() -> bool:
    try:
        return "avx512f" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
