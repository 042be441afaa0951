"""The most memory that a command took, its worker processes each for itself.

    python benchmarks/peak_memory.py crnn eval --calibrate=True ...

Ends with the command's status, or 1 if it was ended by a signal.
"""

import resource
import subprocess
import sys
import time


def main() -> int:
    """Runs the arguments as a command; returns its status."""
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    start = time.perf_counter()
    status = subprocess.run(sys.argv[1:], check=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"peak memory of the largest process {used.ru_maxrss / 1024:,.0f} MiB, "
        f"{used.ru_utime + used.ru_stime:.0f} s of processor time, {time.perf_counter() - start:.0f} s"
    )
    return status if status >= 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
