"""What saving costs: seconds of one checkpoint, and its share of the time at the default interval.

    python benchmarks/checkpoint_cost.py [--model_version V2] [--optimizer adam] [--ema_decay 0.999]

The published network is trained for a few steps on random images, then saved and read back several times.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import machine, markdown_table

DEFAULT_INTERVAL = 1000  # save_checkpoint_steps
STEPS, SAVES, BATCH_SIZE = 5, 7, 64


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model_version", choices=("V1", "V2"), default="V2")
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--ema_decay", type=float, default=0.0)
    args = parser.parse_args(argv)
    from crnn_mindspore.engines.mindspore.runtime import initialize

    initialize("CPU")
    step, save, load = _prepare(args)
    step()
    step_seconds = statistics.median(_timed(step) for _ in range(STEPS))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "a.ckpt")
        save_seconds = statistics.median(_timed(lambda: save(path)) for _ in range(SAVES))
        load_seconds = statistics.median(_timed(lambda: load(path)) for _ in range(SAVES))
        size = Path(path).stat().st_size
    share = save_seconds / (DEFAULT_INTERVAL * step_seconds)
    print(f"{machine()}; batch {BATCH_SIZE}\n")
    print(
        markdown_table(
            [
                "network",
                "optimiser",
                "MB",
                "step, s",
                "save, s",
                "read, s",
                f"share at {DEFAULT_INTERVAL} steps",
            ],
            [
                [
                    args.model_version,
                    args.optimizer + (", averaged" if args.ema_decay else ""),
                    f"{size / 1e6:.0f}",
                    f"{step_seconds:.2f}",
                    f"{save_seconds:.2f}",
                    f"{load_seconds:.2f}",
                    f"{share:.3%}",
                ]
            ],
        )
    )
    return 0


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _prepare(
    args: argparse.Namespace,
) -> tuple[Callable[[], Any], Callable[[str], Any], Callable[[str], Any]]:
    import mindspore as ms

    from crnn_mindspore.artifacts.artifact import Artifact
    from crnn_mindspore.data.preprocess import Preprocessing
    from crnn_mindspore.engines.mindspore.network_backend import create_network
    from crnn_mindspore.tasks.ctc.learning.ctc_loss import CTCLoss, UnreadShare
    from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
    from crnn_mindspore.text.charset import Charset
    from crnn_mindspore.training.checkpoints.checkpoint import TrainState, read_checkpoint, save_checkpoint
    from crnn_mindspore.training.checkpoints.resume import TrainingTensors
    from crnn_mindspore.training.updates.optimizers import create_optimizer, set_learning_rate
    from crnn_mindspore.training.updates.step import CRNNForTrain, WeightAverage

    artifact = Artifact(Charset(), Preprocessing(), NetworkSpec(args.model_version))
    network = create_network(artifact).set_train(True)
    optimizer = create_optimizer(args.optimizer, network.trainable_params())
    set_learning_rate(optimizer, 1e-4)
    average = WeightAverage(list(network.get_parameters()), args.ema_decay) if args.ema_decay else None
    tensors = TrainingTensors(network, optimizer, average)
    run_step = CRNNForTrain(
        network, CTCLoss(artifact.codec.blank), UnreadShare(artifact.codec.blank), optimizer
    )
    rng = np.random.default_rng(1)
    images = rng.uniform(-1, 1, (BATCH_SIZE, 3, 32, 100)).astype(np.float32)
    targets = rng.integers(0, 36, (BATCH_SIZE, 24)).astype(np.int32)
    lengths = np.full(BATCH_SIZE, 6, np.int32)

    def step() -> None:
        masks = network.dropout_masks(BATCH_SIZE, 100, rng)
        loss, *_ = run_step(*map(ms.Tensor, (images, targets, lengths, *masks)))
        loss.asnumpy()
        if average is not None:
            average.update(100)

    def save(path: str) -> None:
        save_checkpoint(path, tensors.weights(), artifact, TrainState(steps_per_epoch=1), tensors.others())

    return step, save, read_checkpoint


if __name__ == "__main__":
    sys.exit(main())
