"""Training speed beside PyTorch: images a second of one update (forward, backward, clipping, SGD).

    python benchmarks/train_step.py [--torch_python /path/to/python] [--channel_scale 1.0] [--batch_size 64]

Our training step and the same network in PyTorch, in its plain and its channels-last layout, run in processes
of their own, in turns. All begin with the same weights and read the same batch, so the logits and the losses
of the first updates say whether it is the same computation. Without PyTorch only ours is measured.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import Engines, cores, machine, markdown_table, paired_ratio, serve, torch_python

OURS, TORCH_LAST, TORCH_PLAIN = "MindSpore", "PyTorch, channels-last", "PyTorch, plain"
CHARACTERS = 36
LEARNING_RATE, MOMENTUM, CLIP_NORM = 0.02, 0.95, 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    args = _parse(argv)
    if args.engine:
        return _run_engine(args)
    python = torch_python(args.torch_python)
    with Engines() as engines:
        _write_batch(engines.folder, args.batch_size, args.width)
        engines.start(OURS, _command(args, "mindspore", engines.folder), sys.executable, args.threads)
        engines[OURS].ask("prepare")
        if python:
            for name, layout in ((TORCH_LAST, "channels_last"), (TORCH_PLAIN, "plain")):
                engines.start(name, _command(args, layout, engines.folder), python, args.threads)
                engines[name].ask("prepare")
        else:
            print("PyTorch is not installed here and --torch_python is not given: only ours is measured")
        result = _compare(engines, args)
    _print(result)
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=2), encoding="utf-8")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model_version", choices=("V1", "V2"), default="V2")
    parser.add_argument("--channel_scale", type=float, default=1.0)
    parser.add_argument("--hidden_size", type=int, default=256)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--width", type=int, default=100, help="of the images, pixels")
    parser.add_argument("--repeats", type=int, default=9, help="turns of every engine")
    parser.add_argument("--steps", type=int, default=3, help="updates in a turn")
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
    names = ("model_version", "channel_scale", "hidden_size", "steps", "threads")
    options = [f"--{name}={getattr(args, name)}" for name in names]
    return [str(Path(__file__).resolve()), f"--engine={engine}", f"--folder={folder}", *options]


def _write_batch(folder: Path, batch_size: int, width: int) -> None:
    rng = np.random.default_rng(1)
    time_steps = width // 4 - 1
    longest = min(8, time_steps // 2)  # a word needs at most 2 * length - 1 steps
    np.savez(
        folder / "batch.npz",
        images=rng.uniform(-1, 1, (batch_size, 3, 32, width)).astype(np.float32),
        targets=rng.integers(0, CHARACTERS, (batch_size, time_steps)).astype(np.int32),
        target_lengths=rng.integers(1, longest + 1, batch_size).astype(np.int32),
    )


def _compare(engines: Engines, args: argparse.Namespace) -> dict[str, Any]:
    logits, losses = {}, {}
    for name in engines.names:
        path = engines.folder / f"{name}.npy"
        engines[name].ask("logits", path=str(path))
        logits[name] = np.load(path)
        losses[name] = engines[name].ask("first_losses")["losses"]
    engines.in_turns(engines.names, "train", 1)  # warm-up
    seconds = engines.in_turns(engines.names, "train", args.repeats)
    torch_names = [name for name in seconds if name != OURS]
    best = min(torch_names, key=lambda name: statistics.median(seconds[name]), default=None)
    return {
        "machine": machine(),
        "network": f"{args.model_version}, channel scale {args.channel_scale:g}, hidden {args.hidden_size}",
        "batch_size": args.batch_size,
        "width": args.width,
        "threads": args.threads,
        "seconds": seconds,
        "images_per_second": {
            name: args.batch_size / statistics.median(values) for name, values in seconds.items()
        },
        "ratio_to_best_pytorch": paired_ratio(seconds[best], seconds[OURS]) if best else None,
        "best_pytorch": best,
        "logits_max_difference": max(
            (float(np.abs(logits[name] - logits[OURS]).max()) for name in torch_names), default=None
        ),
        "first_losses": losses,
    }


def _print(result: dict[str, Any]) -> None:
    print(
        f"{result['network']}; batch {result['batch_size']}, width {result['width']}, "
        f"{result['threads']} threads; {result['machine']}\n"
    )
    rows = []
    for name, values in result["seconds"].items():
        speed, losses = result["images_per_second"][name], result["first_losses"][name]
        spread = f"{min(values):.3f} .. {max(values):.3f}"
        rows.append(
            [
                name,
                f"{statistics.median(values):.3f}",
                spread,
                f"{speed:.1f}",
                " ".join(f"{x:.4f}" for x in losses),
            ]
        )
    header = ["engine", "s a step, median", "s a step, range", "images/s", "losses of the first steps"]
    print(markdown_table(header, rows))
    if result["best_pytorch"]:
        print(
            f"\nratio to PyTorch's best ({result['best_pytorch']}), median of pairs: "
            f"{result['ratio_to_best_pytorch']:.3f}"
        )
        print(f"logits for the same weights: max |difference| {result['logits_max_difference']:.1e}")


def _run_engine(args: argparse.Namespace) -> int:
    create = _mindspore_engine if args.engine == "mindspore" else _torch_engine
    prepared: dict[str, Callable[..., Any]] = {}

    def prepare() -> dict[str, Any]:
        prepared.update(create(args))
        return {}

    def logits(path: str) -> dict[str, Any]:
        np.save(path, prepared["logits"]())
        return {}

    def first_losses() -> dict[str, Any]:
        return {"losses": [prepared["step"]() for _ in range(3)]}

    def train() -> dict[str, Any]:
        start = time.perf_counter()
        for _ in range(args.steps):
            prepared["step"]()
        return {"seconds": (time.perf_counter() - start) / args.steps}

    handlers = {"prepare": prepare, "logits": logits, "first_losses": first_losses, "train": train}
    return serve(args.answer_fd, handlers)


def _mindspore_engine(args: argparse.Namespace) -> dict[str, Callable[..., Any]]:
    from crnn_mindspore.engines.mindspore.runtime import initialize

    initialize("CPU")
    import mindspore as ms

    from crnn_mindspore.engines.mindspore.parameters import network_weights
    from crnn_mindspore.networks.crnn import CRNN
    from crnn_mindspore.tasks.ctc.learning.ctc_loss import CTCLoss, UnreadShare
    from crnn_mindspore.training.updates.optimizers import create_optimizer, set_learning_rate
    from crnn_mindspore.training.updates.step import CRNNForTrain

    ms.set_seed(1)
    # Dropout draws other numbers in every engine; it is left out so that the losses can be compared.
    network = CRNN(
        CHARACTERS + 1, args.hidden_size, args.model_version, args.channel_scale, use_dropout=False
    )
    np.savez(Path(args.folder) / "weights.npz", **network_weights(network))
    optimizer = create_optimizer("sgd", network.trainable_params(), MOMENTUM, nesterov=True)
    run_step = CRNNForTrain(network, CTCLoss(CHARACTERS), UnreadShare(CHARACTERS), optimizer, CLIP_NORM)
    batch = np.load(Path(args.folder) / "batch.npz")
    images, targets, target_lengths = (batch[name] for name in ("images", "targets", "target_lengths"))

    def step() -> float:
        network.set_train(True)
        set_learning_rate(optimizer, LEARNING_RATE)
        loss, norm, _ = run_step(ms.Tensor(images), ms.Tensor(targets), ms.Tensor(target_lengths))
        float(norm.asnumpy())
        return float(loss.asnumpy())

    def logits() -> Any:
        network.set_train(False)
        return network(ms.Tensor(images)).asnumpy()

    return {"step": step, "logits": logits}


def _torch_engine(args: argparse.Namespace) -> dict[str, Callable[..., Any]]:
    import torch

    from benchmarks.torch_twin import TorchTrainer, from_weights

    torch.set_num_threads(args.threads)
    network = from_weights(np.load(Path(args.folder) / "weights.npz"))
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    trainer = TorchTrainer(
        network, CHARACTERS, args.engine == "channels_last", LEARNING_RATE, MOMENTUM, CLIP_NORM
    )
    batch = np.load(Path(args.folder) / "batch.npz")
    images, targets, target_lengths = (batch[name] for name in ("images", "targets", "target_lengths"))

    def step() -> float:
        network.train()
        return trainer.step(images, targets, target_lengths)[0]

    def logits() -> Any:
        network.eval()
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()

    return {"step": step, "logits": logits}


if __name__ == "__main__":
    sys.exit(main())
