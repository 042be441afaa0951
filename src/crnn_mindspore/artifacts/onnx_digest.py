"""The digest that an ONNX file carries of itself, so that a change anywhere in it is noticed on loading.

The hash of the weights in the self-description cannot show it: batch norm is folded into what the file holds.
"""

import hashlib
import logging
from collections.abc import Mapping

from crnn_mindspore.errors import UserError

DIGEST_KEY = "graph_sha256"  # name in the metadata
PLACEHOLDER = "0" * 64  # stands for the digest while it is computed

_logger = logging.getLogger(__name__)


def fill_in_digest(content: bytes) -> bytes:
    """The content with its SHA-256 in place of the placeholder, which it must hold once."""
    if content.count(PLACEHOLDER.encode()) != 1:
        raise ValueError("the content must hold the digest's placeholder once")
    return content.replace(PLACEHOLDER.encode(), hashlib.sha256(content).hexdigest().encode())


def check_digest(content: bytes, metadata: Mapping[str, str], origin: str) -> None:
    """Compares a file with the digest in its metadata; one without, of an earlier version, is warned of.

    Args:
        content: Of the whole file.
        metadata: Its metadata.
        origin: The file, for messages.

    Raises:
        UserError: If the file was changed after it was written.
    """
    if DIGEST_KEY not in metadata:
        _logger.warning("%s: carries no %s, so it is not known whether it was changed", origin, DIGEST_KEY)
        return
    stored = metadata[DIGEST_KEY]
    blanked = content.replace(stored.encode(), PLACEHOLDER.encode()) if stored else content
    if hashlib.sha256(blanked).hexdigest() != stored:
        raise UserError(
            f"{origin}: its content does not have the {DIGEST_KEY} in its metadata: damaged or changed"
        )
