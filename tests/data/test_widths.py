"""Images that keep their ratio in training: how wide each is, and the batches of one width."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from crnn_mindspore.data.image_io import UnreadableImageError, decode_image, image_size
from crnn_mindspore.data.loading.loader import EvalLoader, TrainLoader
from crnn_mindspore.data.loading.width_order import WidthOrder
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.preprocess import Preprocessing, own_width, preprocess, to_uint8
from crnn_mindspore.data.sources.samples import ListSource, WordSample
from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset

P = Preprocessing(height=8, width=100, width_step=16, turn_above=2.5)
SIZES = [(8, 30), (16, 70), (9, 9), (8, 95), (8, 500), (40, 8), (8, 33), (8, 47), (4, 20), (8, 31)]
WIDTHS = [32, 48, 16, 96, 100, 48, 48, 48, 48, 32]  # by hand, at height 8


@pytest.fixture
def source(tmp_path: Path) -> ListSource:
    rng = np.random.default_rng(3)
    samples = []
    for number, size in enumerate(SIZES):
        path = str(tmp_path / f"{number}.png")
        cv2.imwrite(path, rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        samples.append(WordSample(path, f"w{number}"))
    return ListSource(samples, str(tmp_path))


def test_a_width_follows_from_the_image_alone() -> None:
    assert [own_width(P, *size) for size in SIZES] == WIDTHS
    image = np.zeros((16, 70, 3), np.uint8)
    assert to_uint8(image, P).shape == (8, 48, 3)
    assert preprocess(image, P).shape == (3, 8, 48)


def test_longer_images_are_read_whole_where_the_reading_allows_it() -> None:
    assert own_width(replace(P, widest=4096), 8, 500) == 512
    assert own_width(replace(P, widest=50), 8, 500) == 100  # never below what was trained on


def test_a_column_is_turned_so_that_its_top_is_read_first() -> None:
    column = np.repeat(np.arange(20, dtype=np.uint8)[:, None, None], 3, axis=2) * 10  # (20,1,3), dark above
    column = np.repeat(column, 7, axis=1)  # (20,7,3)
    turned = to_uint8(column, replace(P, interpolation="nearest"))
    assert turned.shape == (8, 32, 3)  # 20 / 7 * 8 = 22.9
    assert turned[0, 0, 0] == 0
    assert turned[0, -1, 0] == 190
    assert to_uint8(column[:17], P).shape == (8, 16, 3)  # 17 is not more than 2.5 times 7: not turned
    assert to_uint8(column, replace(P, turn_above=0.0)).shape == (8, 16, 3)


def test_the_rule_stands_in_the_description_and_the_former_one_is_unchanged() -> None:
    assert P.as_dict() | {"width_step": 16, "turn_above": 2.5} == P.as_dict()
    assert Preprocessing.from_dict(P.as_dict()) == P
    former = Preprocessing(width=100)
    assert not {"width_step", "turn_above", "widest"} & former.as_dict().keys()
    assert own_width(former, 32, 500) == 100
    assert own_width(replace(former, widest=400), 32, 333) == 336
    assert own_width(replace(former, widest=400), 32, 20) == 100


@pytest.mark.parametrize(
    "values",
    [{"width_step": 16, "width": 31}, {"width_step": -1}, {"width_step": 16, "turn_above": 0.5}],
)
def test_a_rule_that_cannot_be_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(UserError, match=r"width_step|turn_above"):
        Preprocessing(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".ppm", ".webp", ".tiff"])
def test_the_size_in_the_header_is_that_of_the_decoded_image(ending: str) -> None:
    data = cv2.imencode(ending, np.zeros((13, 29, 3), np.uint8))[1].tobytes()
    assert image_size(data, "x") == decode_image(data, "x").shape[:2] == (13, 29)


def test_a_header_that_cannot_be_read_is_named() -> None:
    for data in (b"", b"no image", cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes()[:40]):
        with pytest.raises(UnreadableImageError, match=r"x\.png"):
            image_size(data, "x.png")


def test_batches_have_one_width_and_every_image_comes_as_often(source: ListSource) -> None:
    dataset = WordDataset(source, Charset(), P)
    assert dataset.widths is not None
    assert dataset.widths.tolist() == WIDTHS
    loader = TrainLoader(dataset, 2, seed=4)
    assert loader.steps_per_epoch == 5
    batches = [batch for epoch in range(8) for batch in loader.batches(epoch)]
    for batch in batches:
        assert {WIDTHS[i] for i in batch.indices.tolist()} == {batch.images.shape[3]}
        assert batch.images.shape == (2, 3, 8, WIDTHS[int(batch.indices[0])])
    # 8 epochs hold each of ten images 8 times, whatever its width; what is left over waits for the next.
    seen = Counter(i for batch in batches for i in batch.indices.tolist())
    assert sum(seen.values()) == 80
    assert max(seen.values()) - min(seen.values()) <= 2


def test_an_epoch_can_be_entered_at_any_step_and_ranks_share_it(source: ListSource) -> None:
    dataset = WordDataset(source, Charset(), P)
    whole = [b.indices.tolist() for epoch in range(3) for b in TrainLoader(dataset, 4, seed=4).batches(epoch)]
    for number in range(6):
        entered = next(TrainLoader(dataset, 4, seed=4, num_workers=0).batches(*divmod(number, 2)))
        assert entered.indices.tolist() == whole[number]
    ranks = [TrainLoader(dataset, 2, seed=4, rank=r, world_size=2) for r in range(2)]
    halves = [[b.indices.tolist() for e in range(3) for b in rank.batches(e)] for rank in ranks]
    assert [sorted(a + b) for a, b in zip(*halves, strict=True)] == [sorted(batch) for batch in whole]
    other = [b.indices.tolist() for epoch in range(3) for b in TrainLoader(dataset, 4, seed=5).batches(epoch)]
    assert other != whole


def test_the_order_is_an_endless_row_of_each_width() -> None:
    widths = np.array([16] * 7 + [32] * 3 + [48])
    order = WidthOrder(widths, 4, seed=1)
    batches = [order.batch(number) for number in range(44)]  # 16 epochs of 11 images
    by_width = {w: [b for b in batches if widths[b[0]] == w] for w in (16, 32, 48)}
    assert {w: len(found) for w, found in by_width.items()} == {16: 28, 32: 12, 48: 4}
    for width, found in by_width.items():
        members = np.flatnonzero(widths == width)
        rounds = np.concatenate(found).reshape(16, -1)  # epoch by epoch
        assert all(sorted(row) == members.tolist() for row in rounds.tolist())


def test_first_epochs_in_file_order_are() -> None:
    widths = np.array([16, 16, 32, 16, 16, 32])
    order = WidthOrder(widths, 2, seed=1, ordered_epochs=1)
    assert [order.batch(n).tolist() for n in range(3)] == [[0, 1], [3, 4], [2, 5]]


def test_the_time_steps_of_an_image_are_those_of_its_own_width(tmp_path: Path) -> None:
    """At 16 pixels there are 3 steps, at 48 there are 11."""
    samples = []
    for number, (width, text) in enumerate(
        [(16, "abc"), (16, "abcd"), (48, "abcd"), (16, "aab"), (16, "aa")]
    ):
        path = str(tmp_path / f"{number}.png")
        cv2.imwrite(path, np.zeros((8, width, 3), np.uint8))
        samples.append(WordSample(path, text))
    dataset = WordDataset(ListSource(samples, "memory"), Charset(), P)
    assert [dataset.text(i) for i in range(len(dataset))] == ["abc", "abcd", "aa"]
    (line,) = [line for line in dataset.report.lines() if "time steps" in line]
    assert "dropped 2" in line
    assert "needs 4 time steps of 3" in line


def test_unreadable_images_are_left_out_or_replaced_by_one_of_their_width(
    source: ListSource, log: list[str]
) -> None:
    Path(source.name(0)).write_bytes(b"no image")  # its header shows it
    whole = Path(source.name(1)).read_bytes()
    Path(source.name(1)).write_bytes(whole[:60] + bytes(40) + whole[100:])  # its pixels show it
    Path(source.name(3)).write_bytes(Path(source.name(3)).read_bytes()[:80] + bytes(400))
    dataset = WordDataset(source, Charset(), P)
    assert len(dataset) in (8, 9)  # the third is cut off, which the header shows too
    assert any("unreadable image" in line for line in dataset.report.lines())
    place = [dataset.name(i) for i in range(len(dataset))].index(source.name(1))
    loaded = dataset.load(place)
    assert loaded.pixels.shape == (8, 48, 3)
    assert dataset.text(loaded.index) == "w5"  # the next of width 48
    assert dataset.unreadable == [source.name(1)]


def test_the_only_image_of_a_width_is_replaced_by_one_that_fits(tmp_path: Path) -> None:
    samples = []
    for number, (width, text) in enumerate([(16, "a"), (48, "abcdefgh"), (48, "b")]):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.random.default_rng(number).integers(0, 256, (8, width, 3), dtype=np.uint8))
        samples.append(WordSample(str(path), text))
    broken = Path(samples[0].image)
    data = bytearray(broken.read_bytes())
    data[45:60] = bytes(15)
    broken.write_bytes(bytes(data))
    dataset = WordDataset(ListSource(samples, "memory"), Charset(), P)
    loaded = dataset.load(0)
    assert dataset.text(loaded.index) == "b"  # eight letters do not fit 3 steps
    assert loaded.pixels.shape == (8, 16, 3)


def test_evaluation_reads_every_image_at_its_width_in_order(source: ListSource) -> None:
    dataset = WordDataset(source, Charset(), P, for_training=False)
    batches = list(EvalLoader(dataset, 10))
    assert [(b.images.shape[3], b.indices.tolist()) for b in batches] == [
        (32, [0, 9]),
        (48, [1, 5, 6, 7, 8]),
        (16, [2]),
        (96, [3]),
        (100, [4]),
    ]
