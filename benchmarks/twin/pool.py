"""Rendered images on the device: kept, and seen several times before they make room for others."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

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
        left_out: Images that were rendered before these and not sent.
    """

    images: torch.Tensor
    targets: torch.Tensor
    lengths: npt.NDArray[np.int32]
    left_out: int = 0


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
    """Rings of images and targets on the device, from which batches of one width are drawn at random.

    New images come first, so that each is seen; a batch is filled up with others that were seen less than
    `replays` times, all of one width once before any comes again. The oldest make room when a ring is full,
    whatever their width.

    Args:
        capacity: Images.
        chunk: An example, for the shapes.
        replays: How often an image is seen at most.
        device: Where images and targets are kept.
        rng: Source of chance.
        unit: Columns of which every width is a multiple; 0: all images are as wide as the example.
        columns: Of all images together; 0: `capacity` images like the example.

    Attributes:
        taken_in: Images so far.
        left_out: Images that were rendered and not sent.
        drawn: Images handed out so far.
        unseen: Images that made room before they were seen.
    """

    def __init__(
        self,
        capacity: int,
        chunk: Chunk,
        replays: int,
        device: torch.device,
        rng: np.random.Generator,
        unit: int = 0,
        columns: int = 0,
    ) -> None:
        _, height, width, channels = chunk.images.shape
        self.capacity = capacity
        self.replays = replays
        self.taken_in = self.left_out = self.drawn = self.unseen = 0
        self._unit = unit or width
        strips = (columns or capacity * width) // self._unit
        # An image lies in as many strips as it has units of width, cut anywhere: widths share the memory.
        shape = strips, height * self._unit * channels
        self._strips = torch.empty(shape, dtype=torch.uint8, device=device)
        self._targets = torch.zeros((capacity, chunk.targets.shape[1]), dtype=torch.int32, device=device)
        self._lengths = np.zeros(capacity, dtype=np.int32)
        self._uses = np.full(capacity, replays, dtype=np.int16)  # empty places are used up
        self._widths = np.zeros(capacity, dtype=np.int32)
        self._firsts = np.zeros(capacity, dtype=np.int64)  # strip with which an image begins
        self._held: deque[_Held] = deque()
        self._rings = [capacity, strips]
        self._ends = [0, 0]
        self._shelves: dict[int, _Shelf] = {}
        self._device = device
        self._rng = rng

    def available(self, least: int = 1) -> int:
        """Images that may be drawn, of the widths that have at least so many of them."""
        return sum(shelf.available for shelf in self._with(least))

    def waiting(self, least: int = 1) -> int:
        """Images that were not drawn yet, of the widths that have at least so many to draw."""
        return sum(shelf.waiting for shelf in self._with(least))

    def take_in(self, chunk: Chunk) -> None:
        """Adds images of one width, in place of the oldest where there is no room."""
        count, _, width, _ = chunk.images.shape
        units = width // self._unit
        first, strip = (self._room(ring, size) for ring, size in enumerate((count, count * units)))
        places = np.arange(first, first + count)
        self._held.append(_Held(width, (first, strip), self._ends.copy()))
        strips = chunk.images.reshape(count * units, -1)
        self._strips[strip : strip + count * units].copy_(strips, non_blocking=True)
        self._targets[first : first + count].copy_(chunk.targets, non_blocking=True)
        self._lengths[places] = chunk.lengths
        self._uses[places] = 0
        self._widths[places] = width
        self._firsts[places] = strip + units * np.arange(count)
        self._shelves.setdefault(width, _Shelf()).add(places)
        self.taken_in += count
        self.left_out += chunk.left_out

    def draw(self, count: int) -> Draw:
        """A batch of one width; there must be one that has so many images that may be drawn.

        Widths come as often as their images do: one that has a whole batch of new images before others.
        """
        widths = [width for width, shelf in self._shelves.items() if shelf.waiting >= count]
        sizes = [self._shelves[width].waiting for width in widths]
        if not widths:
            widths = [width for width, shelf in self._shelves.items() if shelf.available >= count]
            sizes = [self._shelves[width].available for width in widths]
        if not widths:
            raise RuntimeError("fewer images may be drawn than a batch needs")
        width = int(self._rng.choice(widths, p=np.array(sizes) / sum(sizes)))
        shelf = self._shelves[width]
        new = self._used(shelf, shelf.take_new(min(count, shelf.waiting)))
        again = self._take_again(width, count - len(new))
        places = np.concatenate([new, again])
        self.drawn += count
        on_device, firsts = self._on_device(np.stack([places, self._firsts[places]]))
        units = width // self._unit
        strips = (firsts[:, None] + torch.arange(units, device=self._device)).flatten()
        images = self._strips[strips].view(count, -1, width, 3)
        is_again = torch.arange(count, device=self._device) >= len(new)
        lengths = torch.from_numpy(self._lengths[places])
        return Draw(images, self._targets[on_device], lengths, is_again)

    def _with(self, least: int) -> list["_Shelf"]:
        return [shelf for shelf in self._shelves.values() if shelf.available >= least]

    def _room(self, ring: int, size: int) -> int:
        """The first of so many neighbouring places, now free; chunks stay whole."""
        first = self._ends[ring]
        if first + size > self._rings[ring]:
            while self._held and self._held[0].firsts[ring] >= first:
                self._drop_oldest()
            first = 0
        self._ends[ring] = first + size
        while self._held and self._held[0].firsts[ring] < first + size and self._held[0].ends[ring] > first:
            self._drop_oldest()
        return first

    def _drop_oldest(self) -> None:
        held = self._held.popleft()
        places = np.arange(held.firsts[0], held.ends[0])
        left = int((self._uses[places] < self.replays).sum())
        self.unseen += self._shelves[held.width].drop(left, places[-1])
        self._uses[places] = self.replays

    def _take_again(self, width: int, count: int) -> Indices:
        shelf, found, missing = self._shelves[width], [np.empty(0, dtype=np.int64)], count
        while missing:
            if not len(shelf.order):
                shelf.order = self._seen(width, np.flatnonzero(self._widths == width))
                self._rng.shuffle(shelf.order)
            candidates, shelf.order = shelf.order[:missing], shelf.order[missing:]
            found.append(self._used(shelf, self._seen(width, candidates)))
            missing -= len(found[-1])
        return np.concatenate(found)

    def _seen(self, width: int, places: Indices) -> Indices:
        """Those that hold an image of the width that was seen before and may be again."""
        uses = self._uses[places]
        return places[(uses > 0) & (uses < self.replays) & (self._widths[places] == width)]

    def _used(self, shelf: "_Shelf", places: Indices) -> Indices:
        """Counts one more use of these, all different."""
        self._uses[places] += 1
        shelf.available -= int((self._uses[places] >= self.replays).sum())
        return places

    def _on_device(self, numbers: Indices) -> torch.Tensor:
        tensor = torch.from_numpy(numbers)
        if self._device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self._device, non_blocking=True)


@dataclass(frozen=True)
class _Held:
    """Where a chunk lies in the rings of images and of strips: its first places and those behind it."""

    width: int
    firsts: tuple[int, int]
    ends: Sequence[int]


@dataclass
class _Shelf:
    """Images of one width that may be drawn, by their places."""

    new: deque[Indices] = field(default_factory=deque)
    waiting: int = 0  # images that were not drawn yet
    available: int = 0
    order: Indices = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def add(self, places: Indices) -> None:
        self.new.append(places)
        self.waiting += len(places)
        self.available += len(places)

    def take_new(self, count: int) -> Indices:
        found, missing = [np.empty(0, dtype=np.int64)], count
        while missing:
            places = self.new.popleft()
            if len(places) > missing:
                self.new.appendleft(places[missing:])
                places = places[:missing]
            found.append(places)
            missing -= len(places)
        self.waiting -= count
        return np.concatenate(found)

    def drop(self, left: int, last: int) -> int:
        """Forgets the oldest chunk, which ends with place `last`; returns how many of it were never drawn.

        Args:
            left: How many of it may still be drawn.
            last: Its last place.
        """
        lost = len(self.new.popleft()) if self.new and self.new[0][-1] == last else 0
        self.waiting -= lost
        self.available -= left
        return lost
