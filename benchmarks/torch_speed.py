"""Images a second of training: `crnn train` and the training in PyTorch, alone and beside a renderer.

    python benchmarks/torch_speed.py [--networks V2 paper resnet18 character_net] [--repeats 5]
        [--torch_python /path/to/python] [OPTIONS OF crnn train, such as --channel_scale=0.5]

One update of each engine on one batch of rendered images: forward, loss, backward, clipping, Adam, averaged
weights. All begin with the same weights; losses of the first updates say whether it is the same computation.
The engines are measured in turns, first alone, then while a process renders images of the same task as fast
as it can. MindSpore's CPU backend has no convolution, LSTM or dense layer in bfloat16.
"""

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import Engines, cores, machine, markdown_table, serve, torch_python
from benchmarks.training_engines import CLOCKS, OURS, Prepared, run_engine
from crnn_mindspore.artifacts.agreement import model_of
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import normalize
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.synth.render_loader import Ramp, render_images

NETWORKS = {
    "V2": ("--model_version=V2",),
    "paper": ("--model_version=paper", "--image_colours=GREY"),
    "resnet18": ("--task=plates",),
    # Dropout draws other numbers in every engine.
    "character_net": ("--task=characters", "--model_version=character_net", "--use_dropout=False"),
}
PRECISIONS = ("float32", "bfloat16")
RENDERER = "renderer"
LEARNING_RATE, CLIP_NORM, EMA_DECAY = 0.001, 5.0, 0.9995
_CHUNK = 16  # images rendered before the renderer looks whether it may go on


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    args, given = _parse(argv)
    if args.engine == RENDERER:
        return _render(args, given)
    if args.engine:
        return run_engine(args, lambda args: _created(args, given))
    turns = f"{args.repeats} turns of {args.steps} updates, {args.clock} clock"
    print(f"batch {args.batch_size}, {args.threads} threads, {turns}; {machine()}\n")
    header = [
        "network",
        "engine",
        "images/s",
        "range",
        "beside a renderer",
        "range",
        "rendered/s",
        "first losses",
    ]
    print(markdown_table(header, []), flush=True)
    results: list[dict[str, Any]] = []
    for network in args.networks:
        results.append(_measured(network, args, given))
        for row in _rows(results[-1]):
            print("| " + " | ".join(row) + " |", flush=True)
        if args.json:
            figures = {"machine": machine(), "results": results}
            Path(args.json).write_text(json.dumps(figures, indent=2), encoding="utf-8")
    return 0


