"""Cores, memory and disk."""

import re
import tempfile
from collections.abc import Iterator

from crnn_mindspore.doctor.machine import Machine
from crnn_mindspore.doctor.verdict import FAULT, OK, WARNING, Verdict
from crnn_mindspore.engines.cores import usable_cores

_GIB = 2**30
_LEAST_MEMORY, _GOOD_MEMORY = 1 * _GIB, 3 * _GIB  # a training of V2 with batches of 64 takes about 2 GiB
_LEAST_DISK, _GOOD_DISK = 1 * _GIB, 5 * _GIB  # 30 checkpoints of V2 with their optimiser take 2 GiB


def check_resources(machine: Machine, workers: int, folder: str) -> Iterator[Verdict]:
    """Cores for the workers, memory, and disk where results and temporary files go.

    Args:
        machine: Files, environment and programs.
        workers: Background threads that prepare batches.
        folder: Of the results.
    """
    cores = usable_cores(machine.root)
    if workers > cores:
        few = f"{cores} cores for {workers} workers that prepare images"
        yield Verdict("cores", WARNING, few, f"--num_parallel_workers={cores}")
    else:
        yield Verdict("cores", OK, str(cores))
    found = re.search(r"^MemAvailable:\s*(\d+) kB", machine.text("/proc/meminfo"), flags=re.MULTILINE)
    if found:
        free = int(found[1]) * 1024
        remedy = "--batch_size=16, or end other programs"
        yield _amount("memory", free, _LEAST_MEMORY, _GOOD_MEMORY, "", remedy)
    for name, place in (("disk of the results", folder), ("disk of temporary files", tempfile.gettempdir())):
        remedy = (
            "TMPDIR=FOLDER" if "temporary" in name else "--output_dir=FOLDER --save_checkpoint_path=FOLDER"
        )
        yield _amount(name, machine.free_bytes(place), _LEAST_DISK, _GOOD_DISK, f", {place}", remedy)


def _amount(name: str, free: int, least: int, good: int, where: str, remedy: str) -> Verdict:
    found = f"{free / _GIB:.1f} GiB free{where}"
    if free >= good:
        return Verdict(name, OK, found)
    return Verdict(name, FAULT if free < least else WARNING, found, remedy)
