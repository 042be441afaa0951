"""More classes for a trained network of positions, with numbers made by hand."""

from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.mindspore.parameters import load_weights, network_weights
from crnn_mindspore.engines.mindspore.runtime import initialize
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.growth import grow_positions, growth_lines
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.learning.learner import PositionsLearner
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork

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


@pytest.mark.slow
def test_a_network_with_more_classes_reads_as_before() -> None:
    initialize("CPU")
    old = layout_of({"text": [{"name": "character", "classes": "ABCD"}]})
    new = layout_of({"text": [{"name": "character", "classes": "xBAyDC"}]})
    sizes = Preprocessing(32, 32), PositionsNetwork("character_net", channel_scale=1 / 16)
    before, after = (Artifact(PositionsCodec(layout), *sizes, task="positions") for layout in (old, new))
    learner = PositionsLearner()
    trained, grown_one = (learner.create_network(a, use_dropout=False) for a in (before, after))
    rng = np.random.default_rng(1)
    weights = {
        name: rng.normal(0, 1, w.shape).astype(np.float32) for name, w in network_weights(trained).items()
    }
    weights |= {name: np.abs(w) + 0.5 for name, w in weights.items() if "variance" in name}
    weights |= {name: 0.1 * w for name, w in weights.items() if name.endswith(("mean", "beta", "bias"))}
    load_weights(trained, weights, "a.ckpt")
    checkpoint = SimpleNamespace(artifact=before, weights=weights)
    learner.load_pretrained(grown_one, checkpoint, after, "a.ckpt")
    images = ms.Tensor(rng.normal(0, 1, (16, 3, 32, 32)).astype(np.float32))
    was = trained.set_train(False)(images).asnumpy()[0]
    now = grown_one.set_train(False)(images).asnumpy()[0]
    np.testing.assert_allclose(now[:, [2, 1, 5, 4]], was, rtol=1e-5, atol=1e-4)
    read = ["ABCD"[i] for i in was.argmax(axis=1)]
    assert ["xBAyDC"[i] for i in now.argmax(axis=1)] == read
