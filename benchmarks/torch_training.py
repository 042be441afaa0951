"""The training of `crnn train` on rendered images in PyTorch, for a fast GPU that MindSpore does not serve.

    python benchmarks/torch_training.py --config_path configs/pretrained.yaml --seconds 600 --output FOLDER \\
        --batch_size=512 --render_effects=configs/street_effects.yaml

Takes the options of `crnn train` where they apply, and its own: --help lists these. Rendering processes fill
a pool of images in the GPU's memory, from which batches are drawn; images that are seen again are distorted
there. FOLDER receives `weights.safetensors`, for `crnn convert weights --from-torch`, and the state to go on
from (--resume_ckpt=FOLDER), every minute and at the end.

A run is not repeatable: which images a batch holds depends on how fast they come.
"""

import argparse
import copy
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Nothing here imports PyTorch before `main`: the rendering processes import this file too.
import src  # noqa: F401 - makes the checkout's package importable
from benchmarks.twin.packing import faces_of, pack, unpack
from benchmarks.twin.worker import Series
from crnn_mindspore.artifacts.agreement import (
    WIDTHS,
    adopting,
    check_artifact,
    kind_in,
    model_of,
    network_of,
    preprocessing_of,
)
from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact
from crnn_mindspore.artifacts.checkpoint_file import CheckpointFile, read_checkpoint_file
from crnn_mindspore.artifacts.model_path import resolve_model
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.data.preprocess import time_steps_for_width
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.synth.effects.photographs import load_photographs
from crnn_mindspore.synth.effects.settings import load_effects
from crnn_mindspore.synth.render import Renderer, difficulty_at
from crnn_mindspore.synth.render_loader import Ramp

PROGRAM = "benchmarks/torch_training.py"
CTC = "ctc"
_STARTED = time.perf_counter()


def main(argv: Sequence[str] | None = None) -> int:
    """Trains, or packs the renderer; 0, or 2 for a mistake in the options."""
    own, others = _parse(argv)

    def command() -> int:
        options = load_options(TrainOptions, others, PROGRAM, "see crnn train --help")
        if own.pack_fonts:
            return _pack(options, Path(own.pack_fonts))
        return _train(options, own)

    return run_command(command, output_is_result=False)


def _parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--output", default="torch_training", help="folder for weights and state")
    add("--pack_fonts", default="", help="only write the renderer, its typefaces and words to this .tar.xz")
    add("--packed", default="", help="take renderer, typefaces and words from such a file")
    add("--seconds", type=float, default=0.0, help="of the program until training ends; 0: max_steps")
    add(
        "--fall_share",
        type=float,
        default=0.25,
        help="--seconds: share with a falling learning rate, at its end",
    )
    add("--replays", type=int, default=8, help="how often an image is seen at most")
    add("--pool_images", type=int, default=2_000_000, help="images kept on the device")
    add("--prefill", type=int, default=30_000, help="images to draw from that training waits for")
    add("--distortion", type=float, default=1.0, help="strength, of images that are seen again; 0: none")
    add(
        "--guide",
        type=float,
        default=0.0,
        help="weight of an attention decoder's loss, beside CTC's; 0: none",
    )
    add("--control", action="store_true", help="train a second network on the same batches, without a guide")
    add(
        "--widest",
        type=int,
        default=0,
        help="without keep_ratio: longer images keep their ratio up to so many columns; 0: all are squeezed",
    )
    add(
        "--squeezed",
        type=float,
        default=0.5,
        help="--widest: share of the images that are squeezed all the same, so that both ways are learnt",
    )
    add("--widen", action="store_true", help="give the weights of --pretrained to a wider network")
    add("--processes", type=int, default=0, help="rendering processes; 0: one for every core but one")
    add(
        "--precision",
        choices=("float32", "bfloat16"),
        default="",
        help="of convolutions, recurrent and dense layers; default: bfloat16 on cuda, float32 on a CPU",
    )
    add(
        "--initial",
        choices=("ours", "crnn.pytorch", "parseq", "deep-text", "pytorch"),
        default="ours",
        help="initial weights as this project, another or PyTorch's modules have them",
    )
    add("--compile", action="store_true", help="torch.compile of the convolutions")
    add("--device", default="", help="of PyTorch; default: cuda where there is one")
    add("--save_seconds", type=float, default=60.0, help="between two savings")
    add("--report_seconds", type=float, default=10.0, help="between two lines")
    add("--save_megabytes", type=float, default=63.8, help="MiB of all files of a saving")
    add("--eval_images", type=int, default=2000, help="rendered images that are read at the end; 0: none")
    return parser.parse_known_args(argv)