def _parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--networks", nargs="+", choices=tuple(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5, help="turns of every engine")
    parser.add_argument("--steps", type=int, default=2, help="updates in a turn")
    parser.add_argument("--threads", type=int, default=0, help="of every engine; 0: the cores")
    parser.add_argument("--torch_python", default="", help="interpreter that has torch, if this one has not")
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument(
        "--clock",
        choices=tuple(CLOCKS),
        default="wall",
        help="cpu: processor time of all threads, for a machine that others use too; with --threads=1",
    )
    parser.add_argument("--engine", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    parser.add_argument("--answer_fd", type=int, default=-1, help=argparse.SUPPRESS)
    args, given = parser.parse_known_args(argv)
    args.threads = args.threads or cores()
    return args, given


def _described(network: str, given: Sequence[str]) -> tuple[TrainOptions, Artifact]:
    chosen = [*NETWORKS[network], "--train_dataset=render", *given]
    options = load_options(TrainOptions, chosen, "torch_speed", "")
    return options, model_of(options)


def _measured(network: str, args: argparse.Namespace, given: Sequence[str]) -> dict[str, Any]:
    """Images a second of every engine, alone and beside the renderer, and what that rendered."""
    python = torch_python(args.torch_python)
    fixed = [f"--{name}={getattr(args, name)}" for name in ("batch_size", "steps", "threads", "clock")]
    with Engines() as engines:

        def start(name: str, kind: str, interpreter: str) -> None:
            own = [f"--engine={kind}", f"--folder={engines.folder}", f"--networks={network}", *fixed, *given]
            engines.start(name, [str(Path(__file__).resolve()), *own], interpreter, args.threads)

        start(RENDERER, RENDERER, sys.executable)
        engines[RENDERER].ask("write_batch")
        names = [OURS, *(f"PyTorch {precision}" for precision in PRECISIONS if python)]
        losses = {}
        for name in names:
            start(name, name.removeprefix("PyTorch ").lower(), sys.executable if name == OURS else python)
            engines[name].ask("prepare")
            losses[name] = engines[name].ask("first_losses")["losses"]
        alone, _ = _in_turns(engines, names, args)
        engines[RENDERER].ask("go")
        beside, rendered = _in_turns(engines, names, args)
        engines[RENDERER].ask("rest")
    return {"network": network, "alone": alone, "beside": beside, "rendered": rendered, "losses": losses}


def _in_turns(
    engines: Engines, names: Sequence[str], args: argparse.Namespace
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Images a second that each engine trains in each of its turns, and that are rendered meanwhile."""
    trained: dict[str, list[float]] = {name: [] for name in names}
    rendered: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(args.repeats):
        for name in names if repeat % 2 == 0 else reversed(names):
            before, begin = engines[RENDERER].ask("count")["images"], time.perf_counter()
            trained[name].append(args.batch_size / engines[name].ask("train")["seconds"])
            count = engines[RENDERER].ask("count")["images"] - before
            rendered[name].append(count / (time.perf_counter() - begin))
    return trained, rendered


def _rows(result: dict[str, Any]) -> list[list[str]]:
    rows = []
    for name, alone in result["alone"].items():
        beside, losses = result["beside"][name], result["losses"][name]
        rows.append(
            [
                *(result["network"], name if name != OURS else f"{OURS} float32"),
                *(f"{statistics.median(alone):.1f}", f"{min(alone):.1f} to {max(alone):.1f}"),
                *(f"{statistics.median(beside):.1f}", f"{min(beside):.1f} to {max(beside):.1f}"),
                f"{statistics.median(result['rendered'][name]):.0f}",
                " ".join(f"{loss:.3f}" for loss in losses),
            ]
        )
    return rows


def _render(args: argparse.Namespace, given: Sequence[str]) -> int:
    """Answers: writes a batch; renders in a thread from `go` to `rest`; `count` says how many so far."""
    import cv2

    from benchmarks.twin.worker import Targets

    cv2.setNumThreads(1)
    options, artifact = _described(args.networks[0], given)
    renderer: Any = artifact.kind.renderer(options)
    may_render, is_over = threading.Event(), threading.Event()
    images = 0

    def write_batch() -> dict[str, Any]:
        pixels, texts = render_images(renderer, artifact.preprocessing, Ramp(), 0, args.batch_size)
        targets, lengths = Targets(artifact.codec, artifact.kind.score_shape(artifact)[0])(texts)
        scaled = normalize(pixels, artifact.preprocessing)
        np.savez(Path(args.folder) / "batch.npz", images=scaled, targets=targets, lengths=lengths)
        return {}

    def work() -> None:
        nonlocal images
        while may_render.wait() and not is_over.is_set():
            render_images(renderer, artifact.preprocessing, Ramp(), args.batch_size + images, _CHUNK)
            images += _CHUNK

    def go() -> dict[str, Any]:
        may_render.set()
        return {}

    def rest() -> dict[str, Any]:
        may_render.clear()
        return {}

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    handlers = {"write_batch": write_batch, "go": go, "rest": rest, "count": lambda: {"images": images}}
    status = serve(args.answer_fd, handlers)
    is_over.set()
    may_render.set()
    thread.join()
    return status


def _created(args: argparse.Namespace, given: Sequence[str]) -> Prepared:
    create = _mindspore_engine if args.engine == OURS.lower() else _torch_engine
    return create(args, *_described(args.networks[0], given))


def _batch(args: argparse.Namespace) -> list[Any]:
    batch = np.load(Path(args.folder) / "batch.npz")
    return [batch[name] for name in ("images", "targets", "lengths")]


def _mindspore_engine(args: argparse.Namespace, options: TrainOptions, artifact: Artifact) -> Prepared:
    from crnn_mindspore.engines.mindspore.runtime import initialize

    initialize("CPU")
    import mindspore as ms

    from crnn_mindspore.engines.mindspore.parameters import network_weights
    from crnn_mindspore.training.updates.optimizers import create_optimizer, set_learning_rate
    from crnn_mindspore.training.updates.step import CRNNForTrain, WeightAverage

    ms.set_seed(1)
    learner = artifact.kind.learner()
    network = learner.create_network(artifact, use_dropout=False).set_train(True)
    np.savez(Path(args.folder) / "weights.npz", **network_weights(network))
    optimizer = create_optimizer("adam", network.trainable_params())
    loss, unread = learner.create_loss(artifact, options), learner.create_unread(artifact)
    run_step = CRNNForTrain(network, loss, unread, optimizer, CLIP_NORM)
    average = WeightAverage(list(network.get_parameters()), EMA_DECAY)
    batch, count = _batch(args), 0

    def step() -> float:
        nonlocal count
        set_learning_rate(optimizer, LEARNING_RATE)
        value = float(run_step(*map(ms.Tensor, batch))[0].asnumpy())
        average.update(count)
        count += 1
        return value

    return {"step": step}


def _torch_engine(args: argparse.Namespace, options: TrainOptions, artifact: Artifact) -> Prepared:
    import torch

    from benchmarks.torch_twin import fill
    from benchmarks.twin.task import create_task
    from benchmarks.twin.update import Recipe, Updates

    torch.set_num_threads(args.threads)
    task = create_task(artifact, options)
    network = task.create_network()
    fill(network, np.load(Path(args.folder) / "weights.npz"))
    network = network.to(memory_format=torch.channels_last)
    recipe = Recipe("adam", clip_norm=CLIP_NORM, ema_decay=EMA_DECAY, precision=args.engine)
    updates = Updates(network, task.loss, recipe)
    images, targets, lengths = map(torch.from_numpy, _batch(args))

    def step() -> float:
        layered = images.contiguous(memory_format=torch.channels_last)
        return float(updates.step(layered, targets, lengths, LEARNING_RATE)[0])

    return {"step": step}


if __name__ == "__main__":
    sys.exit(main())
