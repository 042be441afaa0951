"""Nothing leaves the machine: traced where strace is there, else seen by what ONNX Runtime would queue."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STRACE = shutil.which("strace")
CRNN = [sys.executable, "-u", ROOT / "src" / "__main__.py"]
# Addresses that are asked, bound or connected to; what a system call takes, as strace prints it.
ADDRESS = re.compile(r"(\w+)\(.*\{sa_family=AF_(INET6?|NETLINK), (.*)")


@contextmanager
def traced(command: list[object], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with an empty home folder, and every address it names in `folder`/trace."""
    home = folder / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(home), "GLOG_v": "3"}
    environment.pop("XDG_CACHE_HOME", None)
    tracer = [STRACE, "-f", "-q", "-e", "trace=network", "-o", folder / "trace"] if STRACE else []
    with subprocess.Popen(
        [str(part) for part in [*tracer, *command]], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def assert_silent(folder: Path, port: str = "") -> None:
    """Asserts that no address was named but the service's own, and that nothing is queued to be sent."""
    queued = [p for p in (folder / "home").rglob("*") if re.search("microsoft|onnx", str(p), re.IGNORECASE)]
    assert not queued
    if not STRACE:
        return
    lines = (folder / "trace").read_text(encoding="utf-8", errors="replace").splitlines()
    named = [match for line in lines if (match := ADDRESS.search(line))]
    if port:  # the trace sees addresses at all
        assert any(match[1] == "getsockname" and f"htons({port})" in match[3] for match in named)
    for match in named:
        own = match[1] in ("bind", "accept", "accept4", "getsockname", "getpeername")
        assert own and "127.0.0.1" in match[3], match[0]
    lookups = [
        line for line in lines if "htons(53)" in line or "nscd" in line or "io.systemd.Resolve" in line
    ]
    assert not lookups


def test_reading_asks_nobody(tmp_path: Path) -> None:
    images = sorted((ROOT / "examples").glob("*.png"))
    with traced([*CRNN, "read", *images], tmp_path) as process:
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert images[0].name in out
    assert_silent(tmp_path)


@pytest.mark.slow
def test_the_service_speaks_with_its_clients_alone(tmp_path: Path) -> None:
    """For longer than the ten seconds after which ONNX Runtime's first report would go out."""
    with traced([*CRNN, "serve", "--port=0", "--checkpoint_path=pretrained"], tmp_path) as process:
        assert process.stdout is not None
        port = next(m[1] for line in process.stdout if (m := re.search(r"serving on http://.*:(\d+)", line)))
        image = next((ROOT / "examples").glob("*.png")).read_bytes()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/recognize", image)
        request.add_header("Content-Type", "image/png")
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200
        time.sleep(12)
        _end_with_children(process)
        assert process.wait(60) == 0
    assert_silent(tmp_path, port)


def _end_with_children(process: subprocess.Popen[str]) -> None:
    """SIGTERM to the service, which under strace is a child of the process."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    os.kill(int(children[0]) if STRACE else process.pid, signal.SIGTERM)


def test_nothing_imports_onnx_runtime_but_through_its_door() -> None:
    direct = re.compile(r"^\s*(import|from) onnxruntime", re.MULTILINE)
    for folder in ("src", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not direct.search(path.read_text(encoding="utf-8")), path
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, src; from crnn_mindspore.engines.onnx_runtime import import_onnx_runtime as f;"
            "name = 'ORT_DISABLE_TELEMETRY'; assert name not in os.environ; f(); print(os.environ[name])",
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == "1\n", found.stderr