def _renderers(options: TrainOptions, packed: str) -> dict[str, Any]:
    """`train` and, of words held out where there are such, `test`; made here or unpacked."""
    if not packed:
        renderer = kind_in(options).renderer(options)
        held_out: Any = renderer.of_split("test") if isinstance(renderer, Renderer) else renderer
        return {"train": renderer, "test": held_out}
    renderers = unpack(Path(packed))
    photos = load_photographs(options.render_photos) if options.render_photos else None
    for renderer in renderers.values():
        renderer.seed = options.seed
        if isinstance(renderer, Renderer):  # others keep the effects that they were packed with
            renderer.effects = load_effects(options.render_effects or None)
        if photos is not None:  # a folder of JPEG files beside the pack is far smaller than pixels in it
            renderer.photos = photos
    made = renderers["train"]
    if made.codec != model_of(options).codec:
        raise UserError(f"{packed}: was packed for another alphabet or other positions than these options'")
    if made.split != options.render_split:
        raise UserError(
            f"{packed}: was packed with render_split {made.split!r}, now {options.render_split!r}"
        )
    return renderers


def _pack(options: TrainOptions, file: Path) -> int:
    print(pack(file, _renderers(options, "")))
    return 0


def _origin(options: TrainOptions, is_widened: bool) -> tuple[TrainOptions, CheckpointFile | None, str]:
    """What training starts from, the sizes of its network adopted."""
    path = options.resume_ckpt or resolve_model(options.pretrained, options.task)
    if not path:
        return options, None, ""
    if options.resume_ckpt and Path(path).is_dir():
        from benchmarks.twin.states import WEIGHTS, read_pieces

        _, texts = read_pieces(Path(path), WEIGHTS)
        checkpoint, artifact = None, Artifact.from_json(texts[METADATA_KEY], path)
    else:
        checkpoint = read_checkpoint_file(path)
        artifact = checkpoint.artifact
        if artifact is None:
            raise UserError(f"{path}: describes itself not; `crnn convert weights` writes the description")
    if is_widened and artifact.task != CTC:
        raise UserError(f"{path}: --widen knows networks of the output {CTC}, not of {artifact.task}")
    if is_widened and checkpoint is not None and not options.resume_ckpt:
        from benchmarks.twin.widening import widened

        wide = network_of(options)
        weights = widened(checkpoint.weights, artifact.network, wide, options.seed)
        artifact, checkpoint = replace(artifact, network=wide), replace(checkpoint, weights=dict(weights))
    is_free = not options.resume_ckpt and artifact.task == CTC
    check_artifact(options.with_given(options.given - set(WIDTHS)) if is_free else options, artifact, path)
    options = adopting(options, artifact)
    own, now = artifact.preprocessing, preprocessing_of(options)
    if (own.width, own.width_step, own.turn_above) != (now.width, now.width_step, now.turn_above):
        before = "keep_ratio and " if own.width_step else ""
        _say(f"{path}: made with {before}image_width {own.width}, now {now.width}")
    return options, checkpoint, path


def _train(options: TrainOptions, own: argparse.Namespace) -> int:
    if options.train_dataset != "render":
        raise UserError(f"train_dataset is {options.train_dataset!r}; here rendered images alone are learnt: "
                        "--train_dataset=render")  # fmt: skip
    if not own.seconds and not options.max_steps:
        raise UserError("give --seconds or --max_steps")
    if not 0 <= own.fall_share <= 1 or own.replays < 1:
        raise UserError(
            f"fall_share is {own.fall_share}, must be from 0 to 1; replays {own.replays}, at least 1"
        )
    if not 0 <= own.guide < float("inf"):
        raise UserError(f"guide is {own.guide}, must be 0 or more")
    difficulty_at(0, options.render_ramp_start, options.render_ramp_end)  # raises where they contradict
    options, checkpoint, origin = _origin(options, own.widen)
    _check_widest(own, options)
    training = {"dataset": "render", "batch_size": options.batch_size, "program": PROGRAM}
    artifact = replace(model_of(options), training=training)
    if own.guide and artifact.task != CTC:
        raise UserError(f"--guide is for networks of the output {CTC}, not of {artifact.task}")
    renderers = _renderers(options, own.packed)
    processes = own.processes or max(1, len(os.sched_getaffinity(0)) - 1)
    _say(f"{len(faces_of(renderers))} typefaces, {processes} rendering processes")
    return _run(options, own, artifact, renderers, processes, checkpoint, origin)


def _check_widest(own: argparse.Namespace, options: TrainOptions) -> None:
    if own.widest and (options.keep_ratio or options.output != CTC):
        raise UserError(
            "--widest: images of the output ctc without keep_ratio alone may be longer than others"
        )
    if own.widest and own.widest <= options.image_width:
        raise UserError(f"widest is {own.widest}, must be above image_width, {options.image_width}")
    if not 0 <= own.squeezed <= 1:
        raise UserError(f"squeezed is {own.squeezed}, must be from 0 to 1")


