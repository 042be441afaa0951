"""Shares of right texts, positions and attributes, counted by hand."""

import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.metric import PositionsMetric
from crnn_mindspore.text.interval import Share

LAYOUT = layout_of(
    {
        "text": [{"name": "first", "classes": "AB"}, {"name": "second", "classes": ["A", "B", ""]}],
        "attributes": [{"name": "rows", "classes": ["one", "two"]}, {"name": "colour", "classes": ["red"]}],
    }
)


@pytest.fixture
def metric() -> PositionsMetric:
    return PositionsMetric(LAYOUT)


def test_open_positions_count_nowhere(metric: PositionsMetric) -> None:
    predictions = [(0, 2, 1, 0), (1, 1, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0), (1, 0, 0, 0)]
    truths = [(0, 2, 1, -1), (1, 0, 1, -1), (-1, 1, -1, -1), (0, -1, -1, -1), (-1, -1, 0, -1)]
    assert metric.update(predictions, truths) == [True, False, True, False, True]
    assert metric.figures() == {
        "texts": Share(2, 4),  # the last label knows an attribute alone
        "positions of the text": Share(4, 6),
        "position first": Share(2, 3),
        "position second": Share(2, 3),
        "attribute rows": Share(2, 3),
    }
    assert next(iter(metric.figures())) == "texts"


def test_an_unreadable_image_is_all_wrong_and_a_refused_label_a_wrong_text(metric: PositionsMetric) -> None:
    assert metric.update([None, (0, 0, 0, 0), None], [(0, 1, -1, -1), None, None]) == [False, False, False]
    assert metric.figures() == {
        "texts": Share(0, 3),
        "positions of the text": Share(0, 2),
        "position first": Share(0, 1),
        "position second": Share(0, 1),
    }


def test_updates_add_up_and_clear_forgets(metric: PositionsMetric) -> None:
    metric.update([(0, 0, 0, 0)], [(0, 0, 0, 0)])
    metric.update([(0, 0, 0, 0)], [(1, 0, 0, 0)])
    assert metric.figures()["texts"] == Share(1, 2)
    metric.clear()
    with pytest.raises(UserError, match="no text to compute an accuracy from"):
        metric.figures()


def test_a_share_has_wilsons_interval() -> None:
    share = Share(81, 263)  # Newcombe 1998, table I, method 3
    assert (share.rate, share.interval) == (81 / 263, pytest.approx((0.2553, 0.3662), abs=1e-4))
    assert share.as_dict() == {
        "correct": 81,
        "total": 263,
        "rate": 81 / 263,
        "interval_low": share.interval[0],
        "interval_high": share.interval[1],
    }
