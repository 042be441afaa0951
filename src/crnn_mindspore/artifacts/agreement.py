"""Options and models: what the options describe, and whether a model agrees with those that were given."""

from typing import Any, TypeVar

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import STEP_OFFSET, Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.common import ImageTextOptions, ModelOptions
from crnn_mindspore.tasks.finding import allow_module, kind_of
from crnn_mindspore.tasks.interface import Kind
from crnn_mindspore.text.codec import Codec

Options = TypeVar("Options", bound=ModelOptions)


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
    """The image transform that the options ask for; without a network, that of V1 and V2."""
    return Preprocessing(
        options.image_height,
        options.image_width,
        options.image_colours,
        options.image_resize,
        options.image_mean,
        options.image_std,
        standardize=options.image_standardize,
        step_offset=kind_in(options).step_offset(options.model_version)
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


def check_derived(options: ModelOptions) -> None:
    """Compares given values with those that follow from the other options.

    Raises:
        UserError: Naming both values, if one was given and contradicts.
    """
    for name, value in derived_of(options).items():
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
    }
    if "output" in options.given or "task" in options.given:
        kind_in(options)
        pairs = {"output": (artifact.task, options.output), **pairs}
    if artifact.task == options.output:
        pairs = {**pairs, **artifact.kind.agreement(options, artifact)}
    for name, (value, given) in pairs.items():
        if (name in options.given or name == "output") and value != given:
            raise UserError(f"{origin}: was made with {name} {value!r}, but {name} {given!r} was given")


def adopting(options: Options, artifact: Artifact) -> Options:
    """The options with a model's network, classes and image transform where the user gave none.

    Args:
        options: Of a training.
        artifact: Of the model that it starts from.
    """
    image = artifact.preprocessing
    own: dict[str, Any] = {
        "image_width": image.width,
        "image_colours": image.channel_order,
        "image_resize": image.interpolation,
        "image_mean": image.mean,
        "image_std": image.std,
        "image_standardize": image.standardize,
    }
    if artifact.task == options.output:
        own |= artifact.kind.adoptable(artifact)
    return options.replaced(**{name: value for name, value in own.items() if name not in options.given})
