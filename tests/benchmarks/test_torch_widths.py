"""The training in PyTorch on images that keep their ratio; what of it needs no PyTorch, and the rest."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from benchmarks import torch_training
from benchmarks.twin.worker import Series, Targets, chunks_of
from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact
from crnn_mindspore.data.preprocess import Preprocessing, own_widths, to_uint8
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset

ROOT = Path(__file__).parents[2]
NEEDS_TORCH = "PyTorch is for benchmarks only"
KEPT = Preprocessing(width=80, width_step=32, turn_above=2.5)
SHARES = {32: 0.6, 64: 0.3, 80: 0.1}


class _Pictures:
    """Images of 20 rows and many lengths; every seventh label is too long for its image."""

    codec = Charset()
    facts: ClassVar[dict[str, int]] = {}

    def render(self, index: int, difficulty: float = 1.0) -> tuple[Any, str]:
        length = 5 + index * 37 % 60
        pixels = np.random.default_rng(index).integers(0, 256, (20, length, 3), dtype=np.uint8)
        return pixels, "wrong" * 4 if index % 7 == 0 else "abcdefghijklmnopqrstuvwxyz"[index % 26]


def _series(p: Preprocessing, first: int, count: int) -> Series:
    return Series(_Pictures(), p, Targets(_Pictures.codec, 24), first=first, count=count)


@pytest.mark.parametrize("processes", [1, 3])
def test_images_are_sent_once_at_their_width_and_long_labels_counted(processes: int) -> None:
    assert own_widths(KEPT) == [32, 64, 80]
    expected = Counter()
    for index in range(1000, 2500):
        image, text = _Pictures().render(index)
        if index % 7:
            expected[to_uint8(image, KEPT).tobytes(), text] += 1
    found, left_out = Counter(), 0
    for number in range(processes):
        for images, targets, lengths, left in chunks_of(_series(KEPT, 1000, 1500), number, processes):
            left_out += left
            assert images.shape[1] == 32 and images.shape[2] in (32, 64, 80)
            for image, target, length in zip(images, targets, lengths, strict=True):
                found[image.tobytes(), _Pictures.codec.decode(target[:length])] += 1
    assert found == expected
    assert left_out == 1500 - expected.total() == 215


def test_half_of_the_long_images_are_squeezed() -> None:
    p = Preprocessing(width=40, widest=72)
    assert own_widths(p) == [40, 48, 64, 72]
    series = replace(_series(p, 0, 1200), squeezed=0.5)
    widths = [image.shape[1] for images, *_ in chunks_of(series) for image in images]
    assert set(widths) == set(own_widths(p))
    long = [
        index
        for index in range(1200)
        if index % 7 and to_uint8(_Pictures().render(index)[0], p).shape[1] > 40
    ]
    kept = [index for index in long if series.input_of(index).widest]
    assert 0.47 * len(long) < len(kept) < 0.53 * len(long)
    assert sum(width > 40 for width in widths) == len(kept)


def test_images_of_one_size_come_in_chunks_in_their_order() -> None:
    p = Preprocessing()
    assert own_widths(p) == [100]
    chunks = list(chunks_of(_series(p, 3, 200), 0, 2))
    assert [len(images) for images, *_ in chunks] == [64, 64]  # 0 to 63 and 128 to 191 of 200
    for chunk, first in zip(chunks, (3, 131), strict=True):
        for image, index in zip(chunk[0], range(first, first + 64), strict=True):
            assert np.array_equal(image, to_uint8(_Pictures().render(index)[0], p))
    assert sum(len(chunk[0]) for chunk in chunks_of(_series(p, 3, 200), 1, 2)) == 72


def test_weights_of_one_size_begin_a_training_that_keeps_the_ratio_but_do_not_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = str(ROOT / "pretrained" / "crnn_v2_half.ckpt")
    given = ["--train_dataset=render", "--keep_ratio", "--image_width=160", "--image_width_step=16"]

    def options(*more: str) -> Any:
        return torch_training.load_options(torch_training.TrainOptions, [*given, *more], "", "")

    found, checkpoint, _ = torch_training._origin(options(f"--pretrained={weights}"), False)
    assert checkpoint is not None
    artifact = torch_training.model_of(found)
    assert artifact.preprocessing == Preprocessing(width=160, width_step=16, turn_above=2.5)
    assert artifact.network == checkpoint.artifact.network
    assert "made with image_width 100, now 160" in capsys.readouterr().out
    with pytest.raises(UserError, match="was made with image_width 100, but image_width 160 was given"):
        torch_training._origin(options(f"--resume_ckpt={weights}"), False)
    with pytest.raises(UserError, match="label_dict"):
        torch_training._origin(options(f"--pretrained={weights}", "--label_dict=abc"), False)


def _chunk(rng: np.random.Generator, width: int, first: int, count: int) -> Any:
    """Images of which every pixel tells the number in the target."""
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.pool import Chunk

    ids = np.arange(first, first + count, dtype=np.int32)
    images = (ids[:, None, None, None] * 7 + np.arange(4 * width * 3).reshape(4, width, 3)) % 256
    targets = np.stack([ids, np.full(count, width)], axis=1).astype(np.int32)
    return Chunk(torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(targets), ids % 5, 1)


def test_a_pool_of_several_widths_gives_batches_of_one_as_often_as_they_come() -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.pool import Pool

    rng = np.random.default_rng(0)
    pool = Pool(900, _chunk(rng, 32, 0, 1), 3, torch.device("cpu"), rng, unit=16, columns=900 * 48)
    seen: Counter[int] = Counter()
    drawn: Counter[int] = Counter()
    came: Counter[int] = Counter()
    for _ in range(500):
        width = int(rng.choice(list(SHARES), p=list(SHARES.values())))
        count = int(rng.integers(1, 9))
        pool.take_in(_chunk(rng, width, came.total(), count))
        came[width] += count
        while pool.available(10) > 300:
            draw = pool.draw(10)
            assert draw.images.shape[:2] == (10, 4)
            numbers, widths = draw.targets.numpy().T
            assert set(widths) == {draw.images.shape[2]}
            for image, number, again, length in zip(
                draw.images.numpy(), numbers, draw.is_again, draw.lengths, strict=True
            ):
                assert np.array_equal(image.flatten(), (number * 7 + np.arange(image.size)) % 256)
                assert length == number % 5
                assert bool(again) == (seen[number] > 0)
                seen[int(number)] += 1
                drawn[int(widths[0])] += 1
    assert pool.taken_in == came.total() and pool.left_out == 500
    assert max(seen.values()) <= 3
    assert len(seen) == came.total() - pool.waiting()
    assert pool.unseen == 0
    for width in SHARES:
        assert drawn[width] / drawn.total() == pytest.approx(came[width] / came.total(), abs=0.03), width


def test_what_no_batch_can_be_made_of_is_not_counted_as_there() -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.pool import Pool

    rng = np.random.default_rng(0)
    pool = Pool(100, _chunk(rng, 32, 0, 1), 2, torch.device("cpu"), rng, unit=16, columns=4800)
    pool.take_in(_chunk(rng, 32, 0, 12))
    pool.take_in(_chunk(rng, 80, 12, 7))
    assert (pool.available(), pool.available(8), pool.waiting(8), pool.available(13)) == (19, 12, 12, 0)
    assert set(pool.draw(8).targets[:, 1].tolist()) == {32}
    with pytest.raises(RuntimeError, match="fewer images"):
        pool.draw(13)
    pool.take_in(_chunk(rng, 64, 19, 60))  # 3,840 of 4,800 columns: the others, 944 columns, stay
    assert pool.available() == 79
    pool.take_in(_chunk(rng, 64, 79, 30))  # begins anew: all that lay there before makes room
    assert (pool.available(), pool.unseen) == (30, 4 + 7 + 60)


def test_long_lines_are_slanted_and_shifted_by_no_more_pixels_than_words() -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.distortion import Distortion

    def most(width: int) -> tuple[float, float]:
        """Pixels by which the top lies beside the bottom in the middle, and the middle beside itself."""
        columns = (torch.arange(width) + 0.5) / width * 2 - 1
        images = columns.expand(400, 3, 32, width)
        torch.manual_seed(0)
        moved = Distortion(1.0, torch.device("cpu"), 1, has_widths=True)._moved(images)
        middle = moved[:, 0, :, width // 2 - 1 : width // 2 + 1].mean(-1) * width / 2
        return float((middle[:, -1] - middle[:, 0]).abs().max()), float(middle.mean(1).abs().max())

    slant, shift = most(100)
    assert slant == pytest.approx(0.12 * 100 * 31 / 32, rel=0.03)
    assert shift == pytest.approx(0.04 * 50, rel=0.03)
    assert most(560) == pytest.approx((slant, shift), rel=0.03)
    assert most(32)[0] == pytest.approx(slant * 0.32, rel=0.05)


class _Rendered:
    """As `Rendering`: chunks of random images of three widths, without end, one after another."""

    def __init__(self, artifact: Artifact) -> None:
        self.series = SimpleNamespace(preprocessing=artifact.preprocessing, block=12)
        self.rng = np.random.default_rng(0)
        self.targets = Targets(artifact.codec, artifact.preprocessing.time_steps)

    def poll(self) -> None:
        return None

    def next(self) -> Any:
        torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
        from benchmarks.twin.pool import Chunk

        width = int(self.rng.choice(list(SHARES), p=list(SHARES.values())))
        images = self.rng.integers(0, 256, (4, 32, width, 3), dtype=np.uint8)
        targets, lengths = self.targets(["ab", "c", "de", "f"])
        return Chunk(torch.from_numpy(images), torch.from_numpy(targets), lengths, 1)

    def stop(self) -> None:
        pass


def _task() -> Any:
    from benchmarks.twin.task import create_task

    artifact = Artifact(Charset(), KEPT, NetworkSpec("V2", 8, 1 / 16))
    return create_task(artifact, SimpleNamespace(use_dropout=False))


def _training(folder: Path, prefill: int) -> Any:
    from benchmarks.twin.states import Facts
    from benchmarks.twin.training import Plan, Training
    from benchmarks.twin.update import Recipe, Updates

    task = _task()
    updates = Updates(task.create_network(), task.loss, Recipe(ema_decay=0.9))
    plan = Plan(8, 0, 12, 0.25, 1e-3, 2, None, 4, 0, prefill, 1.0, 100, 100, 2**26, 0.0)
    return Training(task, updates, _Rendered(task.artifact), Facts(), plan, folder, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("prefill", [0, 10_000])
def test_a_run_over_several_widths_ends_in_a_pool_that_holds_less_than_prefill(
    tmp_path: Path, prefill: int, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.states import STATE, read_pieces

    facts = _training(tmp_path, prefill).run()
    assert (facts.updates, facts.trained) == (12, 96)
    assert facts.rendered % 5 == 0 and facts.rendered >= 5 * 24 / 4  # four of five are sent
    assert f"left out {facts.rendered // 5}" in capsys.readouterr().out
    _, texts = read_pieces(tmp_path, STATE)
    found = Artifact.from_json(texts[METADATA_KEY], "").preprocessing
    assert found == KEPT


def test_a_pool_that_cannot_give_every_width_a_batch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin import training

    monkeypatch.setattr(training, "_bytes_for", lambda device: 47 * 32 * 80 * 3 / 0.6)
    with pytest.raises(UserError, match="3 widths need a pool of 48 images, and the free memory holds 47"):
        _training(tmp_path, 0).run()


def test_held_out_images_are_read_each_at_its_width() -> None:
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.twin.pool import Chunk
    from benchmarks.twin.training import Input, accuracy
    from benchmarks.twin.update import Recipe, Updates

    task, rng = _task(), np.random.default_rng(2)
    torch.manual_seed(0)
    updates = Updates(task.create_network(), task.loss, Recipe())
    network, chunks = updates.network.eval(), []
    for width in (32, 80, 32):
        images = torch.from_numpy(rng.integers(0, 256, (5, 32, width, 3), dtype=np.uint8))
        with torch.inference_mode():
            paths = network(Input(KEPT)(images)).argmax(-1).T.numpy()
        targets, lengths = np.zeros((5, KEPT.time_steps), dtype=np.int32), np.zeros(5, dtype=np.int32)
        for row, path in enumerate(paths):
            read = [c for c, before in zip(path, [-1, *path[:-1]], strict=True) if c not in (before, 36)]
            targets[row, : len(read)], lengths[row] = read, len(read)
        targets[0, 0] += 1  # one of five is another text
        lengths[0] = max(1, lengths[0])
        chunks.append(Chunk(images, torch.from_numpy(targets), lengths))
    assert accuracy(task, updates, chunks) == (pytest.approx(0.8), pytest.approx(0.8))
