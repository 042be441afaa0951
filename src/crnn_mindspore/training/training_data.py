"""The training data that the options ask for: a data set, or words rendered while training."""

import logging

from crnn_mindspore.artifacts.agreement import kind_in, model_of
from crnn_mindspore.data.checking.findings import Hint
from crnn_mindspore.data.loading.loader import TrainLoader
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.synth.augment import create_augmentation
from crnn_mindspore.synth.render_loader import Ramp, RenderLoader

_logger = logging.getLogger(__name__)


def create_train_loader(options: TrainOptions) -> tuple[TrainLoader | RenderLoader, list[Hint]]:
    """The training data, with its report in the log, and what its labels give reason to say."""
    if options.train_dataset == "render":
        return create_render_loader(options), []
    options.require("train_dataset_path")
    source = load_samples(options.train_dataset, options.train_dataset_path, split="train")
    model = model_of(options)
    limits = model.codec, model.preprocessing, options.max_text_length
    hints = model.kind.dropped_label_hints(source, *limits)
    try:
        dataset = WordDataset(source, *limits, num_workers=options.num_parallel_workers)
    except UserError as error:
        raise UserError("\n".join([str(error), *map(str, hints)])) from None
    for line in dataset.report.lines():
        _logger.info("training data: %s", line)
    hints += model.kind.kept_label_hints(dataset.kept, model.codec)
    balanced_by = None
    if options.balance:
        balanced_by = model.kind.classes_to_balance(dataset.kept, model.codec, options.balance)
    loader = TrainLoader(
        dataset,
        options.batch_size,
        options.seed,
        num_workers=options.num_parallel_workers,
        ordered_epochs=options.ordered_epochs,
        augment=create_augmentation(options.augment, scale=options.augment_scale, crop=options.augment_crop),
        fills_last={"auto": None, "drop": False, "fill": True}[options.last_batch],
        balanced_by=balanced_by,
    )
    return loader, hints


def create_render_loader(options: TrainOptions) -> RenderLoader:
    """Images that are rendered while training."""
    renderer = kind_in(options).renderer(options)
    what = options.renderer or ("lines" if options.render_lines else "words")
    _logger.info(
        "training data: %s rendered on the fly, %d images an epoch", what, options.render_epoch_images
    )
    return RenderLoader(
        renderer,
        model_of(options).preprocessing,
        options.batch_size,
        ramp=Ramp(options.render_ramp_start, options.render_ramp_end),
        epoch_images=options.render_epoch_images,
        num_workers=options.num_parallel_workers,
    )
