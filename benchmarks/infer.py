"""Reading speed: MindSpore, ONNX Runtime in each precision and PyTorch, the same weights, in words a second.

    python benchmarks/infer.py [--torch_python /path/to/python] [--checkpoint_path F.ckpt] [--images FOLDER]

int8 is calibrated on rendered words. Measured at batch 1 and 64: the network only, and everything from
encoded image bytes to text. Each engine runs in a process of its own, in turns. PyTorch reads with the
preprocessing and decoder of the others, for which its interpreter needs OpenCV and Pillow; without them it is
measured on the network only.
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import Engines, cores, machine, markdown_table, paired_ratio, serve, torch_python

MINDSPORE, ONNX, TORCH_LAST, TORCH_PLAIN = (
    "MindSpore",
    "ONNX Runtime",
    "PyTorch, channels-last",
    "PyTorch, plain",
)
ONNX_PRECISIONS = {ONNX: "fp32", f"{ONNX}, fp16": "fp16", f"{ONNX}, int8": "int8"}
CALIBRATION_WORDS = 128
TASKS = {"network": "network only", "read": "bytes to text"}
ENDINGS = (".jpg", ".jpeg", ".png")


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    args = _parse(argv)
    if args.engine:
        return _run_engine(args)
    python = torch_python(args.torch_python)
    started = dict.fromkeys([MINDSPORE, *ONNX_PRECISIONS], sys.executable)
    if python:
        started |= {TORCH_LAST: python, TORCH_PLAIN: python}
    else:
        print("PyTorch is not installed here and --torch_python is not given: it is left out")
    with Engines() as engines:
        _write_images(engines.folder, args.images, args.words)
        can_read = []
        for name, interpreter in started.items():
            engines.start(name, _command(args, name, engines.folder), interpreter, args.threads)
            if engines[name].ask("prepare")["can_read"]:
                can_read.append(name)
        result = _compare(engines, can_read, args)
    _print(result)
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=2), encoding="utf-8")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint_path", default="", help="weights and sizes; without it, random weights")
    parser.add_argument("--model_version", choices=("V1", "V2"), default="V2")
    parser.add_argument("--channel_scale", type=float, default=1.0)
    parser.add_argument("--hidden_size", type=int, default=256)
    parser.add_argument("--images", default="", help="folder of word images; without it, words are rendered")
    parser.add_argument("--words", type=int, default=128, help="images read in a turn")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--tasks", choices=tuple(TASKS), nargs="+", default=list(TASKS), help="what is timed")
    parser.add_argument("--repeats", type=int, default=9, help="turns of every engine")
    parser.add_argument("--threads", type=int, default=0, help="of every engine; 0: the cores")
    parser.add_argument("--torch_python", default="", help="interpreter that has torch, if this one has not")
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument("--engine", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    parser.add_argument("--answer_fd", type=int, default=-1, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    args.threads = args.threads or cores()
    return args


def _command(args: argparse.Namespace, engine: str, folder: Path) -> list[str]:
    names = ("checkpoint_path", "model_version", "channel_scale", "hidden_size", "threads")
    options = [f"--{name}={getattr(args, name)}" for name in names]
    return [str(Path(__file__).resolve()), f"--engine={engine}", f"--folder={folder}", *options]


def _write_images(folder: Path, source: str, count: int) -> None:
    """Puts `count` encoded images into the folder, from a folder of the user's or rendered."""
    target = folder / "images"
    target.mkdir()
    if source:
        paths = sorted(p for p in Path(source).rglob("*") if p.suffix.lower() in ENDINGS)
        if not paths:
            raise SystemExit(f"no images in {source}")
        for number, path in zip(range(count), itertools.cycle(paths)):
            (target / f"{number:05d}").write_bytes(path.read_bytes())
        return
    import cv2

    from crnn_mindspore.synth.render import create_renderer
    from crnn_mindspore.text.charset import Charset

    renderer = create_renderer(charset=Charset(), split="all")
    for number in range(count):
        image, _ = renderer.render(number)
        (target / f"{number:05d}").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())


