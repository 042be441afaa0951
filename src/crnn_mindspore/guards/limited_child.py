"""A function in a process of its own that may take so much memory and time, and may crash.

For libraries that were not written for files of unknown origin.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import parse_json

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import {function} as run; {start}"
)
_ERROR, _VALUE = "error", "value"
_FAILED = 3
_AT_ONCE = 2**20  # bytes
_GRACE = 30  # seconds that the process may wait for others beyond its own


def run_limited(
    function: Callable[[str], Any], argument: str, *, memory: int, seconds: int, most_output: int
) -> Any:
    """What a function of a module gives for a text, as JSON holds it.

    Args:
        function: Found by its module and name.
        argument: Given to it.
        memory: Bytes of address space that the process may have.
        seconds: Of the processor.
        most_output: Bytes of the result as JSON.

    Raises:
        UserError: The one that the function raises; or if it raises another exception, crashes, or takes more
            than it may. The message has no name in it.
    """
    start = f"from {__name__} import serve; serve(run)"
    code = _START.format(module=function.__module__, function=function.__name__, start=start)
    limits = json.dumps([argument, memory, seconds])
    # This package first, wherever the parent has it from.
    path = [str(Path(__file__).resolve().parents[2]), *sys.path]
    command = [sys.executable, "-P", "-c", code, json.dumps(path), limits]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None
        output = bytearray()
        while len(output) <= most_output and (part := process.stdout.read(_AT_ONCE)):
            output += part
        if len(output) > most_output:
            process.kill()
            raise UserError(f"more than {most_output:,} bytes would come of it")
        try:
            status = process.wait(seconds + _GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            status = -1
    if status not in (0, _FAILED):
        raise UserError(
            "the process that was to read it has crashed, or taken more time than it may: damaged"
        )
    answer = parse_json(bytes(output))
    if _ERROR in answer:
        raise UserError(str(answer[_ERROR]))
    return answer[_VALUE]


def serve(function: Callable[[str], Any]) -> None:
    """The process's own part: sets the limits, calls the function and prints what it gives."""
    argument, memory, seconds = json.loads(sys.argv[2])
    try:
        limits = importlib.import_module("resource")
        for kind, most in ((limits.RLIMIT_AS, memory), (limits.RLIMIT_CPU, seconds), (limits.RLIMIT_CORE, 0)):
            _, given = limits.getrlimit(kind)  # above that of its parent it may not go
            allowed = most if given == limits.RLIM_INFINITY else min(most, given)
            limits.setrlimit(kind, (allowed, allowed))
    except ModuleNotFoundError:
        pass  # Windows has no such limits
    try:
        answer = {_VALUE: function(argument)}
    except MemoryError:
        answer = {_ERROR: f"needs more than {memory:,} bytes of memory"}
    except Exception as error:  # of a library that was given what it does not expect
        answer = {_ERROR: str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"}
    sys.stdout.buffer.write(json.dumps(answer).encode())
    sys.stdout.flush()
    sys.exit(_FAILED if _ERROR in answer else 0)
