"""Yaml files, also of unknown origin: plain values, as many as the file is worth, each key once."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from crnn_mindspore.errors import UserError

MOST_BYTES = 4 * 2**20
MOST_DEPTH = 64  # lists and mappings in one another
MOST_VALUES = 1_000_000
_UNFINISHED = -1


def read_yaml(path: Path) -> dict[str, Any]:
    """The first document of a yaml file, which must be a mapping; of an empty file an empty one.

    Raises:
        UserError: If it is missing, is no yaml, holds something else, or values that stand for others
            (`*name`) of which few bytes would make more than memory holds.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UserError(f"{path}: larger than {MOST_BYTES:,} bytes")
        documents = list(yaml.load_all(content.decode("utf-8"), _PlainLoader))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # no UTF-8, a date that is none
        raise UserError(f"{path}: not a yaml file: {' '.join(str(error).split())}") from None
    first = documents[0] if documents else None
    if first is None:
        return {}
    if not isinstance(first, dict):
        raise UserError(f"{path}: expected lines of 'key: value'")
    return first


class _PlainLoader(yaml.SafeLoader):
    """Refuses values that grow without end, deep nesting, and a key that stands twice."""

    _depth = 0

    def compose_document(self) -> yaml.Node | None:
        """The next document."""
        node = super().compose_document()
        if node is not None and _weight(node, {}) > MOST_VALUES:
            raise yaml.YAMLError(
                f"its values, those behind `*name` written out, are more than {MOST_VALUES:,}"
            )
        return node

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node."""
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise yaml.YAMLError(f"lists and mappings in one another more than {MOST_DEPTH} deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping of a node."""
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys and key.value != "<<":
                    raise yaml.YAMLError(f"'{key.value}' stands twice")
                keys.add(key.value)
        return super().construct_mapping(node, deep)


def _weight(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node holds, each as often as it is stood for; `known` has those of nodes seen."""
    if id(node) in known:
        if known[id(node)] == _UNFINISHED:
            raise yaml.YAMLError("a value holds itself")
        return known[id(node)]
    known[id(node)] = _UNFINISHED
    weight = 1
    if isinstance(node, yaml.SequenceNode):
        weight += sum(_weight(part, known) for part in node.value)
    elif isinstance(node, yaml.MappingNode):
        weight += sum(_weight(key, known) + _weight(part, known) for key, part in node.value)
    known[id(node)] = weight
    return weight
