"""One run from its options to its result. Imports MindSpore, so that its environment must be set before."""

import importlib.metadata
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from crnn_mindspore.artifacts.agreement import model_of
from crnn_mindspore.artifacts.artifact import WIDEST, Artifact
from crnn_mindspore.data.checking.findings import Hint
from crnn_mindspore.data.loading.first_batches import FirstBatches
from crnn_mindspore.data.loading.loader import TrainLoader
from crnn_mindspore.engines.mindspore.runtime import Runtime
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.synth.render_loader import RenderLoader
from crnn_mindspore.training.checkpoints.checkpoint_folder import remove_unfinished
from crnn_mindspore.training.checkpoints.folder_lock import alone_in
from crnn_mindspore.training.checkpoints.resume_policy import RECORDED, WORLD_SIZE
from crnn_mindspore.training.evaluating import Evaluate
from crnn_mindspore.training.result_file import RESULT_NAME, keep_former_result, write_result
from crnn_mindspore.training.session import TrainingSession
from crnn_mindspore.training.settled_options import save_charset
from crnn_mindspore.training.trainer import Batches
from crnn_mindspore.training.updates.amp import resolve_level, scale_of
from crnn_mindspore.training.watching.overfit import OverfitCheck

_logger = logging.getLogger(__name__)


def run(
    options: TrainOptions,
    loader: TrainLoader | RenderLoader,
    hints: Sequence[Hint],
    evaluation: Evaluate | None,
    runtime: Runtime,
    saves_charset: bool = False,
) -> int:
    """Trains; returns the exit status, 128 + its number when stopped by a signal.

    Args:
        options: Settled.
        loader: The training data.
        hints: What its labels give reason to say.
        evaluation: See `create_evaluation`; None evaluates nothing.
        runtime: Where it computes.
        saves_charset: Whether the alphabet is written down: it was derived from the labels.
    """
    loader.rank, loader.world_size = runtime.rank, runtime.world_size
    folders = [Path(options.output_dir), Path(options.save_checkpoint_path)] if runtime.is_main else []
    with alone_in(folders) as is_alone:
        if runtime.is_main and is_alone:
            remove_unfinished(Path(options.save_checkpoint_path))
        if options.overfit_batches:
            return check_overfitting(options, loader, runtime, hints, saves_charset)
        session = create_session(options, loader, runtime, evaluation, hints)
        _begin_output(options, session, saves_charset)
        result, signal_number = session.run()
        if runtime.is_main:
            report(options, {**result, "unreadable": list(loader.unreadable)}, session.is_finished)
        session.ranks.wait()  # a launcher kills the others when one has ended with a signal's status
        return 128 + signal_number if signal_number else 0


def _begin_output(options: TrainOptions, session: TrainingSession, saves_charset: bool) -> None:
    """Keeps what another run has left in `output_dir`, and writes what belongs there from the start on."""
    if not session.runtime.is_main:
        return
    if session.leaves_other and not session.is_finished:
        keep_former_result(Path(options.output_dir))
    if saves_charset:
        save_charset(options)


def create_session(
    options: TrainOptions,
    loader: Batches,
    runtime: Runtime,
    evaluation: Evaluate | None,
    hints: Sequence[Hint],
) -> TrainingSession:
    """One training as the options say, ready to run."""
    options = options.replaced(**runtime.profile.training_options(options))
    recorded = {name: getattr(options, name) for name in sorted(RECORDED - {WORLD_SIZE})}
    recorded["loss_scale"] = scale_of(options.loss_scale)
    recorded[WORLD_SIZE] = runtime.world_size
    recorded["amp_level"] = resolve_level(
        options.amp_level, runtime.device_target
    )  # `auto` is not the same everywhere
    return TrainingSession(options, describe(options), loader, runtime, evaluation, recorded, hints)


def check_overfitting(
    options: TrainOptions,
    loader: TrainLoader | RenderLoader,
    runtime: Runtime,
    hints: Sequence[Hint],
    saves_charset: bool = False,
) -> int:
    """Trains on the first batches until all are read right; 0 if they are, 1 if not."""
    batches = FirstBatches(loader, options.overfit_batches)
    check = OverfitCheck(batches.kept, model_of(options))
    session = create_session(options, batches, runtime, check, hints)
    _begin_output(options, session, saves_charset)
    result, signal_number = session.run()
    (evaluation,) = session.evaluate().values()
    verdict = check.verdict(evaluation, result["step"])
    outcome = {"right": verdict.right, "images": verdict.images}
    report(options, {**result, "overfit": outcome, "unreadable": list(loader.unreadable)})
    for line in verdict.lines:
        _logger.log(logging.INFO if verdict.works else logging.WARNING, "%s", line)
    if signal_number:
        return 128 + signal_number
    return 0 if verdict.works else 1


def describe(options: TrainOptions) -> Artifact:
    """The self-description of this training's checkpoints.

    What is trained on images that keep their ratio reads longer ones so, too.
    """
    packages = ("mindspore", "numpy", "opencv-python-headless")
    return replace(
        model_of(options),
        reading={"widest": WIDEST} if options.keep_ratio else {},
        versions={name: importlib.metadata.version(name) for name in packages},
        training={"dataset": options.train_dataset, "batch_size": options.batch_size, "seed": options.seed},
    )


def report(options: TrainOptions, result: dict[str, Any], was_finished: bool = False) -> None:
    """Says how the training ended, and writes `train_result.json`.

    Args:
        options: Settled.
        result: What happened.
        was_finished: Whether there was nothing left to train: a result that is there stays.
    """
    folder = Path(options.output_dir)
    if was_finished and (folder / RESULT_NAME).exists():
        return
    _logger.info(
        "trained to step %(step)d in %(seconds).0f s (%(images_per_second).0f images/s), "
        "saved %(checkpoint)s",
        result,
    )
    if result["unreadable"]:
        _logger.warning("%d images could not be read", len(result["unreadable"]))
    write_result(folder, result)
