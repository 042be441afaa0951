"""What a data set is, in a few facts that tell it from another: to be kept, and compared later."""

import hashlib
import json
import os
from collections.abc import Mapping

import numpy as np

from crnn_mindspore.data.image_io import UnreadableImageError
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.sources.samples import SampleSource

Facts = dict[str, int | str]

_LOOKED_AT = 256  # images whose name and size count


def dataset_facts(dataset: WordDataset) -> Facts:
    """Number of images, hash of all labels in their order, hash of the names and sizes of some images.

    The images are spread evenly over the data set. Quick, whatever its size: MJSynth takes about a second.
    """
    kept = dataset.kept
    return {"images": len(kept), "labels": _labels(kept), "files": _files(kept)}


def digest_of(facts: Mapping[str, object]) -> str:
    """One hash of all facts, which must be values of JSON; 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _labels(source: SampleSource) -> str:
    """Of the texts in the order of the samples, whatever the order in which a source knows them."""
    texts, ids = source.distinct_texts()
    hashes = np.array([_short_hash(text) for text in texts], dtype=np.uint64)
    return hashlib.sha256(hashes[ids].tobytes()).hexdigest()[:16]


def _files(source: SampleSource) -> str:
    digest = hashlib.sha256()
    count = min(_LOOKED_AT, len(source))
    for i in range(count):
        position = i * len(source) // count
        try:
            size = len(source.image_bytes(position))
        except UnreadableImageError:
            size = -1
        name = os.path.basename(source.name(position))  # the folder may move
        digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _short_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