def _run(options, own, artifact, renderers, processes, checkpoint, origin) -> int:  # type: ignore[no-untyped-def]
    import torch

    from benchmarks.twin.rendering import Rendering
    from benchmarks.twin.task import create_task
    from benchmarks.twin.training import Plan, Training, accuracy
    from benchmarks.twin.update import Recipe
    from crnn_mindspore.training.updates.lr_schedule import create_milestones, create_schedule

    device = torch.device(own.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    is_cuda = device.type == "cuda"
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(options.seed)
    task = create_task(artifact, options)
    precision = own.precision or ("bfloat16" if is_cuda else "float32")
    recipe = Recipe(
        options.optimizer, options.momentum, options.nesterov, options.weight_decay,
        options.gamma_decay, options.gamma_l1, options.clip_norm, options.ema_decay, precision,
    )  # fmt: skip
    sides = _create_sides(own, task, recipe, device)
    facts = _fill(sides, artifact, checkpoint, origin, bool(options.resume_ckpt))
    ramp = Ramp(options.render_ramp_start, options.render_ramp_end)
    image, targets = replace(artifact.preprocessing, widest=own.widest), task.targets
    if own.widest:
        targets = replace(targets, width=time_steps_for_width(own.widest, image.step_offset))
    squeezed = own.squeezed if own.widest else 0.0
    series = Series(renderers["train"], image, targets, ramp, facts.rendered, squeezed=squeezed)
    held_out = replace(series, renderer=renderers["test"], ramp=Ramp(), first=10**9, count=own.eval_images)
    rendering = Rendering(series, processes, is_cuda)
    tested = Rendering(held_out, 1) if own.eval_images else None
    parameters = sum(p.numel() for p in sides[0].network.parameters())
    name = torch.cuda.get_device_name(device) if is_cuda else "CPU"
    _say(f"PyTorch {torch.__version__} on {name}; {artifact.network}, {parameters:,} parameters, {recipe}")
    schedule = None
    if not own.seconds:
        by_step = create_schedule(
            options.lr_schedule, options.learning_rate, options.max_steps,
            max(1, options.render_epoch_images // options.batch_size), options.warmup_steps,
            options.decay_steps, options.decay_rate,
            create_milestones(
                options.lr_epochs, options.lr_values, options.learning_rate, options.decay_rate
            ) if options.lr_schedule == "epochs" else (),
        )  # fmt: skip
        schedule = lambda step: by_step(facts.updates + step)  # noqa: E731
    plan = Plan(
        options.batch_size, own.seconds, 0 if own.seconds else options.max_steps - facts.updates,
        own.fall_share, options.learning_rate, options.warmup_steps, schedule, own.replays, own.pool_images,
        own.prefill, own.distortion, own.report_seconds, own.save_seconds,
        int(own.save_megabytes * 2**20), _STARTED,
    )  # fmt: skip
    updates, *controls = sides
    facts = Training(task, updates, rendering, facts, plan, Path(own.output), options.seed, *controls).run()
    _say(f"trained: {facts}")
    if tested is not None:
        is_held_out = isinstance(renderers["test"], Renderer) and options.render_split == "train"
        images = "words held out" if is_held_out else "rendered images, none of these"
        chunks = tested.all()
        count = sum(len(chunk.lengths) for chunk in chunks)
        for side, name in zip(sides, ("", "control: "), strict=False):
            trained, averaged = accuracy(task, side, chunks)
            shares = f"{100 * averaged:.2f} % right averaged, {100 * trained:.2f} % trained"
            _say(f"{name}{count} {images}: {shares}")
    return 0


def _create_sides(own, task, recipe, device) -> list[Any]:  # type: ignore[no-untyped-def]
    """The network that is trained, with its guide, and its control, which begins with the same weights."""
    import torch

    from benchmarks.twin.guide import Guide
    from benchmarks.twin.initial import start_as
    from benchmarks.twin.update import Updates

    network = task.create_network()
    start_as(network, own.initial)
    networks = [network, copy.deepcopy(network)] if own.control else [network]
    for network in networks:
        network.to(device, memory_format=torch.channels_last)
        if own.compile:
            parts = (getattr(network, name, None) for name in ("vgg", "cnn", "features"))
            next(part for part in parts if part is not None).compile()
    guide = Guide(networks[0], own.guide).to(device) if own.guide else None
    guides = (guide, None)
    return [Updates(net, task.loss, recipe, its) for net, its in zip(networks, guides, strict=False)]


def _fill(sides, artifact, checkpoint, origin, is_resumed) -> Any:  # type: ignore[no-untyped-def]
    """Loads what training starts from; a control that the origin lacks begins as the other does.

    Raises:
        UserError: If the two sides that are resumed are not of one time.
    """
    from benchmarks.twin import states
    from benchmarks.twin.training import CONTROL

    found = []
    for side, name in zip(sides, ("", CONTROL), strict=False):
        if checkpoint is not None:
            found.append(states.start_from(checkpoint, side, origin, is_resumed))
        elif origin:
            own = Path(origin) / name
            found.append(states.restore(own if own.is_dir() else Path(origin), side, artifact))
    counts = [facts.updates for facts in found]
    if len(set(counts)) > 1:
        raise UserError(f"{origin}: {counts[0]} updates, its control {counts[1]}; resume without --control")
    return found[0] if found else states.Facts()


def _say(text: str) -> None:
    print(f"{time.perf_counter() - _STARTED:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
