"""What can be wrong with images: unreadable, truncated, tiny, upright, twice with different labels."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from crnn_mindspore.data.checking.findings import ERROR, NOTE, WARNING, Findings
from crnn_mindspore.data.image_io import TruncatedImageError, UnreadableImageError, decode_image
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.progress_bar import progress_bar
from crnn_mindspore.text.codec import Codec

UNREADABLE = "unreadable images"
TRUNCATED = "truncated images"
TINY = "images under 8 pixels high or wide"
UPRIGHT = "images more than 1.5 times as high as wide (vertical text?)"
DUPLICATE = "the same picture more than once"
CONTRADICTION = "the same picture with different labels"
OVERLAP = "pictures of the test set that are in the training set"
OVERLAP_LABELS = "words of the test set that are in the training set"

_QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)
_AT_ONCE = 256


@dataclass
class ImageStatistics:
    """What the images of a set look like.

    Attributes:
        looked_at: Images that were read; fewer than the set has if it is large.
        readable: Those that could be decoded.
        widths: Minimum, 5 %, median, 95 % and maximum, pixels.
        heights: The same.
        aspects: The same of width / height.
        natural_width: Median width at the network's height with the aspect ratio kept, pixels.
        first_of: Digest of a picture -> the first sample that shows it.
    """

    looked_at: int = 0
    readable: int = 0
    widths: list[float] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    aspects: list[float] = field(default_factory=list)
    natural_width: int = 0
    first_of: dict[bytes, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Look:
    """One image looked at: its error, or its size and a digest of its pixels."""

    index: int
    error: str = ""
    truncated: bool = False
    width: int = 0
    height: int = 0
    digest: bytes = b""


def chosen_samples(total: int, most: int) -> Sequence[int]:
    """All samples, or `most` of them spread evenly where there are more; 0 for all."""
    if most <= 0 or total <= most:
        return range(total)
    return [k * total // most for k in range(most)]


def check_images(
    source: SampleSource,
    codec: Codec,
    height: int,
    findings: Findings,
    *,
    most: int = 0,
    workers: int = 2,
) -> ImageStatistics:
    """Reads and decodes the images.

    Args:
        source: The set.
        codec: Decides whether two labels are the same.
        height: The network's input height, pixels.
        findings: What is found is added here.
        most: Images to look at, spread evenly; 0 for all.
        workers: Background threads.
    """
    statistics = ImageStatistics()
    sizes: list[tuple[int, int]] = []
    chosen = chosen_samples(len(source), most)
    bar = progress_bar(_look_at(source, chosen, workers), total=len(chosen), desc="images", unit="image")
    for look in bar:
        statistics.looked_at += 1
        if look.error:
            findings.add(TRUNCATED if look.truncated else UNREADABLE, ERROR, look.error)
            continue
        sizes.append((look.width, look.height))
        where = f"{source.name(look.index)} ({look.width} x {look.height})"
        if min(look.width, look.height) < 8:
            findings.add(TINY, WARNING, where)
        elif look.height > 1.5 * look.width:
            findings.add(UPRIGHT, NOTE, where)
        _compare(source, codec, look, statistics.first_of, findings)
    statistics.readable = len(sizes)
    if sizes:
        array = np.array(sizes, dtype=float)
        aspects = array[:, 0] / array[:, 1]
        statistics.widths = np.quantile(array[:, 0], _QUANTILES).round(1).tolist()
        statistics.heights = np.quantile(array[:, 1], _QUANTILES).round(1).tolist()
        statistics.aspects = np.quantile(aspects, _QUANTILES).round(2).tolist()
        statistics.natural_width = round(float(np.median(aspects)) * height)
    return statistics


def check_overlap(
    train: SampleSource,
    train_images: ImageStatistics,
    test: SampleSource,
    test_images: ImageStatistics,
    codec: Codec,
    findings: Findings,
) -> None:
    """Looks for pictures and words of the test set in the training set."""
    for digest, index in test_images.first_of.items():
        twin = train_images.first_of.get(digest)
        if twin is not None:
            findings.add(OVERLAP, WARNING, f"{test.name(index)} is {train.name(twin)}")
    words, used = train.distinct_texts()  # MJSynth's words are those of its lexicon, whichever split has them
    known = {codec.normalize(words[int(k)]) for k in np.unique(used)}
    texts, ids = test.distinct_texts()
    weights = np.bincount(ids, minlength=len(texts))
    for k in np.flatnonzero(weights):
        if codec.normalize(texts[int(k)]) in known:
            findings.add(OVERLAP_LABELS, NOTE, f"{texts[int(k)]!r}", int(weights[k]))


def _compare(
    source: SampleSource, codec: Codec, look: _Look, first_of: dict[bytes, int], findings: Findings
) -> None:
    first = first_of.setdefault(look.digest, look.index)
    if first == look.index:
        return
    pair = f"{source.name(look.index)} is {source.name(first)}"
    findings.add(DUPLICATE, NOTE, pair)
    own, other = source.text(look.index), source.text(first)
    if codec.normalize(own) != codec.normalize(other):
        findings.add(CONTRADICTION, WARNING, f"{pair}: {own!r} and {other!r}")


def _look_at(source: SampleSource, chosen: Sequence[int], workers: int) -> Iterator[_Look]:
    """Looks at the images in order, some batches of them in the background at a time."""
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for begin in range(0, len(chosen), _AT_ONCE):
            yield from pool.map(lambda i: _look(source, i), chosen[begin : begin + _AT_ONCE])


def _look(source: SampleSource, index: int) -> _Look:
    name = source.name(index)
    try:
        image = decode_image(source.image_bytes(index), name)
    except UnreadableImageError as error:
        return _Look(index, str(error), isinstance(error, TruncatedImageError))
    height, width = image.shape[:2]
    digest = hashlib.blake2b(
        image.tobytes(), digest_size=12, person=f"{width}x{height}".encode()[:16]
    ).digest()
    return _Look(index, width=width, height=height, digest=digest)
