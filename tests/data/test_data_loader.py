"""The data set the network sees, its order, and the batches."""

import math
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from crnn_mindspore.data.loading.datasets import create_dataset
from crnn_mindspore.data.loading.loader import EvalLoader, TrainLoader
from crnn_mindspore.data.loading.sampler import epoch_order
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.preprocess import Preprocessing, preprocess
from crnn_mindspore.data.sources.samples import ListSource, WordSample
from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.codec import EMPTY_LABEL, OUTSIDE_CHARSET, TOO_LONG, TOO_LONG_FOR_STEPS

WORDS = ["alpha", "b", "gamma3", "dd", "eeee", "f7", "golf", "hotel", "i", "juliet"]
SMALL = Preprocessing(height=8, width=64)  # 15 time steps


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    lines = []
    for i, word in enumerate(WORDS):
        cv2.imwrite(str(tmp_path / f"{i}.png"), rng.integers(0, 256, (9 + i, 40 + i, 3), dtype=np.uint8))
        lines.append(f"{i}.png\t{word}\n")
    (tmp_path / "labels.tsv").write_text("".join(lines))
    return tmp_path


def dataset(folder: Path, for_training: bool = True) -> WordDataset:
    return create_dataset(
        "folder",
        str(folder),
        split="train",
        codec=Charset(),
        preprocessing=SMALL,
        for_training=for_training,
    )


def in_memory(words: list[str], **options) -> WordDataset:
    samples = [WordSample(f"{i}.png", word) for i, word in enumerate(words)]
    return WordDataset(ListSource(samples, "memory"), Charset(), options.pop("p", Preprocessing()), **options)


def loader_threads() -> int:
    return sum(thread.name.startswith("loader") for thread in threading.enumerate())


def test_one_sample(folder: Path) -> None:
    image, targets, text = dataset(folder)[2]
    expected = preprocess(cv2.imread(str(folder / "2.png")), SMALL)
    assert np.array_equal(image, expected)
    assert (targets.tolist(), targets.dtype, text) == ([6, 0, 12, 12, 0, 29], np.int32, "gamma3")


def test_what_training_drops_and_why() -> None:
    # 12 letters with 11 adjacent repeats need 23 steps, 13 need 25 of the 24 there are.
    words = [
        "ok",
        "",
        "  ",
        "naïve",
        "a" * 12,
        "a" * 13,
        "abcdefghijklmnopqrstuvwx",
        "ABC",
        "don't",
        "",
        "naïve",
    ]
    ds = in_memory(words, max_text_length=23)
    assert [ds.text(i) for i in range(len(ds))] == ["ok", "a" * 12, "ABC"]
    assert ds.report.kept == 3
    assert ds.report.dropped == {EMPTY_LABEL: 3, OUTSIDE_CHARSET: 3, TOO_LONG_FOR_STEPS: 1, TOO_LONG: 1}
    assert ds.report.examples[OUTSIDE_CHARSET][0] == "3.png 'naïve' holds 'ï'"
    assert ds.report.examples[TOO_LONG_FOR_STEPS] == ["5.png 'aaaaaaaaaaaaa' needs 25 time steps of 24"]
    assert "24 characters, more than 23" in ds.report.examples[TOO_LONG][0]


def test_counts_are_right_for_many_dropped() -> None:
    ds = in_memory(["ok"] + ["é"] * 1500 + ["ü"] * 700)
    assert ds.report.dropped == {OUTSIDE_CHARSET: 2200}
    assert len(ds) == 1


def test_evaluation_drops_nothing() -> None:
    ds = in_memory(["ok", "don't", "a" * 40, ""], for_training=False)
    assert [ds.text(i) for i in range(len(ds))] == ["ok", "don't", "a" * 40, ""]
    assert ds.targets(1).tolist() == [3, 14, 13, 19]
    assert ds.report.dropped == {}


def test_nothing_left_is_an_error_that_says_why() -> None:
    with pytest.raises(UserError, match=r"nothing left to train on in memory\n.*\n.*outside the charset"):
        in_memory(["é", "ü"])
    with pytest.raises(UserError, match="nothing left to evaluate"):
        in_memory([], for_training=False)


def test_every_sample_once_over_all_ranks() -> None:
    for world_size in (1, 2, 3, 8):
        shares = [epoch_order(24, 7, 3, rank, world_size) for rank in range(world_size)]
        assert sorted(np.concatenate(shares).tolist()) == list(range(24))


def test_ranks_get_equal_shares_by_wrapping() -> None:
    shares = [epoch_order(10, 1, 0, rank, 4) for rank in range(4)]
    assert [len(share) for share in shares] == [3, 3, 3, 3]
    counts = np.bincount(np.concatenate(shares), minlength=10)
    assert sorted(counts.tolist()) == [1] * 8 + [2, 2]
    assert len(epoch_order(1, 0, 0, 3, 8)) == 1


