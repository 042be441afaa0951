"""What may change between a training and its resumption: one rule for every option.

Network, charset and image sizes are not named here: they are the model itself, and another one is refused
(`Artifact.check_same_model`).
"""

import logging
import math
from collections.abc import Mapping
from typing import Any

from crnn_mindspore.errors import UserError

_logger = logging.getLogger(__name__)

# The state in the checkpoint would not fit.
REFUSED = frozenset({"freeze_features", "optimizer"})

WORLD_SIZE = "world_size"  # the number of processes: no option of its own

# Taken over and announced: the training goes on, but not as it would have without the change.
ANNOUNCED = frozenset(
    {
        "accumulate_steps",
        "amp_level",
        "augment",
        "augment_crop",
        "augment_scale",
        "balance",
        "batch_size",
        "clip_norm",
        "ctc_operator",
        "decay_rate",
        "decay_steps",
        "ema_decay",
        "epoch_size",
        "gamma_decay",
        "gamma_l1",
        "last_batch",
        "learning_rate",
        "loss_scale",
        "lr_epochs",
        "lr_schedule",
        "lr_values",
        "lstm_kernel",
        "max_steps",
        "max_text_length",
        "momentum",
        "nesterov",
        "ordered_epochs",
        "overflow_check",
        "render_effects",
        "render_epoch_images",
        "render_fonts",
        "render_length",
        "render_lines",
        "render_only_fonts",
        "render_photos",
        "render_ramp_end",
        "render_ramp_start",
        "render_rare",
        "render_split",
        "render_text",
        "render_words",
        "renderer",
        "scale_learning_rate",
        "seed",
        "train_dataset",
        "train_dataset_path",
        "use_dropout",
        "warmup_steps",
        "weight_decay",
        WORLD_SIZE,
    }
)

# How long a training goes on; the same one may be prolonged.
LENGTH = frozenset({"epoch_size", "max_steps"})

# An update takes as many images as the product of these.
_UPDATE_SIZE = ("batch_size", "accumulate_steps", WORLD_SIZE)

# What decides which images an epoch has, and their order.
_ORDER = (
    "seed",
    "balance",
    "train_dataset",
    "train_dataset_path",
    "max_text_length",
    "ordered_epochs",
    "render_epoch_images",
)

# What checkpoints of earlier versions do not say.
_EARLIER = {WORLD_SIZE: 1, "balance": ""}

# Every other option changes nothing of what is learnt.
RECORDED = REFUSED | ANNOUNCED


def compare_options(saved: Mapping[str, Any], given: Mapping[str, Any], origin: str) -> None:
    """Applies the rules to the options of a checkpoint and of the training that resumes from it.

    Args:
        saved: Option -> value, as recorded in the checkpoint; one that is missing is not compared.
        given: The same of the new command.
        origin: The checkpoint.

    Raises:
        UserError: For a change that is refused, naming both values.
    """
    changed = {name for name in RECORDED & saved.keys() & given.keys() if saved[name] != given[name]}
    for name in sorted(changed & REFUSED):
        raise UserError(
            f"{origin}: was trained with {name} {saved[name]!r}, which cannot become {given[name]!r} on "
            "resuming; to start anew from its weights, use --pretrained"
        )
    for name in sorted(changed):
        _logger.warning("resuming with %s %r, it was %r before", name, given[name], saved[name])


def compare_data(saved: Mapping[str, Any], given: Mapping[str, Any], origin: str) -> None:
    """Says which facts of the training data are others than when the checkpoint was made.

    They may be: more images, other typefaces. The training goes on, but not as it would have.

    Args:
        saved: Fact -> value, as recorded in the checkpoint; none in one of an earlier version.
        given: The same now.
        origin: The checkpoint.
    """
    if not saved:
        _logger.warning("%s: does not say which data it was trained on, so that is not compared", origin)
        return
    for name in sorted(saved.keys() | given.keys()):
        before, now = saved.get(name, "none"), given.get(name, "none")
        if before != now:
            _logger.warning(
                "resuming with other training data than %s was made with: %s %s, now %s",
                origin,
                name,
                before,
                now,
            )


def step_in_epoch(saved: Mapping[str, Any], given: Mapping[str, Any], step: int) -> int | None:
    """Where an epoch goes on when an update takes another number of images than before.

    The order of an epoch does not depend on the number of devices, the batch size or the batches that make
    an update, so the images already trained on are the first of it, and the training goes on behind them.
    What is no whole number of the new updates is trained on again: fewer images than one update takes.

    Args:
        saved: Option -> value, as recorded in the checkpoint.
        given: The same of the training that resumes from it.
        step: Updates of the old size done in the epoch.

    Returns:
        Updates of the new size done in the epoch; None where the options do not tell, or where the data or
        their order have changed, so that the position means nothing.
    """
    saved, given = ({**_EARLIER, **options} for options in (saved, given))
    if any(name not in options for options in (saved, given) for name in (*_UPDATE_SIZE, *_ORDER)):
        return None
    if any(saved[name] != given[name] for name in _ORDER):
        return None
    old, new = (math.prod(int(options[name]) for name in _UPDATE_SIZE) for options in (saved, given))
    return step * old // new
