"""Engines that are compared, each in a process of its own: started once, then asked in turns.

A request is one line of JSON on the process's standard input, and so is its answer on a pipe of its own. Only
one engine works at a time; the others wait for their next line.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class Engine:
    """A process that answers requests.

    Args:
        name: For messages.
        command: What to start, without the interpreter.
        python: The interpreter.
        threads: Of every pool that the engine's libraries open.
    """

    def __init__(self, name: str, command: Sequence[str], python: str, threads: int) -> None:
        self.name = name
        # What the process writes on standard output that is no answer (a library's warning) must not be read
        # as one, so the answers go through a file descriptor of their own.
        read_end, write_end = os.pipe()
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [python, *command, "--answer_fd", str(write_end)],
            stdin=subprocess.PIPE,
            stdout=sys.stderr,
            text=True,
            pass_fds=(write_end,),
            env=environment,
            cwd=ROOT,
        )
        os.close(write_end)
        self._answers = os.fdopen(read_end, encoding="utf-8")

    def ask(self, request: str, **arguments: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer.

        Raises:
            SystemExit: If the process ends instead.
        """
        if self._process.stdin is None:
            raise RuntimeError("the engine has no standard input")
        self._process.stdin.write(json.dumps({"request": request, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._answers.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self._process.wait()} at request {request!r}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._answers.close()
        self._process.wait()


class Engines:
    """Several engines by name, closed together, with a folder through which arrays are handed over."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="crnn_benchmark_")
        self.folder = Path(self._folder.name)

    def __enter__(self) -> "Engines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for engine in self._engines.values():
            engine.close()
        self._folder.cleanup()

    def start(self, name: str, command: Sequence[str], python: str, threads: int) -> None:
        """Starts an engine."""
        self._engines[name] = Engine(name, command, python, threads)

    def __getitem__(self, name: str) -> Engine:
        return self._engines[name]

    @property
    def names(self) -> list[str]:
        """Of the engines, in the order in which they were started."""
        return list(self._engines)

    def in_turns(
        self, names: Sequence[str], request: str, repeats: int, **arguments: Any
    ) -> dict[str, list[float]]:
        """Asks these engines `repeats` times, in turns and in changing order; the answers' `seconds` by name.

        What else runs on the machine then slows all of them alike.
        """
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for repeat in range(repeats):
            for name in names if repeat % 2 == 0 else reversed(names):
                seconds[name].append(self._engines[name].ask(request, **arguments)["seconds"])
        return seconds


def serve(answer_fd: int, handlers: Mapping[str, Callable[..., dict[str, Any]]]) -> int:
    """The other side of `Engine`: answers requests with the handler of that name until the input ends."""
    with os.fdopen(answer_fd, "w", encoding="utf-8") as answers:
        for line in sys.stdin:
            message = json.loads(line)
            answer = handlers[message["request"]](**message["arguments"])
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    return 0


def torch_python(given: str) -> str:
    """The interpreter that has PyTorch: the given one, or this one; "" if there is none."""
    if given:
        return given
    return sys.executable if importlib.util.find_spec("torch") else ""


def paired_ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """Median over the turns of slower / faster; pairs are measured side by side, so drifts cancel."""
    return statistics.median(a / b for a, b in zip(slower, faster, strict=True))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def machine() -> str:
    """The processor as lscpu names it, its cores, and its vector instructions."""
    fields: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    flags = fields.get("flags", "").split()
    vectors = next((name for name in ("avx512f", "avx2") if name in flags), "no AVX2")
    return f"{fields.get('model name', 'unknown processor')}, {cores()} cores, {vectors}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as the README shows it."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
