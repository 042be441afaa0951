"""Images a second of the renderer, in this process and in worker processes.

    python benchmarks/render_speed.py [--images 4000] [--workers 2] [--effects FILE] [--photos FOLDER]

Prints a table. Times are of the wall clock after a warm-up that loads the typefaces; an image is rendered
with all effects at difficulty 1 and not written.
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
from crnn_mindspore.synth.render import Renderer, create_renderer
from crnn_mindspore.text.charset import Charset

_WARM_UP = 1000
_state: dict[str, Renderer] = {}


def _start(renderer: Renderer) -> None:
    cv2.setNumThreads(1)
    _state["renderer"] = renderer


def _render(span: range) -> int:
    for index in span:
        _state["renderer"].render(index)
    return len(span)


def _rate_of_workers(renderer: Renderer, images: int, workers: int) -> float:
    with multiprocessing.get_context("spawn").Pool(workers, _start, (renderer,)) as pool:
        warm = [range(10**6 + i * _WARM_UP, 10**6 + (i + 1) * _WARM_UP) for i in range(workers)]
        pool.map(_render, warm, chunksize=1)
        start = time.perf_counter()
        done = sum(
            pool.imap_unordered(_render, [range(i, min(i + 64, images)) for i in range(0, images, 64)])
        )
        return done / (time.perf_counter() - start)


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--difficulty", type=float, default=1.0)
    parser.add_argument("--effects", help="yaml laid over configs/effects.yaml")
    parser.add_argument("--photos", help="folder of photographs that are blended into the words")
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args(argv)
    renderer = create_renderer(
        charset=Charset(), split="all", effects_file=args.effects, photo_dir=args.photos
    )
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
        "typefaces": len(renderer.fonts.faces),
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
