"""The HTTP service under load: many clients at a time beside one request at a time, errors, and memory.

    python benchmarks/serve.py --images FOLDER [--checkpoint_path F] [--clients 32] [--seconds 60]

A real server process on the loopback interface. One client first asks for one image after the other, then all
clients ask at the same time, each over its own connection, then one client again. The clients share the
machine's cores with the server. Every answer must have status 200 and the same text in all three parts.
"""

import argparse
import http.client
import itertools
import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import ROOT, machine, markdown_table
from crnn_mindspore.data.image_formats import IMAGE_SUFFIXES

SAMPLE_SECONDS = 10


@dataclass
class Load:
    """What the clients of one part found.

    Attributes:
        seconds: Of each answer.
        texts: Image -> its texts; one, if the service is sound.
        errors: Answers without status 200, and connections lost.
        wall: Seconds of the whole part.
    """

    seconds: list[float] = field(default_factory=list)
    texts: dict[str, set[str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    wall: float = 0.0

    @property
    def rate(self) -> float:
        """Images a second."""
        return len(self.seconds) / self.wall


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 if an answer was wrong or missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", required=True, help="folder with word images")
    parser.add_argument("--checkpoint_path", default="", help="the project's weights by default")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--alone_seconds", type=float, default=15, help="of each part with one client")
    args = parser.parse_args(argv)
    images = images_in(args.images)
    if not images:
        parser.error(f"{args.images}: no image in this folder")
    with server(args.checkpoint_path) as (pid, port):
        before = resident_mb(pid)
        alone = [ask_for(port, images, 1, args.alone_seconds)]
        memory = [resident_mb(pid)]
        earlier = batches(port)
        with sampled(pid, memory):
            crowd = ask_for(port, images, args.clients, args.seconds)
        count, total = (now - then for now, then in zip(batches(port), earlier, strict=True))
        alone.append(ask_for(port, images, 1, args.alone_seconds))
        after = resident_mb(pid)
    return report(args.clients, alone, crowd, total / count, [before, *memory, after])


def images_in(folder: str) -> dict[str, bytes]:
    """Path -> content of the images of a folder and those below it."""
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    return {str(path): path.read_bytes() for path in paths}


@contextmanager
def server(checkpoint_path: str) -> Iterator[tuple[int, int]]:
    """Process id and port of a service; it must end with status 0."""
    command = [
        sys.executable,
        "-u",
        str(ROOT / "src" / "__main__.py"),
        "serve",
        "--port=0",
        f"--checkpoint_path={checkpoint_path}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        raise RuntimeError("the server has no standard output")
    matches = (re.search(r"serving on http://.*:(\d+)", line) for line in process.stdout)
    port = next((int(match[1]) for match in matches if match), None)
    if port is None:
        raise SystemExit(f"the server ended with status {process.wait()}")
    try:
        yield process.pid, port
    finally:
        process.terminate()
        status = process.wait()
        process.stdout.close()
    if status:
        raise SystemExit(f"the server ended with status {status}")


def ask_for(port: int, images: Mapping[str, bytes], clients: int, seconds: float) -> Load:
    """Lets clients ask for the images in turn for some seconds."""
    load, lock = Load(), threading.Lock()
    names = itertools.cycle(images)
    start = time.perf_counter()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.perf_counter() - start < seconds:
            with lock:
                name = next(names)
            began = time.perf_counter()
            try:
                connection.request("POST", "/recognize", images[name], {"Content-Type": "image/jpeg"})
                answer = connection.getresponse()
                content = answer.read()
            except OSError as error:
                load.errors.append(repr(error))
                continue
            if answer.status != http.client.OK:
                load.errors.append(f"{answer.status} {content[:100]!r}")
                continue
            load.seconds.append(time.perf_counter() - began)
            with lock:
                load.texts.setdefault(name, set()).add(json.loads(content)["results"][0]["text"])
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.wall = time.perf_counter() - start
    return load


@contextmanager
def sampled(pid: int, memory: list[float]) -> Iterator[None]:
    """Appends the memory of a process every ten seconds."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(SAMPLE_SECONDS):
            memory.append(resident_mb(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def resident_mb(pid: int) -> float:
    """Memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def batches(port: int) -> tuple[float, float]:
    """How many batches the model has read, and how many images in all."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = {kind: float(n) for kind, n in re.findall(r"crnn_batch_images_(sum|count) (\S+)", text)}
    return found["count"], found["sum"]


def report(clients: int, alone: list[Load], crowd: Load, mean_batch: float, memory: list[float]) -> int:
    """Prints the figures; 1 if an answer was wrong or missing."""
    parts = [("1, before", alone[0]), (str(clients), crowd), ("1, after", alone[1])]
    texts: dict[str, set[str]] = {}
    for _, load in parts:
        for name, found in load.texts.items():
            texts.setdefault(name, set()).update(found)
    errors = [error for _, load in parts for error in load.errors]
    differing = sum(len(found) > 1 for found in texts.values())
    print(machine(), end="\n\n")
    rows = []
    for name, load in parts:
        percentiles = statistics.quantiles(load.seconds, n=100)
        times = [f"{1000 * percentiles[p - 1]:.1f}" for p in (50, 99)]
        rows.append([name, f"{len(load.seconds):,}", f"{load.rate:.0f}", *times])
    print(markdown_table(["clients", "images", "images/s", "median, ms", "99 %, ms"], rows))
    ratio = crowd.rate / statistics.mean(load.rate for load in alone)
    print(f"\n{clients} clients beside one: {ratio:.2f} times the images a second")
    print(f"images a batch with {clients} clients: {mean_batch:.1f}")
    print(f"memory, MiB: {', '.join(f'{m:.0f}' for m in memory)} (start, one client, every 10 s, end)")
    print(f"errors: {len(errors)}; images with different texts: {differing} of {len(texts):,}")
    for error in errors[:5]:
        print(f"  {error}")
    return 1 if errors or differing else 0


if __name__ == "__main__":
    sys.exit(main())
