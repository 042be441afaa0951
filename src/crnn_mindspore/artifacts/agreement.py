"""Options and models: what the options describe, and whether a model agrees with those that were given."""

from typing import Any, TypeVar

from crnn_mindspore.artifacts.artifact import Artifact, NetworkSpec
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.sources.charset_file import label_dict_of, resolve_charset
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.common import ImageTextOptions, ModelOptions, NetworkOptions
from crnn_mindspore.text.charset import Charset

Kind = TypeVar("Kind", bound=ModelOptions)


def charset_of(options: ImageTextOptions) -> Charset:
    """The alphabet of `label_dict`, which may name a file; `auto` must be settled by the labels first."""
    return resolve_charset(options.label_dict, with_space=options.with_space)


def preprocessing_of(options: ImageTextOptions) -> Preprocessing:
    """The image transform of the sizes."""
    return Preprocessing(height=options.image_height, width=options.image_width)


def network_of(options: NetworkOptions) -> NetworkSpec:
    """Version and sizes of the network."""
    return NetworkSpec(options.model_version, options.hidden_size, options.channel_scale)


def check_derived(options: ModelOptions) -> None:
    """Compares given values with those that follow from the alphabet, the width and the network.

    Raises:
        UserError: Naming both values, if `class_num`, `blank`, `num_step` or `input_size` was given and
            contradicts.
    """
    charset = charset_of(options)
    derived = {
        "class_num": charset.num_classes,
        "blank": charset.blank,
        "num_step": preprocessing_of(options).time_steps,
        "input_size": round(512 * options.channel_scale),
    }
    for name, value in derived.items():
        given = getattr(options, name)
        if name in options.given and given != value:
            raise UserError(f"{name} is given as {given}, but {value} follows from the other options")


def check_artifact(options: ModelOptions, artifact: Artifact, origin: str) -> None:
    """Compares what the user gave with what a model says of itself.

    Raises:
        UserError: Naming both values, at the first that differs.
    """
    own: dict[str, Any] = {
        **_adoptable(artifact),
        "label_dict": artifact.charset.description,
        "with_space": options.with_space and " " in artifact.charset.classes,
        "image_height": artifact.preprocessing.height,
        "class_num": artifact.charset.num_classes,
        "blank": artifact.charset.blank,
        "num_step": artifact.preprocessing.time_steps,
    }
    for name, value in own.items():
        if name not in options.given:
            continue
        given = charset_of(options).description if name == "label_dict" else getattr(options, name)
        if value != given:
            raise UserError(f"{origin}: was made with {name} {value!r}, but {name} {given!r} was given")


def adopting(options: Kind, artifact: Artifact) -> Kind:
    """The options with a model's network, alphabet and image width where the user gave none.

    Args:
        options: Of a training.
        artifact: Of the model that it starts from.
    """
    own = _adoptable(artifact)
    return options.replaced(**{name: value for name, value in own.items() if name not in options.given})


def _adoptable(artifact: Artifact) -> dict[str, Any]:
    return {
        "label_dict": label_dict_of(artifact.charset),
        "image_width": artifact.preprocessing.width,
        "model_version": artifact.network.version,
        "hidden_size": artifact.network.hidden_size,
        "channel_scale": artifact.network.channel_scale,
    }
