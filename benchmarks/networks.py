"""Training speed of the networks for positions beside PyTorch: images a second of one update.

    python benchmarks/networks.py resnet18 [--block v2] [--channel_scale 0.5] [--height 24 --width 94]
    python benchmarks/networks.py character [--classes 3755] [--torch_python /path/to/python]

Forward, cross entropy, backward, clipping to the global norm, Nesterov SGD. Without PyTorch only ours is
measured.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

LEARNING_RATE, MOMENTUM, CLIP_NORM = 0.02, 0.95, 10.0

# Height, width, channels, positions and classes where none are given: plates; the first 3,755 of GB 2312.
SIZES = {"resnet18": (48, 144, 3, 8, 42), "character": (64, 64, 1, 1, 3755)}
OPTIONS = ("block", "channel_scale", "height", "width", "in_channels", "positions", "classes")


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    args = _parse(argv)
    if args.engine:
        return run_engine(args, _mindspore_engine if args.engine == "mindspore" else _torch_engine)
    network = f"{args.network} {args.block}" if args.network == "resnet18" else args.network
    what = (
        f"{network}, channel scale {args.channel_scale:g}, {args.in_channels} x "
        f"{args.height} x {args.width}, {args.positions} positions of {args.classes} classes"
    )
    result = compare(__file__, args, OPTIONS, _batch(args), [args.network]) | {"network": what}
    print_result(result, what)
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=2), encoding="utf-8")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", choices=tuple(SIZES))
    parser.add_argument("--block", choices=("v1", "v2"), default="v1", help="of resnet18")
    parser.add_argument("--channel_scale", type=float, default=1.0)
    parser.add_argument("--batch_size", type=int, default=64)
    for name in OPTIONS[2:]:
        parser.add_argument(f"--{name}", type=int, default=0, help="0: as the network's task has it")
    add_options(parser)
    args = parser.parse_args(argv)
    for name, usual in zip(OPTIONS[2:], SIZES[args.network], strict=True):
        setattr(args, name, getattr(args, name) or usual)
    args.threads = args.threads or cores()
    return args


def _batch(args: argparse.Namespace) -> dict[str, npt.NDArray[np.generic]]:
    rng = np.random.default_rng(1)
    shape = (args.batch_size, args.in_channels, args.height, args.width)
    return {
        "images": rng.uniform(-1, 1, shape).astype(np.float32),
        "targets": rng.integers(0, args.classes, (args.batch_size, args.positions)).astype(np.int32),
    }


def _mindspore_engine(args: argparse.Namespace) -> Prepared:
    from crnn_mindspore.engines.mindspore.runtime import initialize

    initialize("CPU")
    import mindspore as ms

    from crnn_mindspore.engines.mindspore.parameters import network_weights
    from crnn_mindspore.networks.character_net import CharacterNet
    from crnn_mindspore.networks.resnet import ResNet18

    ms.set_seed(1)
    outputs = (args.positions, args.classes)
    common: dict[str, Any] = {"channel_scale": args.channel_scale, "in_channels": args.in_channels}
    # Dropout draws other numbers in every engine; it is left out so that the losses can be compared.
    network = (
        ResNet18(*outputs, block=args.block, **common)
        if args.network == "resnet18"
        else CharacterNet(*outputs, image_size=(args.height, args.width), dropout=0, **common)
    )
    np.savez(Path(args.folder) / "weights.npz", **network_weights(network))
    run_step = _mindspore_step(network)
    batch = np.load(Path(args.folder) / "batch.npz")
    images, targets = batch["images"], batch["targets"]

    def step() -> float:
        network.set_train(True)
        loss, norm = run_step(ms.Tensor(images), ms.Tensor(targets))
        float(norm.asnumpy())
        return float(loss.asnumpy())

    def logits() -> npt.NDArray[np.float32]:
        network.set_train(False)
        return network(ms.Tensor(images)).asnumpy()

    return {"step": step, "logits": logits}


def _mindspore_step(network: Any) -> Any:
    """One update: images, targets (N,T) -> loss, gradient norm."""
    from mindspore import Tensor, nn, ops

    from crnn_mindspore.training.updates.optimizers import create_optimizer, set_learning_rate
    from crnn_mindspore.training.updates.step import global_norm, scale_all

    class WithLoss(nn.Cell):
        def __init__(self) -> None:
            super().__init__(auto_prefix=False)
            self.network = network

        def construct(self, images: Tensor, targets: Tensor) -> Tensor:
            scores = self.network(images)  # (T,N,K)
            rows = scores.reshape(-1, scores.shape[2])
            return ops.cross_entropy(rows, targets.swapaxes(0, 1).reshape(-1))

    class Step(nn.Cell):
        def __init__(self) -> None:
            super().__init__(auto_prefix=False)
            self.optimizer = create_optimizer("sgd", network.trainable_params(), MOMENTUM, nesterov=True)
            set_learning_rate(self.optimizer, LEARNING_RATE)
            self.gradients = ops.value_and_grad(WithLoss(), None, self.optimizer.parameters)

        def construct(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            loss, gradients = self.gradients(images, targets)
            norm = global_norm(gradients)
            gradients = scale_all(gradients, CLIP_NORM / ops.maximum(norm, Tensor(CLIP_NORM)))
            return ops.depend(loss, self.optimizer(gradients)), norm

    return Step()


def _torch_engine(args: argparse.Namespace) -> Prepared:
    import torch

    from benchmarks.torch_positions import PositionTrainer, from_weights

    torch.set_num_threads(args.threads)
    weights = np.load(Path(args.folder) / "weights.npz")
    network = from_weights(args.network, weights, args.positions, args.block)
    is_channels_last = args.engine == "channels_last"
    trainer = PositionTrainer(network, is_channels_last, LEARNING_RATE, MOMENTUM, CLIP_NORM)
    batch = np.load(Path(args.folder) / "batch.npz")
    images, targets = batch["images"], batch["targets"]
    return prepared_torch(network, trainer.step, images, targets)


if __name__ == "__main__":
    sys.exit(main())
