"""Files that `torch.save` writes: the arrays of a state dict, without running what is in the file.

From PyTorch 1.6 on a file is a zip archive, uncompressed, with a pickle `data.pkl` and the numbers of every
storage under `data/`. Before, it was a chain of pickles (a magic number, a version, facts of the machine, the
value, the names of the storages) with the storages' numbers behind, each after its count in eight bytes.

Memory: the arrays once, and at most 200 MB for the pickle (see `MOST_BYTES`).

Source: PyTorch, torch/serialization.py.
"""

import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.torch.safetensors_file import Arrays
from crnn_mindspore.artifacts.torch.tensor_pickle import (
    MOST_BYTES,
    STORAGES,
    StorageRef,
    TensorRef,
    read_pickle,
)
from crnn_mindspore.errors import UserError

ENDINGS = (".pth", ".pt", ".tar", ".bin", ".pkl", ".ckpt")
_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001
_MOST_AXES = 8
# Where a training's checkpoint keeps the state dict.
_HOLDERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")

Storages = Mapping[str, npt.NDArray[np.generic]]


def read_pth(path: str | Path) -> Arrays:
    """The arrays of the state dict in a file, by name; bfloat16 comes as float32.

    Raises:
        UserError: If the file cannot be read, is damaged, holds anything but tensors, texts, numbers, lists
            and dictionaries of these, or no state dict.
    """
    try:
        size = os.path.getsize(path)
        if zipfile.is_zipfile(path):
            return _of_zip(path, size)
        return _of_chain(Path(path).read_bytes())
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except (ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise UserError(f"{path}: cannot be read as weights of PyTorch: {error}") from None


def _of_zip(path: str | Path, size: int) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in entries if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError(f"the archive has {len(pickles)} files data.pkl, must have one")
        folder = pickles[0].removesuffix("data.pkl")

        def content(name: str) -> bytes:
            if name not in entries:
                raise ValueError(f"the archive lacks {name}")
            info = entries[name]
            if info.compress_type != zipfile.ZIP_STORED or max(info.file_size, info.compress_size) > size:
                raise ValueError(f"{name} in the archive is compressed, or larger than the file")
            return archive.read(info)

        if f"{folder}byteorder" in entries and content(f"{folder}byteorder") != b"little":
            raise ValueError("its numbers are big-endian")
        found = read_pickle(content(pickles[0]))
        tensors = _state_dict(found.value)
        _check_size(tensors, size)
        storages = {
            key: _numbers(ref, content(f"{folder}data/{key}")) for key, ref in _storages(tensors).items()
        }
    return _arrays(tensors, storages)


def _of_chain(content: bytes) -> Arrays:
    if _MAGIC.to_bytes(10, "little") not in content[:20]:
        raise ValueError("neither a zip archive nor a file of an older PyTorch")
    pickles, place = [], 0
    for _ in range(5):
        pickles.append(read_pickle(content[place : place + MOST_BYTES]))
        place += pickles[-1].length
    _, version, _, value, keys = (pickle.value for pickle in pickles)
    if version != _LEGACY_VERSION or type(keys) is not list:
        raise ValueError(f"it has version {version!r}, must have {_LEGACY_VERSION}")
    tensors = _state_dict(value)
    _check_size(tensors, len(content))
    wanted, known = _storages(tensors), pickles[3].storages
    storages: dict[str, npt.NDArray[np.generic]] = {}
    for key in keys:
        count = int.from_bytes(content[place : place + 8], "little")
        if key not in known:
            raise ValueError(f"storage {key!r} belongs to no tensor")
        if count != known[key].count:
            raise ValueError(f"storage {key!r} has {count:,} numbers, must have {known[key].count:,}")
        length = count * np.dtype(STORAGES[known[key].kind]).itemsize
        if key in wanted:
            storages[key] = _numbers(known[key], content[place + 8 : place + 8 + length])
        place += 8 + length
    return _arrays(tensors, storages)


def _state_dict(value: Any) -> dict[str, TensorRef]:
    """The dictionary of tensors, which a checkpoint of a training has among others."""
    for _ in range(2):
        if isinstance(value, dict) and not any(isinstance(v, TensorRef) for v in value.values()):
            value = next((value[name] for name in _HOLDERS if isinstance(value.get(name), dict)), value)
    if not isinstance(value, dict) or not any(isinstance(v, TensorRef) for v in value.values()):
        found = (
            ", ".join(ascii(str(key)[:40]) for key in list(value)[:5])
            if isinstance(value, dict)
            else type(value).__name__
        )
        raise ValueError(f"it holds no state dict, but {found}")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, TensorRef):
            raise ValueError(f"{str(name)[:80]!a} in its state dict is not a tensor")
    return value


def _storages(tensors: Mapping[str, TensorRef]) -> dict[str, StorageRef]:
    return {tensor.storage.key: tensor.storage for tensor in tensors.values()}


def _check_size(tensors: Mapping[str, TensorRef], size: int) -> None:
    """Raises ValueError where shapes are none, or tensors and storages would be larger than the file."""
    needed = 0
    for name, tensor in tensors.items():
        numbers = (*tensor.shape, *tensor.strides, tensor.offset, tensor.storage.count, tensor.storage.first)
        is_shape = len(tensor.shape) == len(tensor.strides) <= _MOST_AXES
        if not is_shape or not all(type(n) is int and 0 <= n <= size for n in numbers):
            raise ValueError(f"{name!r} has shape {tensor.shape[:9]!r} in a file of {size:,} bytes")
        needed += math.prod(tensor.shape) * np.dtype(STORAGES[tensor.storage.kind]).itemsize
    stored = sum(ref.count * np.dtype(STORAGES[ref.kind]).itemsize for ref in _storages(tensors).values())
    if max(needed, stored) > size:
        raise ValueError(f"its tensors would have {max(needed, stored):,} bytes, the file has {size:,}")


def _numbers(ref: StorageRef, content: bytes) -> npt.NDArray[np.generic]:
    kind = np.dtype(STORAGES[ref.kind])
    if len(content) != ref.count * kind.itemsize:
        raise ValueError(
            f"storage {ref.key!r} has {len(content):,} bytes, must have {ref.count * kind.itemsize:,}"
        )
    numbers = np.frombuffer(content, kind)
    if ref.kind == "BFloat16Storage":
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers


def _arrays(tensors: Mapping[str, TensorRef], storages: Storages) -> Arrays:
    arrays: Arrays = {}
    for name, tensor in tensors.items():
        if tensor.storage.key not in storages:
            raise ValueError(f"the numbers of {name!r} are missing")
        numbers = storages[tensor.storage.key][tensor.storage.first + tensor.offset :]
        reach = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True))
        if math.prod(tensor.shape) and reach >= len(numbers):
            raise ValueError(f"{name!r} of shape {tensor.shape} reaches beyond its storage")
        strides = [stride * numbers.itemsize for stride in tensor.strides]
        view = np.lib.stride_tricks.as_strided(numbers, tensor.shape, strides, writeable=False)
        arrays[name] = np.ascontiguousarray(view).reshape(tensor.shape)
    return arrays
