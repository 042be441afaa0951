"""How near `crnn train` and the training in PyTorch stay: losses of the first updates, float32, both on CPU.

    python benchmarks/torch_agreement.py [--torch_python /path/to/python] [--optimizer adam] [--steps 20]

Both begin with the same weights and read the same batches of rendered images, in processes of their own:
words; plates and single characters with `--model_version resnet18` and `character_net`.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.engines import Engines, cores, markdown_table, serve, torch_python
from crnn_mindspore.artifacts.agreement import model_of
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.data.preprocess import normalize
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.synth.render import create_renderer
from crnn_mindspore.synth.render_loader import Ramp, render_images
from crnn_mindspore.tasks.ctc.network_spec import STEP_OFFSETS
from crnn_mindspore.tasks.positions.network_spec import CHARACTER_NET, RESNET18, VERSIONS
from crnn_mindspore.text.charset import Charset

_RECIPES = Path(__file__).resolve().parents[1] / "configs" / "recipes"
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "radam", "rmsprop", "adadelta")


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0."""
    args = _parse(argv)
    if args.engine:
        train = _mindspore_losses if args.engine == "mindspore" else _torch_losses
        return serve(args.answer_fd, {"train": lambda: train(args)})
    names = (
        "image_colours",
        "model_version",
        "pretrained",
        "channel_scale",
        "hidden_size",
        "rnn_type",
        "optimizer",
        "learning_rate",
        "weight_decay",
        "steps",
    )
    options = [f"--{name}={getattr(args, name)}" for name in names]
    losses: dict[str, list[float]] = {}
    averages: dict[str, float] = {}
    with Engines() as engines:
        args.folder = str(engines.folder)
        _write_batches(engines.folder, args)
        for name, python in (("mindspore", sys.executable), ("torch", torch_python(args.torch_python))):
            command = [
                str(Path(__file__).resolve()),
                f"--engine={name}",
                f"--folder={engines.folder}",
                *options,
            ]
            engines.start(name, command, python, cores())
            answer = engines[name].ask("train")
            losses[name], averages[name] = answer["losses"], answer["average"]
    rows = [
        [str(step), *(f"{losses[name][step]:.6f}" for name in losses)]
        for step in (*range(0, args.steps, max(1, args.steps // 5)), args.steps - 1)
    ]
    print(markdown_table(["step", *losses], rows))
    ours, theirs = (np.array(values) for values in losses.values())
    print(f"{args.model_version}, {args.optimizer}: largest difference of the loss in {args.steps} steps: "
          f"{np.abs(ours - theirs).max():.1e}, relative {np.abs(theirs / ours - 1).max():.1e}; "
          f"sums of the averaged weights: {averages}")  # fmt: skip
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model_version", choices=(*STEP_OFFSETS, *VERSIONS), default="V2")
    parser.add_argument("--image_colours", choices=("BGR", "RGB", "GREY"), default="BGR")
    parser.add_argument("--channel_scale", type=float, default=0.5)
    parser.add_argument("--hidden_size", type=int, default=256)
    parser.add_argument("--rnn_type", choices=("lstm", "gru"), default="lstm", help="of paper and vgg")
    parser.add_argument("--pretrained", default="", help="checkpoint to begin with; its sizes count")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam")
    parser.add_argument("--learning_rate", type=float, default=0.001)
    parser.add_argument("--weight_decay", type=float, default=0.0)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--torch_python", default="", help="interpreter that has torch, if this one has not")
    parser.add_argument("--engine", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    parser.add_argument("--answer_fd", type=int, default=-1, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _write_batches(folder: Path, args: argparse.Namespace) -> None:
    from benchmarks.twin.worker import Targets

    options, artifact = _described(args)
    words = artifact.codec == Charset()
    renderer: Any = (
        create_renderer(charset=Charset(), split="all") if words else artifact.kind.renderer(options)
    )
    width = artifact.kind.score_shape(artifact)[0]
    pixels, texts = render_images(renderer, artifact.preprocessing, Ramp(), 0, args.batch_size * args.steps)
    images = normalize(pixels, artifact.preprocessing)
    targets, lengths = Targets(artifact.codec, width)(texts)
    shape = (args.steps, args.batch_size)
    np.savez(
        folder / "batches.npz",
        images=images.reshape(*shape, *images.shape[1:]),
        targets=targets.reshape(*shape, -1),
        target_lengths=lengths.reshape(shape),
    )


def _described(args: argparse.Namespace) -> tuple[TrainOptions, Artifact]:
    """Options and model: of plates without typefaces, of Latin characters, or of words."""
    names = "image_colours", "model_version", "channel_scale", "hidden_size", "rnn_type"
    chosen = [f"--{name}={getattr(args, name)}" for name in names]
    if args.model_version == RESNET18:
        chosen = [f"--task={_RECIPES / 'plates_abroad.yaml'}"]
    elif args.model_version == CHARACTER_NET:
        layout = Path(args.folder) / "latin.yaml"
        layout.write_text("text: [{name: character, classes: ABCDEFGHabcdefgh0123}]\n", encoding="utf-8")
        chosen = ["--task=characters", f"--positions={layout}", "--render_hold_out="]
    # Dropout draws other numbers in every engine.
    options = load_options(TrainOptions, [*chosen, "--use_dropout=False"], "torch_agreement", "")
    artifact = model_of(options)
    own = read_checkpoint_file(args.pretrained).artifact if args.pretrained else None
    return options, artifact if own is None else replace(artifact, network=own.network)


def _batches(folder: str) -> list[tuple[Any, ...]]:
    batches = np.load(Path(folder) / "batches.npz")
    return list(zip(*(batches[name] for name in ("images", "targets", "target_lengths")), strict=True))


def _mindspore_losses(args: argparse.Namespace) -> dict[str, Any]:
    from crnn_mindspore.engines.mindspore.runtime import initialize

    initialize("CPU")
    import mindspore as ms

    from crnn_mindspore.engines.mindspore.parameters import load_weights, network_weights
    from crnn_mindspore.training.updates.optimizers import create_optimizer, set_learning_rate
    from crnn_mindspore.training.updates.step import CRNNForTrain, WeightAverage

    ms.set_seed(1)
    options, artifact = _described(args)
    learner = artifact.kind.learner()
    network = learner.create_network(artifact, use_dropout=False)
    if args.pretrained:
        load_weights(network, read_checkpoint_file(args.pretrained).weights, args.pretrained)
    network.set_train(True)
    np.savez(Path(args.folder) / "weights.npz", **network_weights(network))
    optimizer = create_optimizer(args.optimizer, network.trainable_params(), weight_decay=args.weight_decay)
    loss, unread = learner.create_loss(artifact, options), learner.create_unread(artifact)
    run_step = CRNNForTrain(network, loss, unread, optimizer, 5.0)
    average = WeightAverage(list(network.get_parameters()), 0.9995)
    losses = []
    for step, batch in enumerate(_batches(args.folder)):
        set_learning_rate(optimizer, args.learning_rate)
        losses.append(float(run_step(*map(ms.Tensor, batch))[0].asnumpy()))
        average.update(step)
    total = sum(float(np.abs(p.asnumpy()).astype(np.float64).sum()) for p in average.averages)
    return {"losses": losses, "average": total}


def _torch_losses(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from benchmarks.torch_projects import from_project_weights
    from benchmarks.torch_twin import fill
    from benchmarks.twin.task import create_task
    from benchmarks.twin.update import Recipe, Updates

    options, artifact = _described(args)
    task = create_task(artifact, options)
    weights = np.load(Path(args.folder) / "weights.npz")
    if "cnn.conv0.weight" in weights:
        network: torch.nn.Module = from_project_weights(weights)
    else:
        network = task.create_network()
        fill(network, weights)
    network = network.to(memory_format=torch.channels_last)
    recipe = Recipe(args.optimizer, weight_decay=args.weight_decay, clip_norm=5.0, ema_decay=0.9995)
    updates = Updates(network, task.loss, recipe)
    losses = []
    for batch in _batches(args.folder):
        images, targets, lengths = map(torch.from_numpy, batch)
        losses.append(float(updates.step(images, targets, lengths, args.learning_rate)[0].detach()))
    total = sum(float(average.double().abs().sum()) for average in updates.averages.values())
    return {"losses": losses, "average": total}


if __name__ == "__main__":
    sys.exit(main())
