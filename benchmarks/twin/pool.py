"""Rendered images on the device: kept, and seen several times before they make room for others."""

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Chunk:
    """Images as they come from a rendering process.

    Attributes:
        images: (n, H, W, 3) uint8, BGR.
        targets: (n, L) int32.
        lengths: (n,) int32.
    """

    images: torch.Tensor
    targets: torch.Tensor
    lengths: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Draw:
    """A batch: images (N, H, W, 3) uint8 and targets (N, L) on the device, lengths (N,) on the CPU.

    Attributes:
        is_again: (N,) bool, on the device: which of them were seen before.
    """

    images: torch.Tensor
    targets: torch.Tensor
    lengths: torch.Tensor
    is_again: torch.Tensor


class Pool:
    """A ring of images in the device's memory, from which batches are drawn at random.

    New images come first, so that each is seen; a batch is filled up with others that were seen less than
    `replays` times, all of them once before any comes again. The oldest make room when the ring is full.

    Args:
        capacity: Images.
        chunk: An example, for the shapes.
        replays: How often an image is seen at most.
        device: Where images and targets are kept.
        rng: Source of chance.

    Attributes:
        taken_in: Images so far.
        drawn: Images handed out so far.
        unseen: Images that made room before they were seen.
    """

    def __init__(
        self, capacity: int, chunk: Chunk, replays: int, device: torch.device, rng: np.random.Generator
    ) -> None:
        self.capacity = capacity
        self.replays = replays
        self.taken_in = self.drawn = self.unseen = 0
        self._images = torch.empty((capacity, *chunk.images.shape[1:]), dtype=torch.uint8, device=device)
        self._targets = torch.zeros((capacity, chunk.targets.shape[1]), dtype=torch.int32, device=device)
        self._lengths = np.zeros(capacity, dtype=np.int32)
        self._uses = np.full(capacity, replays, dtype=np.int16)  # empty places are used up
        self._new: deque[Indices] = deque()
        self._new_count = 0
        self._order: Indices = np.empty(0, dtype=np.int64)
        self._available = self._end = 0
        self._device = device
        self._rng = rng

    @property
    def available(self) -> int:
        """Images that may be drawn."""
        return self._available

    @property
    def waiting(self) -> int:
        """Images that were not drawn yet."""
        return self._new_count

    def take_in(self, chunk: Chunk) -> None:
        """Adds images, in place of the oldest where there is no room."""
        count = len(chunk.lengths)
        first = self._end if self._end + count <= self.capacity else 0  # chunks stay whole
        self._end = first + count
        places = np.arange(first, first + count)
        while self._new and self._new[0][0] < first + count and self._new[0][-1] >= first:
            lost = self._new.popleft()  # a whole ring of images that nobody drew
            self.unseen += len(lost)
            self._new_count -= len(lost)
        self._available += count - int((self._uses[places] < self.replays).sum())
        self._images[first : first + count].copy_(chunk.images, non_blocking=True)
        self._targets[first : first + count].copy_(chunk.targets, non_blocking=True)
        self._lengths[places] = chunk.lengths
        self._uses[places] = 0
        self._new.append(places)
        self._new_count += count
        self.taken_in += count

    def draw(self, count: int) -> Draw:
        """A batch; there must be so many images that may be drawn."""
        new = self._take_new(min(count, self._new_count))
        again = self._take_again(count - len(new))
        places = np.concatenate([new, again])
        self.drawn += count
        on_device = self._on_device(places)
        is_again = torch.arange(count, device=self._device) >= len(new)
        lengths = torch.from_numpy(self._lengths[places])
        return Draw(self._images[on_device], self._targets[on_device], lengths, is_again)

    def _take_new(self, count: int) -> Indices:
        found, missing = [], count
        while missing:
            places = self._new.popleft()
            if len(places) > missing:
                self._new.appendleft(places[missing:])
                places = places[:missing]
            found.append(places)
            missing -= len(places)
        self._new_count -= count
        return self._used(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)

    def _take_again(self, count: int) -> Indices:
        found, missing = [np.empty(0, dtype=np.int64)], count
        while missing:
            if not len(self._order):
                self._order = np.flatnonzero((self._uses > 0) & (self._uses < self.replays))
                if not len(self._order):
                    raise RuntimeError("fewer images may be drawn than a batch needs")
                self._rng.shuffle(self._order)
            candidates, self._order = self._order[:missing], self._order[missing:]
            uses = self._uses[candidates]
            found.append(self._used(candidates[(uses > 0) & (uses < self.replays)]))
            missing -= len(found[-1])
        return np.concatenate(found)

    def _used(self, places: Indices) -> Indices:
        """Counts one more use of these, all different."""
        self._uses[places] += 1
        self._available -= int((self._uses[places] >= self.replays).sum())
        return places

    def _on_device(self, places: Indices) -> torch.Tensor:
        tensor = torch.from_numpy(places)
        if self._device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self._device, non_blocking=True)