def _compare(engines: Engines, can_read: list[str], args: argparse.Namespace) -> dict[str, Any]:
    logits = {}
    for name in engines.names:
        path = engines.folder / f"{name}.npy"
        engines[name].ask("logits", path=str(path))
        logits[name] = np.load(path)
    rows = []
    for task, batch_size in itertools.product(args.tasks, args.batch_sizes):
        names = can_read if task == "read" else engines.names
        engines.in_turns(names, task, 1, batch_size=batch_size)  # warm-up
        seconds = engines.in_turns(names, task, args.repeats, batch_size=batch_size)
        best = min(
            (name for name in names if name in (TORCH_LAST, TORCH_PLAIN)),
            key=lambda name: statistics.median(seconds[name]),
            default=None,
        )
        for name in names:
            rows.append(
                {
                    "task": task,
                    "batch_size": batch_size,
                    "engine": name,
                    "words_per_second": args.words / statistics.median(seconds[name]),
                    "ratio_to_fp32": paired_ratio(seconds[ONNX], seconds[name]),
                    "ratio_to_best_pytorch": paired_ratio(seconds[best], seconds[name]) if best else None,
                }
            )
    return {
        "machine": machine(),
        "network": args.checkpoint_path
        or f"{args.model_version}, channel scale {args.channel_scale:g}, hidden {args.hidden_size}",
        "threads": args.threads,
        "rows": rows,
        "logits_max_difference": {
            name: float(np.abs(values - logits[MINDSPORE]).max()) for name, values in logits.items()
        },
    }


def _print(result: dict[str, Any]) -> None:
    print(f"{result['network']}; {result['threads']} threads; {result['machine']}\n")
    rows = []
    for row in result["rows"]:
        ratio = row["ratio_to_best_pytorch"]
        rows.append(
            [
                TASKS[row["task"]],
                str(row["batch_size"]),
                row["engine"],
                f"{row['words_per_second']:.0f}",
                f"{row['ratio_to_fp32']:.2f}",
                "" if ratio is None else f"{ratio:.2f}",
            ]
        )
    print(
        markdown_table(
            ["what", "batch", "engine", "words/s", "ratio to fp32", "ratio to PyTorch's best"], rows
        )
    )
    for name, difference in result["logits_max_difference"].items():
        if name != MINDSPORE:
            print(f"logits, {name} against MindSpore: max |difference| {difference:.1e}")


