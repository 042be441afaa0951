"""Runs a program's text in a child process with so much memory and time; tests state both in numbers."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LIMITED = """
import resource, sys
import src
{imports}
pages = int(open("/proc/self/statm").read().split()[0])
memory = pages * resource.getpagesize() + (int(sys.argv[1]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
seconds = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 1 + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from crnn_mindspore.errors import UserError
path = sys.argv[3]
try:
    {work}
except UserError as error:
    print("refused:", error)
else:
    print("read")
"""


def read_within(imports: str, work: str, path: Path, *, mebibytes: int, seconds: int) -> str:
    """`read`, or `refused: ` and why, of what reads a file at `path`.

    Args:
        imports: Lines; run before the limits are set.
        work: A statement.
        path: The file.
        mebibytes: Of memory beyond what the imports take.
        seconds: Of the processor, beyond what the imports take.

    Raises:
        AssertionError: If it crashes, raises anything else, or takes more.
    """
    program = _LIMITED.format(imports=imports, work=work)
    return last_line(program, mebibytes, seconds, path, cache=path.parent, seconds=120 + 20 * seconds)


def last_line(program: str, *arguments: object, cache: Path, seconds: float) -> str:
    """The last line that a Python program prints, run in the project's folder on one thread.

    Args:
        program: Its text.
        arguments: Of its command line.
        cache: The user's cache folder for it.
        seconds: After which it is given up.

    Raises:
        AssertionError: If it ends with another status than 0.
    """
    result = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        env={
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(cache),
        },
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    assert result.returncode == 0, (result.returncode, result.stderr[-3000:])
    return result.stdout.strip().splitlines()[-1]
