"""Options and models: what the options describe, and whether a model agrees with those that were given."""

from collections.abc import Collection
from typing import Any, TypeVar

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import STEP_OFFSET, Preprocessing
from crnn_mindspore.data.sources.charset_file import AUTO
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.common import ImageTextOptions, ModelOptions
from crnn_mindspore.options.load import task_options
from crnn_mindspore.shown import around_difference
from crnn_mindspore.tasks.finding import allow_module, kind_of
from crnn_mindspore.tasks.interface import Kind
from crnn_mindspore.text.codec import Codec

Options = TypeVar("Options", bound=ModelOptions)

# What a training that starts from CTC weights may choose anew: to convolutions and LSTM, the width is only a
# number of time steps.
WIDTHS = ("keep_ratio", "image_width", "image_width_step", "image_turn_above")


def kind_in(options: ImageTextOptions) -> Kind:
    """The kind of output that the options ask for.

    Raises:
        UserError: If there is none of that name.
    """
    if "." in options.output:
        allow_module(options.output)
    return kind_of(options.output)


def codec_of(options: ModelOptions) -> Codec:
    """The classes that the options ask for."""
    return kind_in(options).codec_from(options)


def preprocessing_of(options: ImageTextOptions) -> Preprocessing:
    """The image transform that the options ask for; without a network, that of V1 and V2.

    Raises:
        UserError: If images are to keep their ratio where the kind of output reads images of one size.
    """
    kind = kind_in(options)
    if options.keep_ratio and kind.has_one_size:
        raise UserError(
            f"keep_ratio: output {options.output!r} reads images of one size; leave keep_ratio out"
        )
    return Preprocessing(
        options.image_height,
        options.image_width,
        options.image_colours,
        options.image_resize,
        options.image_mean,
        options.image_std,
        standardize=options.image_standardize,
        width_step=options.image_width_step if options.keep_ratio else 0,
        turn_above=options.image_turn_above if options.keep_ratio else 0.0,
        step_offset=kind.step_offset(options.model_version)
        if isinstance(options, ModelOptions)
        else STEP_OFFSET,
    )


def network_of(options: ModelOptions) -> Any:
    """What the network is built from."""
    return kind_in(options).network_from(options)


def model_of(options: ModelOptions) -> Artifact:
    """The model that the options ask for, before it has weights."""
    kind = kind_in(options)
    return Artifact(
        codec=kind.codec_from(options),
        preprocessing=preprocessing_of(options),
        network=kind.network_from(options),
        task=kind.name,
    )


def derived_of(options: ModelOptions) -> dict[str, int]:
    """The model zoo's options that follow from the others."""
    return kind_in(options).derived(options)


def check_derived(options: ModelOptions, kind: Kind | None = None) -> None:
    """Compares given values with those that follow from the other options.

    Args:
        options: Of a command.
        kind: That of the model; None for the one that the options ask for.

    Raises:
        UserError: Naming both values, if one was given and contradicts.
    """
    for name, value in (kind or kind_in(options)).derived(options).items():
        given = getattr(options, name)
        if name in options.given and given != value:
            raise UserError(f"{name} is given as {given}, but {value} follows from the other options")


def check_artifact(options: ModelOptions, artifact: Artifact, origin: str) -> None:
    """Compares what the user gave with what a model says of itself.

    Raises:
        UserError: Naming both values, at the first that differs.
    """
    own = artifact.preprocessing
    pairs: dict[str, tuple[Any, Any]] = {
        "image_width": (own.width, options.image_width),
        "image_height": (own.height, options.image_height),
        "image_colours": (own.channel_order, options.image_colours),
        "image_resize": (own.interpolation, options.image_resize),
        "image_mean": (own.mean, options.image_mean),
        "image_std": (own.std, options.image_std),
        "image_standardize": (own.standardize, options.image_standardize),
        "keep_ratio": (own.width_step > 0, options.keep_ratio),
        "image_width_step": (own.width_step, options.image_width_step),
        "image_turn_above": (own.turn_above, options.image_turn_above),
    }
    if "output" in options.given or "task" in options.given:
        kind_in(options)
        pairs = {"output": (artifact.task, options.output), **pairs}
    if artifact.task == options.output:
        pairs = {**pairs, **artifact.kind.agreement(options, artifact)}
    for name, (value, given) in pairs.items():
        if (name in options.given or name == "output") and value != given:
            raise UserError(f"{origin}: was made with {name} {value!r}, but {name} {given!r} was given")
    if "task" in options.given:
        check_task(options.task, artifact, origin, options.given)


def check_task(task: str, artifact: Artifact, origin: str, given: Collection[str] = ()) -> None:
    """Compares a task that the user names with a model: the kind of output, and the classes of its yaml.

    Args:
        task: The task.
        artifact: Of the model.
        origin: The model's file.
        given: Options that the user gave; they take the place of the yaml's.

    Raises:
        UserError: Naming both values, at the first that differs.
    """
    asked = task_options(task)
    if artifact.task != asked.output:
        if "output" in given:
            return
        raise UserError(
            f"{origin}: was made with output {artifact.task!r}, but task {task!r} has output {asked.output!r}"
        )
    names = (asked.given & artifact.kind.classes_of(artifact.codec).keys()) - set(given)
    if asked.label_dict == AUTO:  # any alphabet
        names -= {"label_dict"}
    for name, (value, wanted) in artifact.kind.agreement(asked.with_given(names), artifact).items():
        if value != wanted:
            own, other = around_difference(repr(value), repr(wanted))
            raise UserError(f"{origin}: was made with {name} {own}, but task {task!r} has {name} {other}")


def adopting(options: Options, artifact: Artifact) -> Options:
    """The options with a model's network, classes and image transform where the user gave none.

    Args:
        options: Of a training.
        artifact: Of the model that it starts from.
    """
    image = artifact.preprocessing
    own: dict[str, Any] = {
        "image_width": image.width,
        "image_height": image.height,
        "image_colours": image.channel_order,
        "image_resize": image.interpolation,
        "image_mean": image.mean,
        "image_std": image.std,
        "image_standardize": image.standardize,
        "keep_ratio": image.width_step > 0,
    }
    if image.width_step:
        own |= {"image_width_step": image.width_step, "image_turn_above": image.turn_above}
    if artifact.task == options.output:
        own |= artifact.kind.adoptable(artifact)
    return options.replaced(**{name: value for name, value in own.items() if name not in options.given})
