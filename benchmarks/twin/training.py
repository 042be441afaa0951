"""The loop: images come in, batches go through the network, a line every ten seconds, files every minute."""

import math
import os
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.twin.distortion import Distortion
from benchmarks.twin.pool import Chunk, Pool
from benchmarks.twin.rendering import Rendering, join
from benchmarks.twin.states import Facts, save, sizes
from benchmarks.twin.task import Task
from benchmarks.twin.update import Updates, tensors_of
from crnn_mindspore.data.preprocess import GREY, RGB, Preprocessing, own_widths
from crnn_mindspore.errors import UserError

CONTROL = "control"  # folder of its files, in that of the others
_STEPS_AHEAD = 4  # given to the device before it has finished the first of them
_BATCHES_WAITING = 16  # of new images, before rendering has to wait
_EVALUATION_BATCH = 500
_FREE_SHARE = 0.6  # of the memory, for the pool
_HALF = 127.5  # of the range of pixels


@dataclass(frozen=True)
class Plan:
    """How long, and how images are used.

    Attributes:
        batch_size: Images an update.
        seconds: Since `started` after which training ends; 0: `steps` decides.
        steps: Updates of this run; 0: `seconds` decides.
        fall_share: Share of the time or steps over which the learning rate falls to 0 at the end.
        learning_rate: Its peak.
        warmup_steps: Updates of this run over which it rises.
        schedule: Step -> learning rate; takes the place of the four above where it is given.
        replays: How often an image is seen at most.
        pool_images: Images kept on the device.
        prefill: Images that must be there to be drawn; training waits for them.
        distortion: Strength of the distortion of images that are seen again.
        report_seconds: Between two lines.
        save_seconds: Between two savings.
        most_bytes: Of all files of one saving.
        started: `time.perf_counter()` when the program began.
    """

    batch_size: int
    seconds: float
    steps: int
    fall_share: float
    learning_rate: float
    warmup_steps: int
    schedule: Callable[[int], float] | None
    replays: int
    pool_images: int
    prefill: int
    distortion: float
    report_seconds: float
    save_seconds: float
    most_bytes: int
    started: float

    def progress(self, step: int) -> float:
        """Share of the run that is over, 0 to 1."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = (time.perf_counter() - self.started) / self.seconds if self.seconds else 0.0
        return max(by_steps, by_time)

    def rate(self, step: int) -> float:
        """The learning rate of update `step` of this run."""
        if self.schedule is not None:
            return self.schedule(step)
        rise = min(1.0, (step + 1) / max(1, self.warmup_steps))
        left = max(0.0, 1.0 - self.progress(step))
        fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, left / self.fall_share)) if self.fall_share else 1.0
        return self.learning_rate * rise * fall


@dataclass(frozen=True)
class Side:
    """One of the networks that learn from the same batches.

    Attributes:
        updates: Network and optimiser.
        folder: For its files.
        figures: What the updates since the latest line returned.
    """

    updates: Updates
    folder: Path
    figures: list[tuple[torch.Tensor, ...]] = field(default_factory=list)

    def means(self) -> list[float]:
        """Of loss, gradients' norm and, where there is a guide, the guide's loss."""
        return [float(torch.stack(values).mean()) for values in zip(*self.figures, strict=True)]


class Training:
    """One run.

    Args:
        task: What is learnt.
        updates: Network and optimiser, filled.
        rendering: Gives images without end.
        facts: Where the training is.
        plan: How long.
        folder: For the files.
        seed: Of the order and the distortions.
        control: A second network, which is trained on the same batches; its files go to `control/`.
    """

    def __init__(
        self,
        task: Task,
        updates: Updates,
        rendering: Rendering,
        facts: Facts,
        plan: Plan,
        folder: Path,
        seed: int,
        control: Updates | None = None,
    ) -> None:
        self.task, self.rendering = task, rendering
        self.plan, self.folder, self.facts = plan, folder, facts
        self._sides = [Side(updates, folder)]
        if control is not None:
            self._sides.append(Side(control, folder / CONTROL))
        self._device = updates.device
        self._rng = np.random.default_rng([seed, facts.rendered])
        self._widths = own_widths(rendering.series.preprocessing)
        has_widths = len(self._widths) > 1
        self._distortion = Distortion(
            plan.distortion, self._device, seed + facts.updates, task.may_be_inverted, has_widths
        )
        self._input = Input(task.artifact.preprocessing)
        self._pool: Pool | None = None
        self._queued: deque[torch.cuda.Event] = deque()
        self._waited = 0.0
        self._last = (plan.started, 0, 0, 0)  # of the latest line: time, images rendered, trained, steps
        self._saved_at = time.perf_counter()
        self.step = 0

    def run(self) -> Facts:
        """Trains to the end and saves.

        Raises:
            UserError: If the loss is not finite; the files of the latest saving stay.
        """
        plan = self.plan
        while plan.progress(self.step) < 1:
            pool = self._fill()
            draw = pool.draw(plan.batch_size)
            images = self._distortion(self._input.planes(draw.images), draw.is_again)
            images = self._input.normalized(images).contiguous(memory_format=torch.channels_last)
            rate = plan.rate(self.step)
            for side in self._sides:
                side.figures.append(side.updates.step(images, draw.targets, draw.lengths, rate))
            self.step += 1
            self._keep_pace()
            now = time.perf_counter()
            if now - self._last[0] >= plan.report_seconds:
                self._report(now)
            if now - self._saved_at >= plan.save_seconds:
                self.save()
        self._report(time.perf_counter())
        self.rendering.stop()
        self.save()
        return self._now()

    def save(self) -> None:
        """Writes the files."""
        self._check()
        begin = time.perf_counter()
        now, most_bytes = self._now(), self.plan.most_bytes // len(self._sides)
        files = []
        for side in self._sides:
            files += save(side.folder, side.updates, self.task.artifact, now, most_bytes)
        self._saved_at = time.perf_counter()
        print(f"saved {sizes(files)} in {self._saved_at - begin:.1f} s", flush=True)

    def _now(self) -> Facts:
        pool = self._pool
        return replace(
            self.facts,
            updates=self.facts.updates + self.step,
            rendered=self.facts.rendered + (pool.taken_in + pool.left_out if pool else 0),
            trained=self.facts.trained + (pool.drawn if pool else 0),
            seconds=self.facts.seconds + time.perf_counter() - self.plan.started,
        )

    def _fill(self) -> Pool:
        """Takes in what has arrived; waits until there is enough to draw from."""
        batch_size = self.plan.batch_size
        if self._pool is None:
            first = self.rendering.next()
            self._pool = self._create_pool(first)
            self._pool.take_in(first)
        least = max(batch_size, min(self.plan.prefill, self._pool.capacity // 2))
        # Where rendering is the faster one, as on a CPU, it has to wait: nothing is rendered for nothing.
        most = max(least, min(_BATCHES_WAITING * batch_size, self._pool.capacity // 2))
        while self._pool.waiting(batch_size) < most and (chunk := self.rendering.poll()) is not None:
            self._pool.take_in(chunk)
        begin, unseen = time.perf_counter(), self._pool.unseen
        while self._pool.available(batch_size) < least and self.plan.progress(self.step) < 1:
            self._pool.take_in(self.rendering.next())
            if self._pool.unseen > unseen:  # full: rare widths keep the others from becoming so many
                break
        while self._pool.available(batch_size) < batch_size:
            self._pool.take_in(self.rendering.next())
        self._waited += time.perf_counter() - begin
        return self._pool

    def _create_pool(self, chunk: Chunk) -> Pool:
        """Room for as many images as asked for, all of the largest width, in at most 60 % of the free memory.

        Raises:
            UserError: If not every width can have a batch.
        """
        image, widths, wanted = self.task.artifact.preprocessing, self._widths, self.plan.pool_images
        # Each width may be short of a batch by one image; on top of it come a chunk and what no chunk fits.
        least = len(widths) * self.plan.batch_size + 2 * self.rendering.series.block
        wanted = max(wanted, least)
        fitting = int(_FREE_SHARE * _bytes_for(self._device) / (image.height * widths[-1] * 3))
        if fitting < least:
            raise UserError(
                f"batch_size is {self.plan.batch_size}: {len(widths)} widths need a pool of {least} "
                f"images, and the free memory holds {fitting}"
            )
        if fitting < wanted:
            widest = " of the widest" if len(widths) > 1 else ""
            print(f"pool: {fitting} images{widest} instead of {wanted}, for want of memory", flush=True)
        columns = min(wanted, fitting) * widths[-1]
        return Pool(wanted, chunk, self.plan.replays, self._device, self._rng, math.gcd(*widths), columns)

    def _keep_pace(self) -> None:
        """Lets the device be only a few steps behind, so that the clock and the lines are right."""
        if self._device.type != "cuda":
            return
        event = torch.cuda.Event()
        event.record()
        self._queued.append(event)
        if len(self._queued) > _STEPS_AHEAD:
            self._queued.popleft().synchronize()

    def _check(self) -> list[list[float]]:
        """The means of each side since the last line."""
        means = [side.means() for side in self._sides]
        if not all(math.isfinite(loss) for loss, *_ in filter(None, means)):
            raise UserError(
                f"step {self.step}: the loss is not finite; try a lower --learning_rate (the files in "
                f"{self.folder} are of the latest saving)"
            )
        return means

    def _report(self, now: float) -> None:
        if self._pool is None or not self._sides[0].figures:
            return
        names = ("loss {:.4f}", "norm {:.2f}", "guide {:.4f}")
        means = "  control: ".join(
            "  ".join(name.format(mean) for name, mean in zip(names, of_side, strict=False))
            for of_side in self._check()
        )
        then, rendered, trained, steps = self._last
        seconds = max(now - then, 1e-9)
        pool = self._pool
        print(
            f"{now - self.plan.started:6.1f} s  "
            f"step {self.facts.updates + self.step} ({(self.step - steps) / seconds:.1f}/s)  "
            f"{means}  lr {self.plan.rate(self.step):.3g}  "
            f"rendered {(pool.taken_in - rendered) / seconds:.0f}/s ({pool.taken_in:,})  "
            f"trained {(pool.drawn - trained) / seconds:.0f}/s ({pool.drawn:,})  "
            f"waited {100 * self._waited / seconds:.0f} %  unseen {pool.unseen}  left out {pool.left_out}",
            flush=True,
        )
        for side in self._sides:
            side.figures.clear()
        self._waited = 0.0
        self._last = (now, pool.taken_in, pool.drawn, self.step)


class Input:
    """uint8 images (N,H,W,3) BGR -> the network's input (N,C,H,W), on the device, in two steps.

    `planes` gives values from -1 to 1, as black is and white; `normalized` what the network is to read.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._mean, self._std = preprocessing.mean, preprocessing.std
        self._order = preprocessing.channel_order
        self._standardize = preprocessing.standardize

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return self.normalized(self.planes(images))

    def planes(self, images: torch.Tensor) -> torch.Tensor:
        """(N,H,W,3) uint8 -> (N,C,H,W) float32, -1 to 1."""
        if self._order == GREY:  # Pillow's whole numbers, as `normalize` has them
            wide = images.to(torch.int32)
            sums = wide[..., 2:] * 19595 + wide[..., 1:2] * 38470 + wide[..., :1] * 7471 + (1 << 15)
            images = sums >> 16
        elif self._order == RGB:
            images = images.flip(-1)
        return images.float().permute(0, 3, 1, 2) / _HALF - 1

    def normalized(self, planes: torch.Tensor) -> torch.Tensor:
        """-1 to 1 -> with the mean and deviation of the description, or each image's own."""
        if not self._standardize:
            return (planes * _HALF + (_HALF - self._mean)) / self._std
        deviation, mean = torch.std_mean(planes, (1, 2, 3), correction=0, keepdim=True)
        return (planes - mean) / torch.where(deviation == 0, 1.0, deviation)


@torch.inference_mode()
def accuracy(task: Task, updates: Updates, chunks: list[Chunk]) -> tuple[float, float]:
    """Shares of images that the trained and the averaged weights read without a mistake."""
    by_width: dict[int, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        by_width[chunk.images.shape[2]].append(chunk)
    wholes = [join(same) for same in by_width.values()]
    network, to_input = updates.network.eval(), Input(task.artifact.preprocessing)
    found = []
    for average in ({}, updates.averages):
        own = {name: tensor.clone() for name, tensor in tensors_of(network).items()}
        for name, value in average.items():
            tensors_of(network)[name].copy_(value)
        right = []
        for whole in wholes:
            for first in range(0, len(whole.lengths), _EVALUATION_BATCH):
                part = slice(first, first + _EVALUATION_BATCH)
                scores = network(to_input(whole.images[part].to(updates.device)))
                right.append(task.is_right(scores, whole.targets[part].numpy(), whole.lengths[part]))
        found.append(float(np.concatenate(right).mean()))
        for name, value in own.items():
            tensors_of(network)[name].copy_(value)
    network.train()
    return found[0], found[1]


def _bytes_for(device: torch.device) -> int:
    """The free memory of a GPU; all of a CPU's, as files that the system keeps there make room."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
