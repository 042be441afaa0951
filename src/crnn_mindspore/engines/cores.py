"""The processor cores that this process may use; a container or a scheduler may give fewer than there are."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use, at least 1.

    The least of those that it may run on and of the share of time that its control groups give it, rounded
    up.

    Args:
        root: Where /proc and /sys are.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), and for version 1
    https://docs.kernel.org/scheduler/sched-bwc.html
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(math.ceil(share) for share in _shares(root))]))


def _shares(root: Path) -> Iterator[float]:
    """What each group that holds this process, and each group around it, gives, in cores."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        top = root / "sys/fs/cgroup"
        if controllers:
            if "cpu" not in controllers.split(","):
                continue
            top = next((top / name for name in (controllers, "cpu") if (top / name).is_dir()), top)
        # In a container, the path may be that outside, of which only the top can be seen.
        for group in (PurePosixPath(path), *PurePosixPath(path).parents):
            folder = top / str(group).lstrip("/")
            if controllers:
                limit = f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}"
            else:
                limit = _read(folder / "cpu.max")
            numbers = limit.split()
            if len(numbers) == 2 and all(number.isdecimal() and int(number) for number in numbers):
                yield int(numbers[0]) / int(numbers[1])


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # another system, another version of groups, or a group without a limit
        return ""
