"""Training steps that are compared: our network and the same in PyTorch, in two layouts, in turns.

All begin with the same weights and read the same batch, so the scores and the losses of the first updates say
whether it is the same computation.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.engines import Engines, machine, markdown_table, paired_ratio, serve, torch_python

OURS, TORCH_LAST, TORCH_PLAIN = "MindSpore", "PyTorch, channels-last", "PyTorch, plain"
LAYOUTS = {TORCH_LAST: "channels_last", TORCH_PLAIN: "plain"}

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

# Of a prepared engine: "step" makes one update and returns its loss, "logits" gives the scores of the batch.
Prepared = Mapping[str, Callable[[], Any]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every comparison of training steps has."""
    parser.add_argument("--repeats", type=int, default=9, help="turns of every engine")
    parser.add_argument("--steps", type=int, default=3, help="updates in a turn")
    parser.add_argument("--threads", type=int, default=0, help="of every engine; 0: the cores")
    parser.add_argument(
        "--clock",
        choices=tuple(CLOCKS),
        default="wall",
        help="cpu: processor time of all threads, for a machine that others use too; with --threads=1, since "
        "waiting threads count",
    )
    parser.add_argument("--torch_python", default="", help="interpreter that has torch, if this one has not")
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument("--engine", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    parser.add_argument("--answer_fd", type=int, default=-1, help=argparse.SUPPRESS)


def compare(
    program: str,
    args: argparse.Namespace,
    options: Sequence[str],
    batch: Mapping[str, npt.NDArray[np.generic]],
    arguments: Sequence[str] = (),
) -> dict[str, Any]:
    """Starts `program` once an engine and measures their updates in turns.

    Args:
        program: The file that calls `run_engine` when it is given `--engine`.
        args: Of `add_options`.
        options: Names of further options to hand on.
        batch: Arrays by name, one image an entry; written as batch.npz to the folder that engines share.
        arguments: Handed on as they are.
    """
    python = torch_python(args.torch_python)
    names = (*options, "steps", "threads", "clock")
    handed_on = [f"--{name}={getattr(args, name)}" for name in names]
    with Engines() as engines:
        np.savez(engines.folder / "batch.npz", **batch)

        def start(name: str, kind: str, interpreter: str) -> None:
            fixed = [f"--engine={kind}", f"--folder={engines.folder}"]
            command = [str(Path(program).resolve()), *arguments, *fixed, *handed_on]
            engines.start(name, command, interpreter, args.threads)
            engines[name].ask("prepare")

        start(OURS, "mindspore", sys.executable)
        if not python:
            print("PyTorch is not installed here and --torch_python is not given: only ours is measured")
        for name, layout in LAYOUTS.items() if python else ():
            start(name, layout, python)
        return _measure(engines, args, len(batch["images"]))


def _measure(engines: Engines, args: argparse.Namespace, batch_size: int) -> dict[str, Any]:
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
        "batch_size": batch_size,
        "threads": args.threads,
        "clock": args.clock,
        "seconds": seconds,
        "images_per_second": {
            name: batch_size / statistics.median(values) for name, values in seconds.items()
        },
        "ratio_to_best_pytorch": paired_ratio(seconds[best], seconds[OURS]) if best else None,
        "best_pytorch": best,
        "logits_max_difference": max(
            (float(np.abs(logits[name] - logits[OURS]).max()) for name in torch_names), default=None
        ),
        "first_losses": losses,
    }


def print_result(result: Mapping[str, Any], what: str) -> None:
    """The figures as the README shows them, under a line that says what was measured."""
    print(
        f"{what}, batch {result['batch_size']}, {result['threads']} threads, "
        f"{result['clock']} clock; {result['machine']}\n"
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


def prepared_torch(network: Any, update: Callable[..., tuple[float, float]], *batch: Any) -> Prepared:
    """A network of PyTorch as an engine.

    Args:
        network: The module.
        update: The batch -> loss and norm of one update.
        batch: Images (N, C, H, W), and what belongs to them.
    """
    import torch

    def step() -> float:
        network.train()
        return update(*batch)[0]

    def logits() -> npt.NDArray[np.float32]:
        network.eval()
        with torch.inference_mode():
            return network(torch.from_numpy(batch[0])).numpy()

    return {"step": step, "logits": logits}


def run_engine(args: argparse.Namespace, create: Callable[[argparse.Namespace], Prepared]) -> int:
    """Answers the requests of `compare` with what `create` prepares."""
    prepared: dict[str, Callable[[], Any]] = {}

    def prepare() -> dict[str, Any]:
        prepared.update(create(args))
        return {}

    def logits(path: str) -> dict[str, Any]:
        np.save(path, prepared["logits"]())
        return {}

    def first_losses() -> dict[str, Any]:
        return {"losses": [prepared["step"]() for _ in range(3)]}

    def train() -> dict[str, Any]:
        clock = CLOCKS[args.clock]
        start = clock()
        for _ in range(args.steps):
            prepared["step"]()
        return {"seconds": (clock() - start) / args.steps}

    handlers = {"prepare": prepare, "logits": logits, "first_losses": first_losses, "train": train}
    return serve(args.answer_fd, handlers)
