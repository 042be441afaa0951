"""The models of one service, each under a name of its own."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.errors import UserError
from crnn_mindspore.serving.answers import Health
from crnn_mindspore.serving.batching import BatchingReader

ONLY = "model"  # the name of the one that is not named

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # stands in a path as it is


@dataclass(frozen=True)
class ServedModel:
    """A model that answers requests.

    Attributes:
        name: In the paths of its own.
        artifact: Its description.
        reader: Reads the images.
        health: What is said of it.
    """

    name: str
    artifact: Artifact
    reader: BatchingReader
    health: Health


def parse_models(text: str) -> Mapping[str, str]:
    """Name -> model, of `NAME=MODEL,NAME=MODEL`, in that order.

    Raises:
        UserError: If a part has another form, or a name comes twice.
    """
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, equals, model = part.strip().partition("=")
        if not (equals and model and _NAME.fullmatch(name)):
            raise UserError(
                f"models: {part.strip()!r} must be NAME=MODEL, the name of letters, digits, _, . and -"
            )
        if name in found:
            raise UserError(f"models: the name {name!r} comes twice")
        found[name] = os.path.expanduser(model)
    return found
