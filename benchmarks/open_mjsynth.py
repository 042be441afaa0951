"""How long an annotation of MJSynth's size takes to open, and in how much memory.

    python benchmarks/open_mjsynth.py [--layout synth|lmdb] [--num_lines 8919273] [--folder DIR]

Writes an annotation of that many lines in the official form (no images), or a folder of two LMDBs with as
many labels (and images of 20 bytes, 1 GB in all), opens it for the first time and again, each in a fresh
process, and then in two processes at once. Memory is what the process holds at the
end: RSS counts the pages of the mapped index in every process, PSS shares them out.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from multiprocessing.connection import Connection

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import src  # noqa: F401 - makes the checkout's package importable

OFFICIAL_LINES = 8_919_273  # images of MJSynth, all three splits


def write_annotation(folder: str, num_lines: int, num_words: int = 88_172) -> str:
    """Writes `annotation_train.txt` and `lexicon.txt`, and returns the annotation's path."""
    words = [f"word{i:06d}" for i in range(num_words)]
    with open(os.path.join(folder, "lexicon.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{word}\n" for word in words)
    path = os.path.join(folder, "annotation_train.txt")
    with open(path, "w", encoding="utf-8") as file:
        for begin in range(0, num_lines, 100_000):
            lines = []
            for i in range(begin, min(begin + 100_000, num_lines)):
                k = i * 7919 % num_words
                lines.append(f"./{i // 3500}/{i // 500 % 7}/{i % 500}_{words[k]}_{k}.jpg {k}\n")
            file.writelines(lines)
    return path


def write_lmdbs(folder: str, num_samples: int, num_words: int = 88_172) -> None:
    """Writes two environments with half of the samples each."""
    from crnn_mindspore.data.readers.lmdb_io import LmdbWriter

    for part in range(2):
        with LmdbWriter(os.path.join(folder, f"part{part}")) as writer:
            for i in range(part, num_samples, 2):
                writer.add(b"x" * 20, f"word{i * 7919 % num_words:06d}")


def memory_mb(field: str) -> float:
    """A field of /proc/self/smaps_rollup (Rss, Pss, ...) in megabytes."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} in smaps_rollup")


def open_once(layout: str, folder: str, report: Connection, wait: bool) -> None:
    """Opens the data set as training does, makes an epoch's order, and sends seconds and memory."""
    from crnn_mindspore.data.loading.datasets import create_dataset
    from crnn_mindspore.data.loading.sampler import epoch_order
    from crnn_mindspore.data.preprocess import Preprocessing
    from crnn_mindspore.text.charset import Charset

    imported = memory_mb("Rss")
    start = time.perf_counter()
    dataset = create_dataset(
        layout, folder, split="train", codec=Charset(), preprocessing=Preprocessing(), max_text_length=23
    )
    opened = time.perf_counter() - start
    order = epoch_order(len(dataset), seed=0, epoch=0)
    sampled = [dataset.text(int(i)) + dataset.name(int(i)) for i in order[:1000]]
    if wait:  # until the other process has opened it too
        report.send("opened")
        report.recv()
    report.send((opened, len(dataset), imported, memory_mb("Rss"), memory_mb("Pss"), len(sampled)))


def run(title: str, layout: str, folder: str, processes: int) -> None:
    """Opens in so many fresh processes at once and prints a line for each."""
    context = multiprocessing.get_context("spawn")
    pipes, children = [], []
    for _ in range(processes):
        here, there = context.Pipe()
        child = context.Process(target=open_once, args=(layout, folder, there, processes > 1))
        child.start()
        pipes.append(here)
        children.append(child)
    if processes > 1:
        for pipe in pipes:
            pipe.recv()
        for pipe in pipes:
            pipe.send("go")
    for k, pipe in enumerate(pipes):
        seconds, samples, imported, rss, pss, _ = pipe.recv()
        print(
            f"{title}, process {k + 1}: {samples:,} samples in {seconds:.2f} s, "
            f"RSS {rss:.0f} MB (of it {imported:.0f} MB imports), PSS {pss:.0f} MB",
            flush=True,
        )
    for child in children:
        child.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--layout", choices=("synth", "lmdb"), default="synth")
    parser.add_argument("--num_lines", type=int, default=OFFICIAL_LINES)
    parser.add_argument("--folder", help="where to write; a temporary folder by default")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        if args.layout == "synth":
            path = write_annotation(folder, args.num_lines)
            print(f"{args.num_lines:,} lines, {os.path.getsize(path) / 2**20:.0f} MB", flush=True)
        else:
            write_lmdbs(folder, args.num_lines)
            print(f"{args.num_lines:,} samples in two LMDBs", flush=True)
        run("first opening", args.layout, folder, 1)
        run("second opening", args.layout, folder, 1)
        run("two at once", args.layout, folder, 2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
