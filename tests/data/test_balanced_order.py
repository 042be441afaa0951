"""The order of an epoch in which every class comes as often as every other."""

from collections import Counter

import numpy as np
import pytest

from crnn_mindspore.data.loading.sampler import balanced_order, epoch_order

# 60 samples of class 7, five of class 2, two without a class, one of class 900.
LABELS = np.array([7] * 60 + [2] * 5 + [-1] * 2 + [900])
LABELS = LABELS[np.random.default_rng(0).permutation(len(LABELS))]


def test_every_class_comes_as_often_as_every_other() -> None:
    for epoch in range(5):
        order = balanced_order(LABELS, seed=1, epoch=epoch)
        assert (order.dtype, order.shape) == (np.int32, (68,))
        assert Counter(LABELS[order].tolist()) == {7: 17, 2: 17, -1: 17, 900: 17}


def test_within_any_round_no_class_comes_twice() -> None:
    stream = np.concatenate([LABELS[balanced_order(LABELS, 3, epoch)] for epoch in range(4)])
    rounds = stream.reshape(-1, 4)
    assert all(len(set(row)) == 4 for row in rounds.tolist())
    assert len({tuple(row) for row in rounds.tolist()}) > 10  # in ever new orders


def test_the_samples_of_a_class_come_in_turn_across_epochs() -> None:
    stream = np.concatenate([balanced_order(LABELS, 4, epoch) for epoch in range(20)])
    for label, count in {7: 60, 2: 5, -1: 2, 900: 1}.items():
        drawn = stream[LABELS[stream] == label]
        whole = drawn[: len(drawn) // count * count].reshape(-1, count)
        assert (np.sort(whole, axis=1) == np.flatnonzero(label == LABELS)).all()
        assert len(whole) == 340 // count
    assert len(set(stream[:340].tolist())) > 40  # other samples of the frequent class in each epoch


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    order = balanced_order(LABELS, 1, 6)
    np.random.default_rng(5).random()
    assert np.array_equal(order, balanced_order(LABELS.copy(), 1, 6))
    assert not np.array_equal(order, balanced_order(LABELS, 2, 6))
    assert not np.array_equal(order, balanced_order(LABELS, 1, 7))


@pytest.mark.parametrize("multiple", [1, 8])
@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_ranks_together_read_the_same_samples_in_the_same_order(world_size: int, multiple: int) -> None:
    for epoch in (0, 2):
        alone = balanced_order(LABELS, 1, epoch)
        shares = [
            balanced_order(LABELS, 1, epoch, rank, world_size, multiple=multiple)
            for rank in range(world_size)
        ]
        assert {len(share) for share in shares} == {
            len(epoch_order(len(LABELS), 1, epoch, 0, world_size, multiple=multiple))
        }
        together = np.stack(shares, axis=1).ravel()
        assert np.array_equal(together[: len(alone)], alone)
        counts = Counter(LABELS[together].tolist()).values()
        assert max(counts) - min(counts) <= 1


def test_more_classes_than_samples_are_read_and_long_streams() -> None:
    labels = np.arange(3755).repeat(2)
    first, second = balanced_order(labels, 1, 0), balanced_order(labels, 1, 1)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(7510))
    single = balanced_order(np.zeros(10_000, np.int64), 1, 3)
    assert sorted(single.tolist()) == list(range(10_000))
    assert not np.array_equal(single, np.arange(10_000))


def test_what_cannot_be_ordered_is_refused() -> None:
    with pytest.raises(ValueError, match="0 labels"):
        balanced_order(np.array([], dtype=np.int64), 1, 0)
    with pytest.raises(ValueError, match="rank 2, world_size 2"):
        balanced_order(LABELS, 1, 0, 2, 2)