def test_the_order_depends_on_seed_and_epoch_only() -> None:
    a = epoch_order(1000, 1, 0)
    assert np.array_equal(a, epoch_order(1000, 1, 0))
    assert not np.array_equal(a, epoch_order(1000, 1, 1))
    assert not np.array_equal(a, epoch_order(1000, 2, 0))
    assert epoch_order(5, 1, 0, shuffle=False).tolist() == [0, 1, 2, 3, 4]
    # The ranks' shares of a step are the step of one process with the batch of all.
    two = np.stack([epoch_order(1000, 1, 0, rank, 2) for rank in range(2)], axis=1).ravel()
    assert np.array_equal(two, a)


@pytest.mark.parametrize("num_workers", [1, 3])
def test_batches_are_the_same_for_any_number_of_workers(folder: Path, num_workers: int) -> None:
    def batches(workers: int) -> list:
        loader = TrainLoader(
            dataset(folder),
            3,
            seed=4,
            num_workers=workers,
            augment=lambda image, seed: image ^ np.uint8(seed % 256),
        )
        return [batch for epoch in range(2) for batch in loader.batches(epoch)]

    reference, other = batches(0), batches(num_workers)
    assert len(reference) == len(other) == 6
    for a, b in zip(reference, other, strict=True):
        assert np.array_equal(a.images, b.images)
        assert np.array_equal(a.targets, b.targets)
        assert (a.texts, a.names) == (b.texts, b.names)


def test_a_batch_is_its_samples(folder: Path) -> None:
    ds = dataset(folder)
    batch = next(TrainLoader(ds, 4, seed=0, num_workers=0).batches(0))
    assert batch.images.shape == (4, 3, 8, 64)
    assert batch.images.flags.c_contiguous
    assert batch.indices.tolist() == epoch_order(10, 0, 0)[:4].tolist()
    assert batch.target_lengths.tolist() == [len(text) for text in batch.texts]
    assert batch.targets.shape == (4, max(batch.target_lengths))
    for n, index in enumerate(batch.indices.tolist()):
        image, targets, text = ds[index]
        assert np.array_equal(batch.images[n], image)
        assert batch.targets[n].tolist() == targets.tolist() + [0] * (batch.targets.shape[1] - len(targets))
        assert (batch.texts[n], batch.names[n]) == (text, ds.name(index))


def test_an_epoch_can_be_entered_in_the_middle_without_reading_what_was_skipped(folder: Path) -> None:
    ds = dataset(folder)
    read: list[int] = []
    load = ds.load
    ds.load = lambda i: (read.append(i), load(i))[1]  # type: ignore[method-assign]
    loader = TrainLoader(ds, 3, seed=9, num_workers=0)
    whole = [batch.indices.tolist() for batch in loader.batches(2)]
    assert len(whole) == loader.steps_per_epoch == 3
    read.clear()
    assert [batch.indices.tolist() for batch in loader.batches(2, start_step=1)] == whole[1:]
    assert read == whole[1] + whole[2]


def test_fewer_samples_than_a_batch_are_repeated_to_fill_it(folder: Path) -> None:
    loader = TrainLoader(dataset(folder), 25, seed=0, num_workers=0)
    (batch,) = loader.batches(0)
    assert loader.steps_per_epoch == 1
    assert np.bincount(batch.indices).tolist() == np.bincount(np.resize(epoch_order(10, 0, 0), 25)).tolist()


@pytest.mark.parametrize(("ranks", "batch"), [(2, 4), (3, 2), (3, 4), (4, 1), (7, 1), (2, 25)])
def test_over_several_ranks_an_epoch_has_every_sample_in_the_same_number_of_steps(
    folder: Path, ranks: int, batch: int
) -> None:
    ds = dataset(folder)
    loaders = [TrainLoader(ds, batch, 3, rank=r, world_size=ranks, num_workers=0) for r in range(ranks)]
    steps = math.ceil(10 / (ranks * batch))
    assert [loader.steps_per_epoch for loader in loaders] == [steps] * ranks
    read = [[b.indices.tolist() for b in loader.batches(1)] for loader in loaders]
    assert [[len(indices) for indices in share] for share in read] == [[batch] * steps] * ranks
    # The whole order, then its beginning again: nobody's sample comes more than once more than another's.
    counts = np.bincount(np.ravel(read), minlength=10)
    assert counts.sum() == steps * ranks * batch
    assert counts.min() >= 1
    assert counts.max() - counts.min() <= 1
    # All ranks' first batches together are the beginning of the order that one process would read.
    first = sorted(sample for share in read for sample in share[0])
    assert first == sorted(np.resize(epoch_order(10, 3, 1), ranks * batch).tolist())


@pytest.mark.parametrize(
    ("ranks", "fills_last", "steps"), [(1, None, 3), (1, True, 4), (2, None, 2), (2, False, 1), (2, True, 2)]
)
def test_what_is_left_of_an_epoch_is_dropped_or_filled_up(
    folder: Path, ranks: int, fills_last: bool | None, steps: int
) -> None:
    loader = TrainLoader(dataset(folder), 3, 0, world_size=ranks, num_workers=0, fills_last=fills_last)
    assert loader.steps_per_epoch == len(list(loader.batches(0))) == steps


