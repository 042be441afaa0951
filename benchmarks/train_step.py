"""Training speed beside PyTorch: images a second of one update (forward, backward, clipping, SGD).

    python benchmarks/train_step.py [--torch_python /path/to/python] [--channel_scale 1.0] [--batch_size 64]

Our training step and the same network in PyTorch, in its plain and its channels-last layout, run in processes
of their own, in turns. All begin with the same weights and read the same batch, so the logits and the losses
of the first updates say whether it is the same computation. Without PyTorch only ours is measured.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import cores
from benchmarks.training_engines import (
    Prepared,
    add_options,
    compare,
    prepared_torch,
    print_result,
    run_engine,
)

CHARACTERS = 36
LEARNING_RATE, MOMENTUM, CLIP_NORM = 0.02, 0.95, 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    args = _parse(argv)
    if args.engine:
        return run_engine(args, _mindspore_engine if args.engine == "mindspore" else _torch_engine)
    network = f"{args.model_version}, channel scale {args.channel_scale:g}, hidden {args.hidden_size}"
    options = ("model_version", "channel_scale", "hidden_size")
    result = compare(__file__, args, options, _batch(args.batch_size, args.width))
    result |= {"network": network, "width": args.width}
    print_result(result, f"{network}, width {args.width}")
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
    add_options(parser)
    args = parser.parse_args(argv)
    args.threads = args.threads or cores()
    return args


def _batch(batch_size: int, width: int) -> dict[str, npt.NDArray[np.generic]]:
    rng = np.random.default_rng(1)
    time_steps = width // 4 - 1
    longest = min(8, time_steps // 2)  # a word needs at most 2 * length - 1 steps
    return {
        "images": rng.uniform(-1, 1, (batch_size, 3, 32, width)).astype(np.float32),
        "targets": rng.integers(0, CHARACTERS, (batch_size, time_steps)).astype(np.int32),
        "target_lengths": rng.integers(1, longest + 1, batch_size).astype(np.int32),
    }


def _mindspore_engine(args: argparse.Namespace) -> Prepared:
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

    def logits() -> npt.NDArray[np.float32]:
        network.set_train(False)
        return network(ms.Tensor(images)).asnumpy()

    return {"step": step, "logits": logits}


def _torch_engine(args: argparse.Namespace) -> Prepared:
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
    return prepared_torch(network, trainer.step, images, targets, target_lengths)


if __name__ == "__main__":
    sys.exit(main())
