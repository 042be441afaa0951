"""The most probable texts of positions against all texts there are."""

from collections.abc import Sequence
from itertools import islice, product

import numpy as np
import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.decoder import PositionsDecoder, Rule, most_probable, most_probable_one
from crnn_mindspore.tasks.positions.layout import Layout, layout_of
from crnn_mindspore.text.decoder import Attribute

PLATE = layout_of(
    {
        "text": ["AB", "AB12", ["1", "2", "X", ""], ["1", ""]],
        "attributes": [{"name": "rows", "classes": ["one", "two", "more"]}],
    }
)
AMBIGUOUS = layout_of({"text": [["A", "AB", "B", "A"], ["B", "C", "BC"]]})
ALL_NONE = layout_of({"text": [["A", ""], ["B", ""]]})


def scores(layout: Layout, seed: int, images: int = 4) -> np.ndarray:
    """(T,N,K), with large values where a position lacks the class, which must not be looked at."""
    drawn = np.random.default_rng(seed).normal(0, 2, (len(layout), images, layout.num_classes))
    return np.where(layout.mask[:, None], drawn, 50.0).astype(np.float32)


def softmax(values: np.ndarray) -> np.ndarray:
    shares = np.exp(values.astype(np.float64))
    return shares / shares.sum()


def all_texts(
    layout: Layout,
    logits: np.ndarray,
    image: int,
    rule: Rule | None = None,
    allowed: dict[str, Sequence[str]] | None = None,
    temperature: float = 1.0,
) -> dict[str, float]:
    """Every text that may be -> its probability, that of the best way to write it."""
    found: dict[str, float] = {}
    for ids in product(*(range(len(p.classes)) for p in layout.text)):
        classes = [p.classes[i] for p, i in zip(layout.text, ids, strict=True)]
        ends = classes.index("") if "" in classes else len(classes)
        if any(classes[ends:]) or (rule and not rule(classes)):
            continue
        if any(
            c not in (allowed or {}).get(p.name, p.classes) for c, p in zip(classes, layout.text, strict=True)
        ):
            continue
        probability = 1.0
        for t, i in enumerate(ids):
            probability *= softmax(logits[t, image, : len(layout.text[t].classes)] / temperature)[i]
        text = "".join(classes)
        found[text] = max(found.get(text, 0.0), probability)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def two_digits(classes: Sequence[str]) -> bool:
    return sum(c.isdigit() for c in classes) == 2


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
@pytest.mark.parametrize("rule", [None, two_digits])
@pytest.mark.parametrize("layout", [PLATE, AMBIGUOUS, ALL_NONE], ids=["plate", "ambiguous", "all-none"])
def test_the_best_texts_are_those_of_all_in_order(layout: Layout, rule: Rule | None, count: int) -> None:
    if rule and layout is not PLATE:
        rule = lambda classes: classes[0] != "A"  # noqa: E731
    logits = scores(layout, seed=3)
    readings = PositionsDecoder(PositionsCodec(layout), rule).best(logits, count)
    for n, found in enumerate(readings):
        expected = list(all_texts(layout, logits, n, rule).items())[:count]
        assert [reading.text for reading in found] == [text for text, _ in expected]
        assert [reading.confidence for reading in found] == pytest.approx([p for _, p in expected])


def test_without_a_rule_all_texts_come_and_all_are_different() -> None:
    (found,) = PositionsDecoder(PositionsCodec(PLATE)).best(scores(PLATE, 5, 1), 10_000)
    # Two, four, then nothing or three characters, of which with one more behind: 8 * (1 + 3 + 3).
    assert len({reading.text for reading in found}) == len(found) == 56


def test_restrictions_leave_the_others_probabilities_as_they_are() -> None:
    logits = scores(PLATE, seed=4)
    allowed = {"2": "12", "3": ["X", ""], "rows": ["two"]}
    decoder = PositionsDecoder(PositionsCodec(PLATE), allowed=allowed)
    for n, found in enumerate(decoder.best(logits, 5)):
        expected = list(all_texts(PLATE, logits, n, allowed=allowed).items())[:5]
        assert [(r.text, pytest.approx(r.confidence)) for r in found] == expected
        assert found[0].attributes[0].value == "two"
        assert found[0].attributes[0].confidence == pytest.approx(softmax(logits[4, n, :3])[1])


