"""The digest of a whole MINDIR or AIR, which its description carries: operators count like parameters."""

import hashlib
import logging
from collections.abc import Sequence

from crnn_mindspore.artifacts.artifact import Artifact, description_path
from crnn_mindspore.errors import UserError

_logger = logging.getLogger(__name__)


def file_digest(path: str) -> str:
    """SHA-256 of a file.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def own_description(path: str, described: Sequence[Artifact]) -> Artifact:
    """The description that is of a file; one without a digest, of an earlier version, is warned of.

    Args:
        path: The MINDIR or AIR.
        described: Those that lie beside it, see `read_descriptions`; at least one.

    Raises:
        UserError: If none is: the file was changed after it was written, or is another model's.
    """
    digest = file_digest(path)
    found = next((artifact for artifact in described if artifact.graph_sha256 == digest), None)
    if found is not None:
        return found
    without = next((artifact for artifact in described if not artifact.graph_sha256), None)
    if without is None:
        raise UserError(
            f"{path}: does not have the graph_sha256 in {description_path(path)}: damaged, changed, or of "
            "another model"
        )
    _logger.warning(
        "%s: %s carries no graph_sha256, so it is not known whether its operators were changed; export it "
        "again to have one",
        path,
        description_path(path),
    )
    return without