def test_ordered_epochs_are_read_in_file_order(folder: Path) -> None:
    loader = TrainLoader(dataset(folder), 5, seed=0, num_workers=0, ordered_epochs=1)
    assert np.concatenate([b.indices for b in loader.batches(0)]).tolist() == list(range(10))
    assert np.concatenate([b.indices for b in loader.batches(1)]).tolist() != list(range(10))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_evaluation_keeps_order_and_the_last_batch(folder: Path, num_workers: int) -> None:
    loader = EvalLoader(dataset(folder, for_training=False), 4, num_workers=num_workers)
    batches = list(loader)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert len(loader) == 3
    assert [text for batch in batches for text in batch.texts] == WORDS


def test_images_that_keep_their_ratio_come_in_batches_of_one_width(tmp_path: Path) -> None:
    """Widths at height 8: 64 for what is narrower, multiples of 16, 112 for what is wider."""
    widths = [40, 90, 20, 300, 97, 64]
    for number, width in enumerate(widths):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, width, 3), 10 * number, np.uint8))
    (tmp_path / "labels.tsv").write_text("".join(f"{number}.png\tw{number}\n" for number in range(6)))
    ds = dataset(tmp_path, for_training=False)
    ds.preprocessing = replace(SMALL, widest=112)
    batches = list(EvalLoader(ds, 4, num_workers=2))
    assert [batch.images.shape[3] for batch in batches] == [64, 96, 112, 96, 64]
    assert [batch.indices.tolist() for batch in batches] == [[0, 2], [1], [3], [4], [5]]
    assert [batch.texts for batch in batches] == [["w0", "w2"], ["w1"], ["w3"], ["w4"], ["w5"]]
    assert SMALL.as_dict() == ds.preprocessing.as_dict()  # how it is read is no part of how it was trained


def test_a_part_is_spread_evenly_over_the_data_set(folder: Path) -> None:
    ds = dataset(folder, for_training=False)
    loader = EvalLoader(ds, 3, max_images=4)
    assert loader.is_partial
    assert [batch.indices.tolist() for batch in loader] == [[0, 2, 5], [7]]  # 10 images
    assert not EvalLoader(ds, 3, max_images=10).is_partial
    assert [len(batch) for batch in EvalLoader(ds, 6, max_images=99)] == [6, 4]


def test_an_unreadable_image_in_training_is_replaced_by_the_next(folder: Path) -> None:
    (folder / "3.png").write_bytes(b"no image")
    (folder / "4.png").unlink()
    ds = dataset(folder)
    image, targets, text = ds[3]
    assert (text, targets.tolist()) == ("f7", [5, 33])
    assert np.array_equal(image, ds[5][0])
    assert ds.unreadable == [str(folder / "3.png"), str(folder / "4.png")]
    batch = next(TrainLoader(ds, 10, seed=0, num_workers=1).batches(0))
    assert sorted(batch.texts) == sorted([*WORDS[:3], "f7", "f7", *WORDS[5:]])
    assert batch.readable.all()


def test_an_unreadable_image_in_evaluation_is_marked(folder: Path) -> None:
    (folder / "9.png").write_bytes(b"")
    ds = dataset(folder, for_training=False)
    batches = list(EvalLoader(ds, 4))
    assert np.concatenate([b.readable for b in batches]).tolist() == [True] * 9 + [False]
    assert batches[-1].texts == WORDS[8:]
    assert ds.unreadable == [str(folder / "9.png")]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_no_readable_image_at_all_is_an_error(folder: Path, num_workers: int) -> None:
    for image in folder.glob("*.png"):
        image.unlink()
    with pytest.raises(UserError, match=r"10 images in a row are unreadable, the first: .*png"):
        list(TrainLoader(dataset(folder), 2, seed=0, num_workers=num_workers).batches(0))
    assert loader_threads() == 0


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_failure_in_a_worker_is_raised_and_names_the_image(folder: Path, num_workers: int) -> None:
    def broken(image: np.ndarray, seed: int) -> np.ndarray:
        raise ZeroDivisionError("in the distortion")

    loader = TrainLoader(dataset(folder), 2, seed=0, shuffle=False, num_workers=num_workers, augment=broken)
    with pytest.raises(RuntimeError, match=r"0\.png failed: ZeroDivisionError.*in the distortion"):
        list(loader.batches(0))
    assert loader_threads() == 0


def test_closing_early_stops_the_threads(folder: Path) -> None:
    batches = TrainLoader(dataset(folder), 1, seed=0, num_workers=2).batches(0)
    next(batches)
    assert loader_threads() == 2
    batches.close()  # type: ignore[attr-defined]
    assert loader_threads() == 0
