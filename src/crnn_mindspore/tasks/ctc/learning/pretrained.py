"""Starting a new training from the weights of another: what must fit, and what may differ."""

import logging
from typing import Any

from mindspore import nn

from crnn_mindspore.artifacts.agreement import WIDTHS
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.weights import CLASS_LAYERS
from crnn_mindspore.engines.mindspore.parameters import load_weights, network_weights
from crnn_mindspore.tasks.ctc.charset_in import charset_in
from crnn_mindspore.tasks.ctc.foreign import describe_foreign
from crnn_mindspore.tasks.ctc.growth import CharsetChange, grow_classes

_logger = logging.getLogger(__name__)

_MAY_DIFFER = ("label_dict", "case_sensitive", *WIDTHS)  # the alphabet is matched by character


def load_pretrained(network: nn.Cell, checkpoint: Any, wanted: Artifact, origin: str) -> None:
    """Loads a checkpoint's weights into a network that may have another alphabet or image width.

    What differs is logged.

    Args:
        network: Freshly initialised.
        checkpoint: Of this project or of the model zoo; one without a self-description must have been
            trained with the alphabet that is wanted.
        wanted: The description of the network.
        origin: The checkpoint's path, for messages.

    Raises:
        UserError: If version, sizes or normalisation differ (both values are named), or the weights are not
            what the description says.
    """
    own = checkpoint.artifact or describe_foreign(
        checkpoint.weights, checkpoint.others, wanted.codec, wanted.preprocessing, origin
    )
    own.check_same_model(wanted, origin, free=_MAY_DIFFER)
    if own.preprocessing.width != wanted.preprocessing.width:
        _logger.info("image_width: %d before, now %d", own.preprocessing.width, wanted.preprocessing.width)
    if (own.preprocessing.width_step > 0) != (wanted.preprocessing.width_step > 0):
        _logger.info("keep_ratio: %s before", own.preprocessing.width_step > 0)
    weights = checkpoint.weights
    if own.codec != wanted.codec:
        change = CharsetChange(charset_in(own), charset_in(wanted))
        for line in change.lines():
            _logger.info("%s", line)
        layer = CLASS_LAYERS[wanted.network.version]
        weights = grow_classes(weights, network_weights(network), layer, change, origin)
    load_weights(network, weights, origin)
