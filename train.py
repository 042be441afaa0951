"""Trains a CRNN: reads the options, opens the data, runs the training."""

import importlib.metadata
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from src.data.charset_file import AUTO, resolve_characters, save_charset_file
from src.data.findings import Hint
from src.data.first_batches import FirstBatches
from src.data.loader import EvalLoader, TrainLoader
from src.data.text_file import write_text
from src.data.training_labels import dropped_label_hints, kept_label_hints
from src.data.word_dataset import WordDataset
from src.dataset import create_dataset, evaluation_sets, load_samples
from src.errors import UserError
from src.inference.artifact import Artifact
from src.inference.backend import resolve_model
from src.inference.checkpoint_file import read_checkpoint_file
from src.inference.evaluator import evaluate
from src.metric import create_protocol
from src.model_utils.command import run_command
from src.model_utils.config import Config, load_config
from src.model_utils.modelarts import run_job
from src.synth.augment import create_augmentation
from src.synth.render import create_renderer
from src.synth.render_loader import Ramp, RenderLoader
from src.text.greedy import GreedyDecoder
from src.training.options import TrainingOptions
from src.training.overfit import DEFAULT_STEPS, OverfitCheck
from src.training.resume_policy import RECORDED, WORLD_SIZE
from src.training.runtime import Runtime, initialize

if TYPE_CHECKING:
    from src.training.session import Evaluate, TrainingSession
    from src.training.trainer import Batches

_logger = logging.getLogger("src.train")


