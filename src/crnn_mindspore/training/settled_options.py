"""Options that follow from something else: the self-check, the model to start from, the labels."""

import logging
import tempfile
from pathlib import Path

from crnn_mindspore.artifacts.agreement import adopting, codec_of
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.artifacts.model_path import resolve_model
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.charset_file import (
    AUTO,
    derive_characters,
    label_dict_of,
)
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text_file import write_text
from crnn_mindspore.training.result_file import keep_former
from crnn_mindspore.training.watching.overfit import DEFAULT_STEPS

_logger = logging.getLogger(__name__)


def for_overfitting(options: TrainOptions) -> TrainOptions:
    """The options of the self-check: those given, but plain images and a folder of its own for results."""
    if options.run_distribute:
        raise UserError("overfit_batches: runs on one device; leave out run_distribute")
    if options.resume_ckpt:
        _logger.info("overfit_batches: starts anew, resume_ckpt is not used")
    folder = str(Path(options.output_dir) / "overfit")
    return options.replaced(
        augment="none",
        augment_scale=0.0,
        augment_crop=0.0,
        max_steps=options.max_steps or DEFAULT_STEPS,
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


def adopt_pretrained(options: TrainOptions) -> TrainOptions:
    """With `pretrained`, the network, alphabet and width of that model where the options leave them open."""
    if not options.pretrained:
        return options
    path = resolve_model(options.pretrained, options.task)
    options = options.replaced(pretrained=path)
    artifact = read_checkpoint_file(path).artifact
    if artifact is None:
        return options
    adopted = adopting(options, artifact)
    before, after = options.values(), adopted.values()
    taken = [f"{name} {after[name]}" for name in sorted(after) if after[name] != before[name]]
    if taken:
        _logger.info("taken from %s: %s", path, ", ".join(taken))
    return adopted


def settle_charset(options: TrainOptions) -> TrainOptions:
    """With `label_dict auto`, the alphabet of the training labels."""
    if options.label_dict != AUTO:
        return options
    if options.train_dataset == "render":
        raise UserError("label_dict auto: rendered words have no labels to take it from; give the alphabet")
    options.require("train_dataset_path")
    source = load_samples(options.train_dataset, options.train_dataset_path, split="train")
    return options.replaced(label_dict=label_dict_of(Charset(derive_characters(source))))


def save_charset(options: TrainOptions) -> None:
    """Writes a derived alphabet to `output_dir`/charset.txt; another one that is there is kept."""
    path, charset = Path(options.output_dir) / "charset.txt", codec_of(options)
    text = "".join(f"{name}\n" for name in charset.classes)
    if path.is_file() and path.read_bytes() != text.encode():
        keep_former(path)
    write_text(path, text)
    characters = charset.characters
    _logger.info("label_dict auto: %d characters, written to %s: %s", len(characters), path, characters)


def make_folders(options: TrainOptions) -> None:
    """Makes the folders of the results: one that cannot be used must not show after hours of training.

    Checkpoints must be written; without its logs a run goes on.

    Raises:
        UserError: If a folder cannot be made, or no file in that of the checkpoints.
    """
    for option in ("output_dir", "save_checkpoint_path"):
        folder = Path(getattr(options, option))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if option == "save_checkpoint_path":
                with tempfile.TemporaryFile(dir=folder):
                    pass
        except OSError as error:
            raise UserError(f"{option} {folder}: cannot be written: {error.strerror}") from None