def test_a_reading_tells_ids_characters_attributes_and_the_raw_path() -> None:
    logits = np.full((5, 1, 4), -3.0, np.float32)
    for t, i in enumerate([1, 2, 3, 1, 2]):  # B, 1, none, none, more
        logits[t, 0, i] = 1.0
    logits[3, 0, 0] = 2.0  # a character behind the end: the best class there, and in no text
    (reading,) = PositionsDecoder(PositionsCodec(PLATE))(logits)
    assert (reading.text, reading.raw, reading.ids) == ("B1", "B1-1", (1, 2, 3, 1, 2))
    p = [softmax(logits[t, 0, :k]) for t, k in enumerate([2, 4, 4, 2, 3])]
    assert reading.characters == pytest.approx((p[0][1], p[1][2]))
    assert reading.confidence == pytest.approx(p[0][1] * p[1][2] * p[2][3] * p[3][1])
    assert reading.attributes == (Attribute("rows", "more", pytest.approx(p[4][2])),)
    assert PositionsCodec(PLATE).decode(reading.ids) == reading.text
    assert hash(reading) == hash(reading)


def test_temperature_changes_confidences_and_no_order() -> None:
    logits = scores(PLATE, seed=6)
    codec = PositionsCodec(PLATE)
    plain, cool = (
        PositionsDecoder(codec).best(logits, 9),
        PositionsDecoder(codec, temperature=2.5).best(logits, 9),
    )
    for n, found in enumerate(cool):
        assert [r.text for r in found] == [r.text for r in plain[n]]
        expected = all_texts(PLATE, logits, n, temperature=2.5)
        assert [r.confidence for r in found] == pytest.approx([expected[r.text] for r in found])
    ids = [found[0].ids for found in cool]
    confidences = PositionsDecoder(codec, temperature=7.0).probabilities(logits / 2.5, ids)
    assert confidences == pytest.approx([found[0].confidence for found in cool])


def test_where_no_text_has_the_form_nothing_is_read_and_that_is_noted() -> None:
    tried: list[Sequence[str]] = []
    decoder = PositionsDecoder(PositionsCodec(PLATE), lambda c: bool(tried.append(c)), most_tried=11)
    assert decoder.notes() == []
    first, second = decoder(scores(PLATE, 7, 2))
    assert (first.text, first.confidence, second.text) == ("", 0.0, "")
    assert len(tried) == 22
    assert decoder.probabilities(scores(PLATE, 7, 2), [first.ids, second.ids]).tolist() == [0, 0]
    assert decoder.notes() == [
        '2 images read as "": none of their 11 most probable texts has the form that is asked for'
    ]


def test_single_characters_of_many_classes() -> None:
    characters = [chr(0x4E00 + i) for i in range(3755)]
    layout = layout_of({"text": [characters]})
    logits = scores(layout, 8, 3)
    for n, found in enumerate(PositionsDecoder(PositionsCodec(layout)).best(logits, 5)):
        order = np.argsort(-logits[0, n])[:5]
        assert [r.text for r in found] == [characters[i] for i in order]
        assert [r.confidence for r in found] == pytest.approx(softmax(logits[0, n])[order].tolist())


def test_the_name_tells_what_is_set() -> None:
    codec = PositionsCodec(PLATE)
    assert PositionsDecoder(codec).name == "positions"
    named = PositionsDecoder(codec, two_digits, {"1": "A"}).name
    assert named == "positions, with a rule of form, restricted"


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ({"rowz": ["one"]}, "unknown position 'rowz', did you mean 'rows'"),
        ({"rows": ["three"]}, "position 'rows' has no class 'three'"),
        ({"1": ""}, "no class is left for position '1'"),
    ],
)
def test_an_impossible_restriction_is_refused(allowed: dict[str, Sequence[str]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        PositionsDecoder(PositionsCodec(PLATE), allowed=allowed)


def test_the_most_probable_text_alone_is_the_first_of_all() -> None:
    for layout in (PLATE, ALL_NONE, AMBIGUOUS):
        nones = [position.none for position in layout.text]
        for seed in range(20):
            values = scores(layout, seed, images=1)[: len(layout.text), 0].astype(np.float64)
            values[~layout.mask[: len(layout.text)]] = -np.inf
            values[0, np.random.default_rng(seed).integers(values.shape[1])] = -np.inf
            first = list(islice(most_probable(values, nones, values.shape[1]), 1))
            assert most_probable_one(values, nones) == first
