"""MindSpore's checkpoint files, read without MindSpore."""

import io
import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact, hash_weights
from crnn_mindspore.artifacts.model_zoo import V1_ENTRIES, convert_v1, is_zoo_v1
from crnn_mindspore.artifacts.protobuf import prepare_protobuf
from crnn_mindspore.artifacts.weights import require_finite
from crnn_mindspore.errors import UserError

Weights = dict[str, npt.NDArray[np.generic]]

# What a training keeps beside the parameters, under these in its checkpoints: the trained parameters,
# where the averaged ones take their names; the optimiser's, the loss scale's and the loss's own.
RAW_PREFIX = "raw."
OPTIMIZER_PREFIX = "optimizer."
SCALER_PREFIX = "scaler."
LOSS_PREFIX = "loss."
_TRAINING_PREFIXES = (RAW_PREFIX, OPTIMIZER_PREFIX, SCALER_PREFIX, LOSS_PREFIX)
_FOREIGN_PREFIXES = ("vgg.", "rnn.")  # of the network, in a checkpoint that does not describe itself
STATE_KEY = "crnn_train_state"  # of a training, as JSON
_TEXTS = (METADATA_KEY, STATE_KEY)
# In the model zoo's checkpoints, but no part of the network it evaluates.
ZOO_UNUSED = ("vgg.bn1.",)

_TYPES: dict[str, Any] = {
    "Bool": np.bool_,
    "Int8": np.int8,
    "Int16": np.int16,
    "Int32": np.int32,
    "Int64": np.int64,
    "UInt8": np.uint8,
    "UInt16": np.uint16,
    "UInt32": np.uint32,
    "UInt64": np.uint64,
    "Float16": np.float16,
    "Float32": np.float32,
    "Float64": np.float64,
}
_TEXT = "str"  # its content is UTF-32
_LONGEST_NAME = 512  # bytes looked at for the name of an entry
_MOST_ENTRIES = 50_000  # large arrays come in several
_ENTRY = b"\x0a"  # protobuf: field 1 of the message, a length follows


@dataclass(frozen=True)
class CheckpointFile:
    """What a checkpoint holds.

    Attributes:
        weights: The network's parameters by name.
        others: Every other array: optimiser state, averages.
        texts: Every text.
        artifact: The self-description; None in a checkpoint of another program.
    """

    weights: Weights
    others: Weights
    texts: dict[str, str]
    artifact: Artifact | None


def read_checkpoint_file(path: str) -> CheckpointFile:
    """Reads a checkpoint of this project or of the model zoo. Nothing is unpickled.

    Raises:
        UserError: If the file is missing, damaged, holds no CRNN, not the parameters it describes, or numbers
            that are not finite.
    """
    weights: Weights = {}
    others: Weights = {}
    entries = _read_entries(path)
    texts = {name: value for name, value in entries.items() if isinstance(value, str)}
    for name, value in entries.items():
        if not isinstance(value, str):
            (weights if _is_of_network(name, METADATA_KEY in texts) else others)[name] = value
    if not weights:
        raise UserError(f"{path}: holds no parameter of a CRNN")
    if METADATA_KEY not in texts and is_zoo_v1(others):
        weights |= convert_v1({**weights, **others}, path)
        others = {name: array for name, array in others.items() if name not in V1_ENTRIES}
    artifact = Artifact.from_json(texts[METADATA_KEY], path) if METADATA_KEY in texts else None
    if artifact is not None and artifact.weights_sha256 != hash_weights(weights):
        raise UserError(f"{path}: its parameters do not have the hash of its description: damaged or changed")
    require_finite(weights, path)
    return CheckpointFile(weights, others, texts, artifact)


def _is_of_network(name: str, is_own: bool) -> bool:
    """Whether an entry is a parameter of the network; the own ones are all that no training keeps."""
    if is_own:
        return not name.startswith(_TRAINING_PREFIXES)
    return name.startswith(_FOREIGN_PREFIXES) and not name.startswith(ZOO_UNUSED)


