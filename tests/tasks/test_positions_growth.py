"""More classes for a trained network of positions, with numbers made by hand."""

import numpy as np
import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.positions.growth import grow_positions, growth_lines
from crnn_mindspore.tasks.positions.layout import layout_of

OLD = layout_of({"text": [{"name": "a", "classes": "AB"}, {"name": "b", "classes": "XYZ"}]})
WEIGHTS = {
    "features.w": np.array([7.0], np.float32),
    # position a: A, B and a row that is none; position b: X, Y, Z
    "head.dense.weight": np.array([[1, 2], [3, 4], [9, 9], [5, 0], [1, 1], [3, 2]], np.float32),
    "head.dense.bias": np.array([1, 2, 9, 3, 4, 8], np.float32),
}


def grown(new: dict, weights: dict = WEIGHTS) -> dict:
    layout = layout_of(new)
    rows = len(layout) * layout.num_classes
    fresh = {
        "head.dense.weight": np.full((rows, 2), 0.5, np.float32),
        "head.dense.bias": np.zeros(rows, np.float32),
    }
    return grow_positions(weights, fresh, "head.dense", OLD, layout, "a.ckpt")


def test_known_classes_keep_their_rows_and_new_ones_are_the_mean() -> None:
    found = grown({"text": [{"name": "b", "classes": "ZXQ"}, {"name": "a", "classes": "ABCD"}]})
    weight, bias = found["head.dense.weight"].reshape(2, 4, 2), found["head.dense.bias"].reshape(2, 4)
    np.testing.assert_allclose(weight[0, :3], [[3, 2], [5, 0], [4, 1]])
    np.testing.assert_allclose(bias[0, :3], [8, 3, 5.5])
    np.testing.assert_allclose(weight[1], [[1, 2], [3, 4], [2, 3], [2, 3]])
    np.testing.assert_allclose(bias[1], [1, 2, 1.5, 1.5])
    assert found["features.w"] is WEIGHTS["features.w"]


def test_a_position_of_another_name_starts_anew() -> None:
    found = grown({"text": [{"name": "c", "classes": "AB"}]})
    assert (found["head.dense.weight"] == 0.5).all() and not found["head.dense.bias"].any()


def test_no_new_class_is_ever_the_most_probable() -> None:
    rng = np.random.default_rng(3)
    old = layout_of({"text": ["ABCDE"]})
    new = layout_of({"text": ["AxByCDEz"]})
    weights = {
        "head.dense.weight": rng.normal(0, 2, (5, 16)).astype(np.float32),
        "head.dense.bias": rng.normal(0, 3, 5).astype(np.float32),
    }
    fresh = {
        "head.dense.weight": np.zeros((8, 16), np.float32),
        "head.dense.bias": np.zeros(8, np.float32),
    }
    found = grow_positions(weights, fresh, "head.dense", old, new, "a.ckpt")
    features = np.maximum(rng.normal(0, 3, (500, 16)), 0)
    before = features @ weights["head.dense.weight"].T + weights["head.dense.bias"]
    after = features @ found["head.dense.weight"].T + found["head.dense.bias"]
    read = ["ABCDE"[i] for i in before.argmax(axis=1)]
    assert [new.positions[0].classes[i] for i in after.argmax(axis=1)] == read


def test_weights_of_another_width_are_refused_with_both_shapes() -> None:
    narrow = {**WEIGHTS, "head.dense.weight": np.zeros((6, 3), np.float32)}
    with pytest.raises(UserError, match=r"\(6, 3\), must have \(6, 2\)"):
        grown({"text": [{"name": "a", "classes": "ABC"}]}, narrow)


def test_what_changes_is_said() -> None:
    new = layout_of({"text": [{"name": "a", "classes": "ABCD"}, {"name": "n", "classes": "01"}]})
    assert growth_lines(OLD, new) == [
        "position a: 2 classes kept, new 2: CD, dropped 0",
        "position n: starts anew",
    ]
    assert growth_lines(OLD, OLD) == []