def main(argv: Sequence[str] | None = None) -> int:
    """Trains as the options say; returns the exit status, 128 + its number when stopped by a signal."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: run_job(load_config(arguments, __doc__ or ""), _train))


def _train(config: Config) -> int:
    if config.overfit_batches:
        config = for_overfitting(config)
    config = adopt_pretrained(config)
    is_charset_derived = config.label_dict == AUTO
    config = settle_charset(config)
    config.check_model()
    loader, hints = create_train_loader(config)
    evaluation = create_evaluation(config) if config.run_eval else None
    runtime = initialize(config.device_target, config.device_id, config.run_distribute)
    if runtime.is_main:
        make_folders(config)
    if is_charset_derived and runtime.is_main:
        save_charset(config)
    loader.rank, loader.world_size = runtime.rank, runtime.world_size
    if config.overfit_batches:
        return check_overfitting(config, loader, runtime, hints)
    session = create_session(config, loader, runtime, evaluation, hints)
    result, signal_number = session.run()
    if runtime.is_main:
        report(config, {**result, "unreadable": list(loader.unreadable)})
    session.ranks.wait()  # a launcher kills the others when one has ended with a signal's status
    return 128 + signal_number if signal_number else 0


def make_folders(config: Config) -> None:
    """Makes the folders of the results: one that cannot be made must not show after hours of training."""
    for option in ("output_dir", "save_checkpoint_path"):
        try:
            Path(config[option]).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{option} {config[option]}: {error.strerror}") from None


def create_session(
    config: Config,
    loader: "Batches",
    runtime: Runtime,
    evaluation: "Evaluate | None",
    hints: Sequence[Hint],
) -> "TrainingSession":
    """One training as the options say, ready to run."""
    # Imports MindSpore, which reads the environment that initialize() sets.
    from src.training.precision import resolve_level
    from src.training.session import TrainingSession

    options = TrainingOptions(**{field.name: config[field.name] for field in fields(TrainingOptions)})
    recorded = {name: config[name] for name in sorted(RECORDED - {WORLD_SIZE})}
    recorded[WORLD_SIZE] = runtime.world_size
    recorded["amp_level"] = resolve_level(
        config.amp_level, runtime.device_target
    )  # `auto` is not the same everywhere
    return TrainingSession(options, describe(config), loader, runtime, evaluation, recorded, hints)


def for_overfitting(config: Config) -> Config:
    """The options of the self-check: those given, but plain images and a folder of its own for results."""
    if config.run_distribute:
        raise UserError("overfit_batches: runs on one device; leave out run_distribute")
    if config.resume_ckpt:
        _logger.info("overfit_batches: starts anew, resume_ckpt is not used")
    folder = str(Path(config.output_dir) / "overfit")
    return config.replaced(
        augment="none",
        max_steps=config.max_steps or DEFAULT_STEPS,
        run_eval=False,
        eval_start_epoch=1,
        eval_interval=1,
        eval_interval_steps=0,
        eval_examples=0,
        resume_ckpt="",
        save_checkpoint=False,
        save_best_ckpt=False,
        eval_all_saved_ckpts=False,
        save_checkpoint_path=folder,
        output_dir=folder,
    )


def check_overfitting(
    config: Config, loader: TrainLoader | RenderLoader, runtime: Runtime, hints: Sequence[Hint]
) -> int:
    """Trains on the first batches until all are read right; 0 if they are, 1 if not."""
    batches = FirstBatches(loader, config.overfit_batches)
    check = OverfitCheck(batches.kept, config.charset)
    session = create_session(config, batches, runtime, check, hints)
    result, signal_number = session.run()
    (evaluation,) = session.evaluate().values()
    verdict = check.verdict(evaluation, result["step"])
    outcome = {"right": verdict.right, "images": verdict.images}
    report(config, {**result, "overfit": outcome, "unreadable": list(loader.unreadable)})
    for line in verdict.lines:
        _logger.log(logging.INFO if verdict.works else logging.WARNING, "%s", line)
    if signal_number:
        return 128 + signal_number
    return 0 if verdict.works else 1


def adopt_pretrained(config: Config) -> Config:
    """With `pretrained`, the network, alphabet and width of that model where the options leave them open."""
    if not config.pretrained:
        return config
    path = resolve_model(config.pretrained)
    artifact = read_checkpoint_file(path).artifact
    if artifact is None:
        return config
    adopted = config.adopting(artifact)
    taken = [f"{name} {adopted[name]}" for name in sorted(adopted) if adopted[name] != config[name]]
    if taken:
        _logger.info("taken from %s: %s", path, ", ".join(taken))
    return adopted


def settle_charset(config: Config) -> Config:
    """With `label_dict auto`, the alphabet of the training labels."""
    if config.label_dict != AUTO:
        return config
    config.require("train_dataset_path")
    source = load_samples(config.train_dataset, config.train_dataset_path, split="train")
    characters = resolve_characters(AUTO, source)
    return config.replaced(label_dict=characters)


def save_charset(config: Config) -> None:
    """Writes a derived alphabet to `output_dir`/charset.txt."""
    path, characters = Path(config.output_dir) / "charset.txt", config.label_dict
    save_charset_file(str(path), characters)
    _logger.info("label_dict auto: %d characters, written to %s: %s", len(characters), path, characters)


def create_train_loader(config: Config) -> tuple[TrainLoader | RenderLoader, list[Hint]]:
    """The training data, with its report in the log, and what its labels give reason to say."""
    if config.train_dataset == "render":
        return create_render_loader(config), []
    config.require("train_dataset_path")
    source = load_samples(config.train_dataset, config.train_dataset_path, split="train")
    limits = config.charset, config.preprocessing, config.max_text_length
    hints = dropped_label_hints(source, *limits)
    try:
        dataset = WordDataset(source, *limits)
    except UserError as error:
        raise UserError("\n".join([str(error), *map(str, hints)])) from None
    for line in dataset.report.lines():
        _logger.info("training data: %s", line)
    hints += kept_label_hints(dataset.kept, config.charset)
    loader = TrainLoader(
        dataset,
        config.batch_size,
        config.seed,
        num_workers=config.num_parallel_workers,
        ordered_epochs=config.ordered_epochs,
        augment=create_augmentation(config.augment),
        fills_last={"auto": None, "drop": False, "fill": True}[config.last_batch],
    )
    return loader, hints


def create_render_loader(config: Config) -> RenderLoader:
    """Words that are rendered while training."""
    renderer = create_renderer(
        charset=config.charset,
        words_file=config.render_words or None,
        font_dir=config.render_fonts or None,
        effects_file=config.render_effects or None,
        seed=config.seed,
        split=config.render_split,
        max_time_steps=min(config.preprocessing.time_steps, config.max_text_length),
    )
    _logger.info("training data: words rendered on the fly, %d images an epoch", config.render_epoch_images)
    return RenderLoader(
        renderer,
        config.preprocessing,
        config.batch_size,
        ramp=Ramp(config.render_ramp_start, config.render_ramp_end),
        epoch_images=config.render_epoch_images,
        num_workers=config.num_parallel_workers,
    )


def create_evaluation(config: Config) -> "Evaluate":
    """Forward function -> evaluation on each `train_eval_dataset`; they are opened once."""
    config.require("train_eval_dataset_path")
    loaders = {
        label: EvalLoader(
            create_dataset(
                name,
                path,
                split="test",
                charset=config.charset,
                preprocessing=config.preprocessing,
                for_training=False,
            ),
            config.batch_size,
            num_workers=config.num_parallel_workers,
        )
        for label, name, path in evaluation_sets(config.train_eval_dataset, config.train_eval_dataset_path)
    }
    decoder, protocol = GreedyDecoder(config.charset), create_protocol(config.protocol, config.charset)
    return lambda forward: {
        label: evaluate(forward, decoder, loader, protocol) for label, loader in loaders.items()
    }


def describe(config: Config) -> Artifact:
    """The self-description of this training's checkpoints."""
    packages = ("mindspore", "numpy", "opencv-python-headless")
    return Artifact(
        charset=config.charset,
        preprocessing=config.preprocessing,
        network=config.network,
        versions={name: importlib.metadata.version(name) for name in packages},
        training={"dataset": config.train_dataset, "batch_size": config.batch_size, "seed": config.seed},
    )


def report(config: Config, result: dict[str, object]) -> None:
    """Says how the training ended, and writes `train_result.json`."""
    _logger.info(
        "trained to step %(step)d in %(seconds).0f s (%(images_per_second).0f images/s), "
        "saved %(checkpoint)s",
        result,
    )
    if result["unreadable"]:
        _logger.warning("%d images could not be read", len(result["unreadable"]))
    path = Path(config.output_dir) / "train_result.json"
    write_text(path, json.dumps(result, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    sys.exit(main())
