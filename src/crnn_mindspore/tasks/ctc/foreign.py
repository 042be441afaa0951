"""Checkpoints without a self-description, as the model zoo writes them: what their shapes say."""

import logging

from crnn_mindspore.artifacts.artifact import Artifact, hash_weights
from crnn_mindspore.artifacts.checkpoint_file import ZOO_UNUSED
from crnn_mindspore.artifacts.weights import CLASS_LAYERS, Arrays
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.codec import Codec

_logger = logging.getLogger(__name__)

_FULL_FEATURES = 512  # channels of the last convolution at channel_scale 1
_ZOO_OTHER = (
    "sequence_length",
    "labels_indices",
    "moments.",
    "accum.",
    "stat.",
    "learning_rate",
    "global_step",
    "epoch_num",
    "step_num",
    "momentum",
)


def describe_foreign(
    weights: Arrays,
    others: Arrays,
    codec: Codec,
    preprocessing: Preprocessing,
    path: str,
) -> Artifact:
    """The description of a checkpoint without one: version and sizes from the shapes, the rest as given.

    Raises:
        UserError: If the shapes are neither a V1 nor a V2 network, or the charset has another number of
            classes (both are named).
    """
    if not isinstance(codec, Charset):
        raise UserError(
            f"{path}: carries no self-description, so it is one of CTC, and another task was asked for"
        )
    charset = codec
    try:
        version = next(v for v, layer in CLASS_LAYERS.items() if f"{layer}.weight" in weights)
        classes, hidden_twice = weights[f"{CLASS_LAYERS[version]}.weight"].shape
        channel_scale = weights["vgg.conv7.conv.weight"].shape[0] / _FULL_FEATURES
    except (StopIteration, KeyError, ValueError, IndexError):
        raise UserError(
            f"{path}: carries no self-description and is no V1 or V2 network of the model zoo"
        ) from None
    if classes != charset.num_classes:
        raise UserError(
            f"{path}: has {classes} classes, but label_dict has {len(charset)} characters and a blank: "
            f"{charset.num_classes}; give the alphabet it was trained with (`crnn convert weights` writes "
            "it into the checkpoint)"
        )
    unexpected = [name for name in others if not name.startswith(ZOO_UNUSED + _ZOO_OTHER)]
    if unexpected:
        _logger.warning("%s: ignored %d unknown entries, the first: %s", path, len(unexpected), unexpected[0])
    _logger.info("%s: no self-description; charset and sizes are taken from the options", path)
    network = NetworkSpec(version, hidden_twice // 2, channel_scale)
    return Artifact(charset, preprocessing, network, weights_sha256=hash_weights(weights))
