"""Images a second of the renderer, in this process and in worker processes.

    python benchmarks/render_speed.py [--images 4000] [--workers 2] [--render_photos FOLDER]

With options of `crnn train`, such as a yaml, what is rendered is what that training would render. Prints a
table. Times are of the wall clock after a warm-up that loads the typefaces; an image is rendered with all
effects at difficulty 1 and not written.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from crnn_mindspore.artifacts.agreement import kind_in, model_of
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.synth.render import create_renderer
from crnn_mindspore.synth.render_loader import ImageRenderer
from crnn_mindspore.text.charset import Charset

_WARM_UP = 1000
_state: dict[str, ImageRenderer] = {}


def _start(renderer: ImageRenderer) -> None:
    cv2.setNumThreads(1)
    _state["renderer"] = renderer


def _render(span: range) -> int:
    for index in span:
        _state["renderer"].render(index)
    return len(span)


def _rate_of_workers(renderer: ImageRenderer, images: int, workers: int) -> float:
    with multiprocessing.get_context("spawn").Pool(workers, _start, (renderer,)) as pool:
        warm = [range(10**6 + i * _WARM_UP, 10**6 + (i + 1) * _WARM_UP) for i in range(workers)]
        pool.map(_render, warm, chunksize=1)
        start = time.perf_counter()
        done = sum(
            pool.imap_unordered(_render, [range(i, min(i + 64, images)) for i in range(0, images, 64)])
        )
        return done / (time.perf_counter() - start)


def renderer_of(training: list[str], seed: int = 0) -> tuple[ImageRenderer, Preprocessing]:
    """What options of `crnn train` would render, and at which size; English words without any."""
    if not training:
        return create_renderer(charset=Charset(), split="all", seed=seed), Preprocessing()
    options = load_options(TrainOptions, [f"--seed={seed}", *training])
    return kind_in(options).renderer(options), model_of(options).preprocessing


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--difficulty", type=float, default=1.0)
    parser.add_argument("--json", help="also write the figures to this file")
    args, training = parser.parse_known_args(argv)
    renderer, _ = renderer_of(training)
    _start(renderer)
    _render(range(10**6, 10**6 + _WARM_UP))
    start, busy = time.perf_counter(), time.process_time()
    pixels = 0
    for index in range(args.images):
        image, _ = renderer.render(index, args.difficulty)
        pixels += image.shape[0] * image.shape[1]
    wall, cpu = time.perf_counter() - start, time.process_time() - busy
    figures = {
        "images": args.images,
        "typefaces": int(renderer.facts["typefaces"]),
        "mean_pixels": pixels / args.images,
        "one_process": args.images / wall,
        "one_process_per_cpu_second": args.images / cpu,
        f"{args.workers}_workers": _rate_of_workers(renderer, args.images, args.workers),
    }
    for name, value in figures.items():
        print(f"{name:28} {value:10.0f}")
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
