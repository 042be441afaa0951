"""Batches straight from the renderer: the same for any number of processes, entered at any step."""

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from test_synth_common import renderer as shared_renderer

from crnn_mindspore.data.loading.loader import Batch
from crnn_mindspore.data.preprocess import Preprocessing, preprocess
from crnn_mindspore.errors import UserError
from crnn_mindspore.synth import workers
from crnn_mindspore.synth.render import Renderer
from crnn_mindspore.synth.render_loader import Ramp, RenderLoader
from crnn_mindspore.text.charset import Charset

P = Preprocessing()


@pytest.fixture(scope="module", name="renderer")
def few_typefaces() -> Renderer:
    return shared_renderer()


def loader(renderer: Renderer, workers: int = 0, **options: int) -> RenderLoader:
    return RenderLoader(renderer, P, 4, ramp=Ramp(4, 20), epoch_images=16, num_workers=workers, **options)


def take(batches: Iterator[Batch], count: int) -> list[Batch]:
    return [next(batches) for _ in range(count)]


def test_images_follow_from_their_number_over_epochs(renderer: Renderer) -> None:
    batches = list(loader(renderer).batches(0)) + list(loader(renderer).batches(1))
    assert [b.indices.tolist() for b in batches] == [list(range(i, i + 4)) for i in range(0, 32, 4)]
    image, text = renderer.render(21, 1.0)  # past the ramp's end
    np.testing.assert_array_equal(batches[5].images[1], preprocess(image, P))
    assert batches[5].texts[1] == text
    assert batches[5].target_lengths[1] == len(text)
    assert Charset().decode(batches[5].targets[1, : len(text)]) == text.lower()


def test_an_epoch_can_be_entered_at_any_step(renderer: Renderer) -> None:
    whole = list(loader(renderer).batches(1))
    entered = list(loader(renderer).batches(1, start_step=3))
    assert len(whole) == 4
    assert len(entered) == 1
    np.testing.assert_array_equal(entered[0].images, whole[3].images)


def test_ranks_share_the_series(renderer: Renderer) -> None:
    ranks = [loader(renderer, rank=r, world_size=2) for r in range(2)]
    seen = sorted(i for rank in ranks for b in rank.batches(0) for i in b.indices.tolist())
    assert seen == list(range(16))
    assert ranks[0].steps_per_epoch == 2


@pytest.mark.slow
def test_background_processes_make_the_same_batches_and_a_dead_one_is_reported(renderer: Renderer) -> None:
    background = loader(renderer, workers=2)
    for ours, theirs in zip(loader(renderer).batches(0), background.batches(0), strict=True):
        np.testing.assert_array_equal(ours.images, theirs.images)
        np.testing.assert_array_equal(ours.targets, theirs.targets)
    endless = RenderLoader(renderer, P, 4, epoch_images=4_000_000, num_workers=1)
    batches = endless.batches(0)
    next(batches)
    assert endless._pool is not None
    (worker,) = endless._pool._processes
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(UserError, match="rendering process died at images"):
        take(batches, 1000)


def test_where_processes_can_share_nothing_this_one_renders(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")  # of /dev/shm

    monkeypatch.setattr(workers, "_Pool", refuse)
    alone = loader(renderer, workers=2)
    for _ in range(2):
        for ours, theirs in zip(loader(renderer).batches(0), alone.batches(0), strict=True):
            np.testing.assert_array_equal(ours.images, theirs.images)
    assert len([line for line in log if "rendering in this process alone" in line]) == 1