@dataclass
class TorchBackend:
    """The PyTorch network as `crnn_mindspore.reading.recognizer.Recognizer` uses an engine."""

    network: Any
    layout: Any
    artifact: Any
    name: str = "PyTorch"

    def forward(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Images (N, 3, H, W) -> logits (T, N, C)."""
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(images).contiguous(memory_format=self.layout)
            logits: npt.NDArray[np.float32] = self.network(x).numpy()
        return logits


def _run_engine(args: argparse.Namespace) -> int:
    folder = Path(args.folder)
    images = [path.read_bytes() for path in sorted((folder / "images").iterdir())]
    prepared: dict[str, Any] = {}
    rng = np.random.default_rng(1)

    def prepare() -> dict[str, Any]:
        if args.engine == MINDSPORE:
            prepared["backend"] = _create_mindspore(args, folder)
        elif args.engine in ONNX_PRECISIONS:
            from crnn_mindspore.engines.backend import open_backend

            prepared["backend"] = open_backend(str(folder / f"{ONNX_PRECISIONS[args.engine]}.onnx"))
        else:
            prepared["backend"] = _create_torch(args, folder)
        prepared["inputs"] = rng.uniform(-1, 1, (64, 3, *_size(folder))).astype(np.float32)
        return {"can_read": prepared["backend"].artifact is not None}

    def logits(path: str) -> dict[str, Any]:
        np.save(path, prepared["backend"].forward(prepared["inputs"]))
        return {}

    def network(batch_size: int) -> dict[str, Any]:
        forward = prepared["backend"].forward
        batch = np.resize(prepared["inputs"], (batch_size, *prepared["inputs"].shape[1:]))
        rest = len(images) % batch_size
        start = time.perf_counter()
        for _ in range(len(images) // batch_size):
            forward(batch)
        if rest:
            forward(batch[:rest])
        return {"seconds": time.perf_counter() - start}

    def read(batch_size: int) -> dict[str, Any]:
        from crnn_mindspore.reading.recognizer import Recognizer

        recognizer = Recognizer(prepared["backend"], batch_size)
        start = time.perf_counter()
        recognizer(images)
        return {"seconds": time.perf_counter() - start}

    return serve(args.answer_fd, {"prepare": prepare, "logits": logits, "network": network, "read": read})


def _size(folder: Path) -> tuple[int, int]:
    """Height and width of the network's input."""
    values = json.loads((folder / "artifact.json").read_text(encoding="utf-8"))["preprocessing"]
    return values["height"], values["width"]


def _create_mindspore(args: argparse.Namespace, folder: Path) -> Any:
    """The network from the checkpoint or with random weights; written to the folder for the others."""
    from crnn_mindspore.engines.mindspore.runtime import initialize

    initialize("CPU")
    import mindspore as ms

    from crnn_mindspore.artifacts.artifact import Artifact
    from crnn_mindspore.data.preprocess import Preprocessing
    from crnn_mindspore.engines.backend import open_backend
    from crnn_mindspore.engines.mindspore.network_backend import evaluation_backend
    from crnn_mindspore.engines.mindspore.parameters import network_weights
    from crnn_mindspore.exporting.export import export_model
    from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
    from crnn_mindspore.text.charset import Charset

    if args.checkpoint_path:
        backend: Any = open_backend(args.checkpoint_path)
    else:
        ms.set_seed(1)
        spec = NetworkSpec(args.model_version, args.hidden_size, args.channel_scale)
        backend = evaluation_backend(Artifact(Charset(), Preprocessing(), spec))
    np.savez(folder / "weights.npz", **network_weights(backend.network))
    (folder / "artifact.json").write_text(backend.artifact.to_json(), encoding="utf-8")
    for precision in ONNX_PRECISIONS.values():
        images = [_rendered_images(backend.artifact)] if precision == "int8" else []
        export_model(backend, str(folder / f"{precision}.onnx"), "ONNX", "CPU", precision, images)
    return backend


def _rendered_images(artifact: Any) -> npt.NDArray[np.float32]:
    """Rendered words to calibrate on, (N, 3, H, W); none of them is measured."""
    from crnn_mindspore.data.preprocess import preprocess
    from crnn_mindspore.synth.render import create_renderer

    renderer = create_renderer(charset=artifact.codec, split="all", seed=1)  # `_write_images` takes 0
    words = [renderer.render(number)[0] for number in range(CALIBRATION_WORDS)]
    p = replace(artifact.preprocessing, width_step=0)  # all of one width
    return np.stack([preprocess(image, p) for image in words])


def _create_torch(args: argparse.Namespace, folder: Path) -> TorchBackend:
    import torch

    from benchmarks.torch_twin import from_weights

    torch.set_num_threads(args.threads)
    layout = torch.channels_last if args.engine == TORCH_LAST else torch.contiguous_format
    network = from_weights(np.load(folder / "weights.npz")).to(memory_format=layout).eval()
    try:
        from crnn_mindspore.artifacts.artifact import Artifact

        path = folder / "artifact.json"
        artifact = Artifact.from_json(path.read_text(encoding="utf-8"), str(path))
    except ImportError as error:
        print(f"PyTorch's interpreter has no {error.name}: measured on the network only", file=sys.stderr)
        artifact = None
    return TorchBackend(network, layout, artifact)


if __name__ == "__main__":
    sys.exit(main())