def read_texts(path: str) -> dict[str, str]:
    """The texts of a checkpoint by name: its description and the state of its training.

    Quick: arrays are passed over, so that damage within them goes unnoticed; a file cut off is damaged.

    Raises:
        UserError: If the file cannot be read or is not a whole checkpoint.
    """
    message = _checkpoint_message()()
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            while (start := file.tell()) < size:
                length = _entry_length(file)
                end = file.tell() + length
                head = file.read(min(length, _LONGEST_NAME))
                name = head[2 : 2 + head[1]] if len(head) > 1 and head[1] < 128 else b""
                if end > size:
                    raise ValueError("cut off")
                if name.decode("utf-8", "replace") in _TEXTS:
                    file.seek(start)
                    message.MergeFromString(file.read(end - start))
                file.seek(end)
        return {entry.tag: str(_decode(entry.tensor, entry.tensor.tensor_content)) for entry in message.value}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, IndexError, _decode_error()) as error:
        raise UserError(f"{path}: not a whole MindSpore checkpoint: {error}") from None


def _entry_length(file: IO[bytes]) -> int:
    """Bytes of the entry that begins here, its own head not counted."""
    if file.read(1) != _ENTRY:
        raise ValueError("no entry where one should begin")
    length = shift = 0
    while True:
        byte = file.read(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return length
        if shift > 63:
            raise ValueError("a length that is none")


def _decode_error() -> type[Exception]:
    prepare_protobuf()
    from google.protobuf.message import DecodeError

    return DecodeError


def as_computed(artifact: Artifact, weights: Weights) -> Artifact:
    """The description of a network in memory: float32 weights and their hash, whatever the file holds.

    Exports and calibrations made from a file in half precision carry this hash.
    """
    computed = {name: array.astype(np.float32) for name, array in weights.items()}
    return replace(artifact, weights_sha256=hash_weights(computed), precision="fp32")


def _read_entries(path: str) -> dict[str, npt.NDArray[np.generic] | str]:
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"no such checkpoint: {path}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    message = _checkpoint_message()()
    entries: dict[str, npt.NDArray[np.generic] | str] = {}
    try:
        _check_count(content)
        message.ParseFromString(content)
        slices: dict[str, list[Any]] = {}  # large tensors come in several entries of one name
        for entry in message.value:
            slices.setdefault(entry.tag, []).append(entry.tensor)
        for name, tensors in slices.items():
            entries[name] = _decode(tensors[0], b"".join(tensor.tensor_content for tensor in tensors))
    except (ValueError, KeyError, IndexError, OverflowError, _decode_error()) as error:
        raise UserError(f"{path}: not a whole MindSpore checkpoint: {error}") from None
    return entries


def _check_count(content: bytes) -> None:
    """Raises ValueError for more entries than a model has: in memory each takes many times its bytes."""
    with io.BytesIO(content) as file:
        for _ in range(_MOST_ENTRIES):
            if file.tell() >= len(content):
                return
            file.seek(_entry_length(file), os.SEEK_CUR)
    raise ValueError(f"more than {_MOST_ENTRIES:,} entries")


def _decode(tensor: Any, content: bytes) -> npt.NDArray[np.generic] | str:
    if tensor.tensor_type == _TEXT:
        return content.decode("utf-32-le")
    if tensor.tensor_type not in _TYPES:
        raise ValueError(f"a tensor of type {tensor.tensor_type!r}")
    shape = () if list(tensor.dims) == [0] else tuple(tensor.dims)
    return np.frombuffer(content, _TYPES[tensor.tensor_type]).reshape(shape)


@cache
def _checkpoint_message() -> Any:
    """The message `Checkpoint` of MindSpore's checkpoint.proto, in a pool of its own."""
    prepare_protobuf()
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="crnn_checkpoint.proto", syntax="proto2")
    tensor = file.message_type.add(name="Tensor")
    tensor.field.add(name="dims", number=1, type=field.TYPE_INT64, label=field.LABEL_REPEATED)
    tensor.field.add(name="tensor_type", number=2, type=field.TYPE_STRING, label=field.LABEL_REQUIRED)
    tensor.field.add(name="tensor_content", number=3, type=field.TYPE_BYTES, label=field.LABEL_REQUIRED)
    checkpoint = file.message_type.add(name="Checkpoint")
    value = checkpoint.nested_type.add(name="Value")
    value.field.add(name="tag", number=1, type=field.TYPE_STRING, label=field.LABEL_REQUIRED)
    value.field.add(
        name="tensor",
        number=2,
        type=field.TYPE_MESSAGE,
        type_name=".Tensor",
        label=field.LABEL_REQUIRED,
    )
    checkpoint.field.add(
        name="value",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".Checkpoint.Value",
        label=field.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Checkpoint"))
