"""Another alphabet for a trained network: classes matched by character, with numbers made by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.growth import CharsetChange, grow_classes
from crnn_mindspore.text.charset import Charset

LAYER = "rnn.fc"
OLD = {
    "vgg.a": np.array([7.0], np.float32),
    "rnn.fc.weight": np.array([[1, 2], [3, 4], [5, 0]], np.float32),  # a, b, blank
    "rnn.fc.bias": np.array([0.125, 0.25, 0.75], np.float32),
}


def fresh(rows: list[list[float]]) -> dict[str, np.ndarray]:
    return {
        "rnn.fc.weight": np.array(rows, np.float32),
        "rnn.fc.bias": np.full(len(rows), 99, np.float32),  # the fresh bias plays no part
    }


def grown(old: str, new: str, rows: list[list[float]]) -> dict[str, np.ndarray]:
    return grow_classes(OLD, fresh(rows), LAYER, CharsetChange(Charset(old), Charset(new)), "a.ckpt")


def test_known_characters_and_the_blank_keep_their_rows_and_new_ones_start_below_the_mean() -> None:
    found = grown("ab", "cbA", [[10, -20], [8, 8], [0, 0], [8, 8]])
    # Kept are b and the blank: mean weights (4, 2), mean bias 0.5. A tenth of the fresh row of c is (1, -2).
    np.testing.assert_allclose(found["rnn.fc.weight"], [[5, 0], [3, 4], [4, 2], [5, 0]])
    np.testing.assert_allclose(found["rnn.fc.bias"], [0.5 - 3, 0.25, 0.5, 0.75])
    assert found["vgg.a"] is OLD["vgg.a"]
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


def test_an_alphabet_in_another_order_is_only_sorted() -> None:
    found = grown("ab", "ba", [[8, 8]] * 3)
    assert found["rnn.fc.weight"].tolist() == [[3, 4], [1, 2], [5, 0]]
    assert found["rnn.fc.bias"].tolist() == [0.25, 0.125, 0.75]


def test_without_a_common_character_all_start_below_the_blank() -> None:
    found = grown("ab", "中", [[10, 0], [8, 8]])
    np.testing.assert_allclose(found["rnn.fc.weight"], [[6, 0], [5, 0]])
    np.testing.assert_allclose(found["rnn.fc.bias"], [-0.25, 0.75])


@given(st.integers(0, 2**32 - 1), st.sampled_from(["random", "corner", "worst"]))
def test_a_new_class_never_has_the_largest_logit(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    inputs = 16
    old = {
        "rnn.fc.weight": rng.normal(0, rng.uniform(0.1, 5), (4, inputs)).astype(np.float32),
        "rnn.fc.bias": rng.normal(0, 3, 4).astype(np.float32),
    }
    start = {"rnn.fc.weight": rng.normal(0, 2, (6, inputs)).astype(np.float32)}
    new = grow_classes(old, start, LAYER, CharsetChange(Charset("abc"), Charset("axbyc")), "a.ckpt")
    outputs = rng.uniform(-1, 1, inputs)
    if kind == "corner":
        outputs = np.sign(outputs)
    elif kind == "worst":
        outputs = np.sign(start["rnn.fc.weight"][1])  # x gets the most from its fresh weights
    logits = new["rnn.fc.weight"].astype(np.float64) @ outputs + new["rnn.fc.bias"]
    kept, added = logits[[0, 2, 4, 5]], logits[[1, 3]]
    assert added.max() <= kept.mean() + 1e-4
    assert added.max() < kept.max()


def test_half_precision_weights_are_grown_in_single_precision() -> None:
    old = {name: array.astype(np.float16) for name, array in OLD.items()}
    change = CharsetChange(Charset("ab"), Charset("abc"))
    found = grow_classes(old, fresh([[0, 0]] * 4), LAYER, change, "a.ckpt")
    assert found["rnn.fc.weight"].dtype == np.float32
    np.testing.assert_allclose(found["rnn.fc.weight"][2], [3, 2])  # mean of (1, 2), (3, 4), (5, 0)


def test_a_class_layer_that_does_not_fit_is_named_with_both_shapes() -> None:
    change = CharsetChange(Charset("abc"), Charset("abcd"))
    with pytest.raises(UserError, match=r"a\.ckpt: rnn\.fc\.weight has shape \(3, 2\), must have \(4, 2\)"):
        grow_classes(OLD, fresh([[0, 0]] * 5), LAYER, change, "a.ckpt")
    with pytest.raises(UserError, match=r"a\.ckpt: holds no parameter rnn\.fc\.bias; .* \(3,\)"):
        grown_without = {n: a for n, a in OLD.items() if n != "rnn.fc.bias"}
        change = CharsetChange(Charset("ab"), Charset("abcd"))
        grow_classes(grown_without, fresh([[0, 0]] * 5), LAYER, change, "a.ckpt")


def test_the_log_counts_and_shows_what_changes() -> None:
    assert CharsetChange(Charset("abc"), Charset("ca12")).lines() == [
        "characters kept: 2: ca",
        "characters new: 2: 12",
        "characters dropped: 1: b",
    ]
    many = "".join(chr(0x4E00 + i) for i in range(100))
    assert CharsetChange(Charset("a"), Charset("a" + many)).lines() == [
        "characters kept: 1: a",
        f"characters new: 100: {many[:60]}...",
        "characters dropped: 0",
    ]


def test_a_change_of_case_is_explained() -> None:
    lower, both = Charset("ab"), Charset("abAB")
    grown_lines, shrunk_lines = CharsetChange(lower, both).lines(), CharsetChange(both, lower).lines()
    assert grown_lines[1] == "characters new: 2: AB"
    assert grown_lines[3:] == [
        "case_sensitive: the model read upper case as lower case; its upper-case letters start anew"
    ]
    assert shrunk_lines[2] == "characters dropped: 2: AB"
    assert shrunk_lines[3:] == [
        "case_sensitive: the model told upper from lower case; lower-case letters must now learn both"
    ]
