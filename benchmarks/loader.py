"""Images a second of the training loader, beside a bare loop over OpenCV in the same run.

    python benchmarks/loader.py [--num_images 20000] [--batch_size 64] [--repeats 5] [--folder DIR]

Draws words in the size and compression of MJSynth, writes them in its layout and as LMDB, and reads each as
training does: whole shuffled epochs, files in the page cache. The bare loop reads the same bytes in the same
order and does nothing but decode, resize, normalise and transpose into a batch, on one thread. The runs are
interleaved; the figures are medians.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import cv2
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.data.converting.copying import copy_samples
from crnn_mindspore.data.converting.word_output import LmdbOutput
from crnn_mindspore.data.loading.datasets import create_dataset
from crnn_mindspore.data.loading.loader import TrainLoader
from crnn_mindspore.data.loading.sampler import epoch_order
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.text.charset import Charset


def write_words(folder: str, count: int) -> None:
    """Draws `count` words, 31 pixels high, as JPEGs of about 1.5 to 2.5 kB, in MJSynth's layout."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, rng.integers(3, 13))) for _ in range(2000)]
    lines = []
    for i in range(count):
        k = i % len(words)
        width = 24 + 11 * len(words[k])
        image = np.full((31, width, 3), rng.integers(120, 255, 3), dtype=np.uint8)
        colour = tuple(int(v) for v in rng.integers(0, 100, 3))
        cv2.putText(image, words[k], (5, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 1, cv2.LINE_AA)
        noisy = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
        name = f"{i // 1000}/1/{i % 1000}_{words[k]}_{k}.jpg"
        os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
        cv2.imwrite(os.path.join(folder, name), noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])
        lines.append(f"./{name} {k}\n")
    with open(os.path.join(folder, "lexicon.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{word}\n" for word in words)
    with open(os.path.join(folder, "annotation_train.txt"), "w", encoding="utf-8") as file:
        file.writelines(lines)


def bare_loop(read: Callable[[int], bytes], order: list[int], batch_size: int) -> int:
    """Decode, resize, normalise, transpose and nothing else; returns the number of images."""
    batch = np.empty((batch_size, 3, 32, 100), dtype=np.float32)
    for n, i in enumerate(order):
        image = cv2.imdecode(np.frombuffer(read(i), dtype=np.uint8), cv2.IMREAD_COLOR)
        image = cv2.resize(image, (100, 32))
        batch[n % batch_size] = ((image.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)
    return len(order)


def read_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def one_epoch(dataset: WordDataset, batch_size: int, num_workers: int) -> int:
    """Reads an epoch; returns the number of images."""
    return sum(
        len(batch) for batch in TrainLoader(dataset, batch_size, 0, num_workers=num_workers).batches(0)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--num_images", type=int, default=20_000)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", help="where to write; a temporary folder by default")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        write_words(folder, args.num_images)
        with LmdbOutput(os.path.join(folder, "lmdb")) as output:
            copy_samples(load_samples("synth", folder, split="train"), output)
        sets = {
            name: create_dataset(name, path, split="train", codec=Charset(), preprocessing=Preprocessing())
            for name, path in (("synth", folder), ("lmdb", os.path.join(folder, "lmdb")))
        }
        order = epoch_order(args.num_images, seed=0, epoch=0).tolist()
        files = [sets["synth"].name(i) for i in range(args.num_images)]
        lmdb = sets["lmdb"].source
        runs: dict[str, Callable[[], int]] = {
            "bare cv2 loop, files": lambda: bare_loop(lambda i: read_file(files[i]), order, args.batch_size),
            "bare cv2 loop, lmdb": lambda: bare_loop(lmdb.image_bytes, order, args.batch_size),
        }
        for name, dataset in sets.items():
            for workers in (0, 1, 2, 4):
                runs[f"loader, {name}, {workers} workers"] = lambda d=dataset, w=workers: one_epoch(
                    d, args.batch_size, w
                )
        rates: dict[str, list[float]] = {title: [] for title in runs}
        for _ in range(args.repeats):
            for title, run in runs.items():
                start = time.perf_counter()
                images = run()
                rates[title].append(images / (time.perf_counter() - start))
    medians = {title: statistics.median(values) for title, values in rates.items()}
    for title, rate in medians.items():
        bare = medians["bare cv2 loop, lmdb" if "lmdb" in title else "bare cv2 loop, files"]
        print(f"{title:28s} {rate:9,.0f} images/s   {rate / bare:5.2f} of the bare loop")
    return 0


if __name__ == "__main__":
    sys.exit(main())
