"""Options that were given and change nothing, because another one is as it is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crnn_mindspore.options.base import Options, shown

_ANY_SCHEDULE_WITH_RISE = ("cosine_step", "trapezoid", "one_cycle", "step_decay", "epochs")


@dataclass(frozen=True)
class Need:
    """What some options need in order to have an effect.

    Attributes:
        options: Their names.
        other: The option they depend on.
        is_met: Value of that one -> whether they have an effect.
        wanted: The values with which they have, in words.
    """

    options: tuple[str, ...]
    other: str
    is_met: Callable[[Any], bool]
    wanted: str


def _one_of(other: str, values: Iterable[object], *options: str) -> Need:
    values = tuple(values)
    return Need(options, other, lambda value: value in values, " or ".join(shown(value) for value in values))


NEEDS = (
    _one_of(
        "run_eval",
        [True],
        *("train_eval_dataset", "train_eval_dataset_path", "eval_all_saved_ckpts", "save_best_ckpt"),
        *("eval_start_epoch", "eval_interval", "eval_interval_steps", "eval_ranks", "eval_max_images"),
        "eval_examples",
    ),
    _one_of(
        "train_dataset",
        ["render"],
        *("render_words", "render_fonts", "render_photos", "render_effects", "render_split"),
        *("render_ramp_start", "render_ramp_end", "render_epoch_images", "render_only_fonts"),
        *("render_lines", "render_text", "render_length", "render_rare"),
        *("render_hold_out", "render_held_out"),
    ),
    Need(
        ("augment", "augment_scale", "augment_crop", "balance", "ordered_epochs", "last_batch"),
        "train_dataset",
        lambda name: name != "render",
        "a data set of files",
    ),
    _one_of("keep_ratio", [True], "image_width_step", "image_turn_above"),
    Need(("last_batch",), "keep_ratio", lambda keeps: not keeps, "False"),
    _one_of("lr_schedule", _ANY_SCHEDULE_WITH_RISE, "warmup_steps"),
    _one_of("lr_schedule", ["trapezoid", "step_decay"], "decay_steps"),
    _one_of("lr_schedule", ["step_decay", "epochs"], "decay_rate"),
    _one_of("lr_schedule", ["epochs"], "lr_epochs", "lr_values"),
    _one_of("optimizer", ["sgd", "momentum"], "momentum"),
    _one_of("optimizer", ["sgd"], "nesterov"),
    _one_of("freeze_features", [False], "gamma_l1"),
    _one_of("output", ["ctc"], "ctc_operator"),
    _one_of("model_version", ["V1", "character_net"], "use_dropout"),
    _one_of("model_version", ["paper", "vgg"], "leaky_slope", "rnn_type"),
    _one_of(
        "model_version",
        ["resnet18"],
        *("resnet_block", "stem_stride", "stem_pooling", "map_mean", "last_channels"),
    ),
    Need(
        ("positions", "loss", "label_smoothing", "renderer"),
        "output",
        lambda name: name != "ctc",
        "positions",
    ),
    _one_of("loss", ["focal"], "focal_gamma", "focal_alpha"),
    _one_of("loss", ["ghm"], "ghm_bins", "ghm_momentum", "ghm_joint"),
    _one_of("run_distribute", [True], "scale_learning_rate", "eval_ranks"),
    _one_of(
        "save_checkpoint",
        [True],
        *("save_checkpoint_steps", "save_checkpoint_epochs", "keep_checkpoint_max"),
    ),
    _one_of(
        "enable_modelarts",
        [True],
        *("data_url", "train_url", "checkpoint_url", "data_path", "output_path", "load_path"),
        "modelarts_sync_minutes",
    ),
    _one_of("decoder", ["prior", "auto"], "prior"),
    _one_of("decoder", ["beam"], "beam_width", "language_weight", "length_bonus"),
    Need(("language_weight",), "language_model", bool, "a file of words"),
    _one_of("precision", ["int8"], "calibration_dataset", "calibration_path", "calibration_images"),
    _one_of("calibrate", [True], "target_accuracy"),
    Need(("verify_path",), "verify", bool, "the name of a data set"),
)


def without_effect(options: Options, defaults: Mapping[str, Any]) -> list[str]:
    """A message for each given option that has no effect, naming the other one; those left at their default
    are not meant.

    Args:
        options: A command's.
        defaults: Name -> value where nothing is given.
    """
    values = options.values()
    messages = []
    for need in NEEDS:
        if need.other not in values or need.is_met(values[need.other]):
            continue
        for name in need.options:
            if name in options.given and name in values and values[name] != defaults.get(name):
                given, other = shown(values[name]), shown(values[need.other]) or "empty"
                messages.append(
                    f"{name} {given} has no effect: it needs {need.other} {need.wanted}, which is {other}"
                )
    return messages
