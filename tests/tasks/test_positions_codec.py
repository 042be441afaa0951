"""Labels of positions to ids and back, and which labels are refused."""

import pytest

from crnn_mindspore.data.sources.samples import EMPTY_LABEL
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.positions.codec import (
    NONE_INSIDE,
    NOT_ALLOWED,
    TOO_FEW,
    TOO_MANY,
    UNKNOWN_ATTRIBUTE,
    UNKNOWN_ID,
    WRONG_NUMBER,
    PositionsCodec,
    Refusal,
)
from crnn_mindspore.tasks.positions.layout import layout_of

PLATE = layout_of(
    {
        "alphabets": {"letters": "ABCDEF", "serial": ["letters", *"12345"]},
        "text": ["京沪", "letters", "serial", "serial", ["serial", "学", ""], ["D", "F", ""]],
        "attributes": [
            {"name": "rows", "classes": ["single", "double"]},
            {"name": "colour", "classes": ["blue", "yellow", "new green"]},
        ],
    }
)


@pytest.fixture
def codec() -> PositionsCodec:
    return PositionsCodec(PLATE)


@pytest.mark.parametrize(
    ("label", "ids"),
    [
        ("京A123F", [0, 0, 6, 7, 8, 1, -1, -1]),
        ("沪FA1学", [1, 5, 0, 6, 11, 2, -1, -1]),
        ("沪F12", [1, 5, 6, 7, 12, 2, -1, -1]),
        ("  沪f1b  ", [1, 5, 6, 1, 12, 2, -1, -1]),
        ("?A1?3", [-1, 0, 6, -1, 8, 2, -1, -1]),
        ("京A123?", [0, 0, 6, 7, 8, -1, -1, -1]),
        ("京A123F rows=double colour=blue", [0, 0, 6, 7, 8, 1, 1, 0]),
        ("京A123 colour=yellow", [0, 0, 6, 7, 8, 2, -1, 1]),
        ("京A123 colour=new green rows=single", [0, 0, 6, 7, 8, 2, 0, 2]),
        ("京A123 colour=? rows=single", [0, 0, 6, 7, 8, 2, 0, -1]),
        ("rows=double", None),
        ("?????? rows=double", [-1, -1, -1, -1, -1, -1, 1, -1]),
        ("1 5 0 6 -1 -1 0 2", [1, 5, 0, 6, -1, -1, 0, 2]),
        ("1\t5 0 6 12 2 -1 2\n", [1, 5, 0, 6, 12, 2, -1, 2]),
    ],
)
def test_a_label_in_each_form(codec: PositionsCodec, label: str, ids: list[int] | None) -> None:
    assert (codec.refusal(label) is None) == (ids is not None)
    if ids is not None:
        encoded = codec.encode(label)
        assert (encoded.dtype, encoded.tolist()) == ("int32", ids)


@pytest.mark.parametrize(
    ("label", "reason", "says"),
    [
        ("", EMPTY_LABEL, ""),
        ("   ", EMPTY_LABEL, ""),
        ("rows=single", EMPTY_LABEL, ""),
        ("??????", EMPTY_LABEL, "all positions are open"),
        ("-1 -1 -1 -1 -1 -1 -1 -1", EMPTY_LABEL, "all positions are open"),
        ("京A1O3F", NOT_ALLOWED, "'O' at position '4', which has ABCDEF12345"),
        ("A京123", NOT_ALLOWED, "'A' at position '1', which has 京沪"),
        ("京A1234", NOT_ALLOWED, "'4' at position '6', which has DF or none"),
        ("京A123FF", TOO_MANY, "'F' is left behind 6"),
        ("京A1", TOO_FEW, "position '4' must have one"),
        ("京", TOO_FEW, "position '2' must have one"),
        ("1 2 3", WRONG_NUMBER, "3 ids for 8 positions"),
        ("1 5 0 6 -1 -1 0 2 0", WRONG_NUMBER, "9 ids for 8 positions"),
        ("2 0 0 0 0 0 0 0", UNKNOWN_ID, "2 at position '1', which has 0 to 1"),
        ("1 0 0 0 0 0 0 -2", UNKNOWN_ID, "-2 at position 'colour', which has 0 to 2"),
        ("1 0 0 0 12 1 0 0", NONE_INSIDE, "at position '5'"),
        ("京A123 color=blue", UNKNOWN_ATTRIBUTE, "unknown attribute 'color', did you mean 'colour'?"),
        ("京A123 colour=bleu", UNKNOWN_ATTRIBUTE, "unknown value of colour 'bleu', did you mean 'blue'?"),
        ("京A123 rows=single rows=double", UNKNOWN_ATTRIBUTE, "rows stands twice"),
    ],
)
def test_a_refused_label_has_a_reason_and_an_example(
    codec: PositionsCodec, label: str, reason: str, says: str
) -> None:
    refusal = codec.refusal(label)
    assert refusal is not None
    assert refusal.reason == reason
    assert refusal.example == (f"{label!r}, {says}" if says else f"{label!r}")
    with pytest.raises(UserError, match=reason):
        codec.encode(label)


def test_ids_give_the_text_and_the_attributes_back(codec: PositionsCodec) -> None:
    ids = codec.encode("沪f1b学 colour=yellow")
    assert codec.decode(ids) == codec.decode(ids[:6]) == "沪F1B学"
    assert codec.attributes(ids) == {"colour": "yellow"}
    assert codec.label(ids) == "沪F1B学 colour=yellow"
    assert codec.encode(codec.label(ids)).tolist() == ids.tolist()
    assert codec.decode([1, 5, 0, 6, -1, 2, 0, 0]) == "沪FA1?"
    assert codec.decode([1, 5, 0, 6, 12, -1, 0, 0]) == "沪FA1?"


def test_every_text_survives_encoding_and_decoding(codec: PositionsCodec) -> None:
    for text in ("京A123F", "沪B44", "沪B445", "京C5E学", "?A1?3", "京A123?"):
        assert codec.decode(codec.encode(text)) == text
        assert codec.normalize(text) == codec.normalize(f" {text} rows=single") == text


def test_normalize_spells_as_the_classes_do(codec: PositionsCodec) -> None:
    assert codec.normalize("京a1b3") == "京A1B3"
    assert codec.normalize("1 5 0 6 12 2 -1 2") == "沪FA1"
    assert codec.normalize(" O-beyond ") == "O-beyond"  # refused


def test_ids_of_a_reader_are_checked(codec: PositionsCodec) -> None:
    assert codec.encode_ids([1, 5, 0, 6, -1, -1, 0, 2]).tolist() == [1, 5, 0, 6, -1, -1, 0, 2]
    with pytest.raises(UserError, match="unknown id: 9 at position '2', which has 0 to 5"):
        codec.encode_ids([1, 9, 0, 6, -1, -1, 0, 2])


def test_single_characters_and_the_mark_as_a_character() -> None:
    codec = PositionsCodec(layout_of({"text": [list("一丁?=7")]}))
    assert [codec.encode(label).tolist() for label in "一丁?=7"] == [[0], [1], [2], [3], [4]]
    assert codec.charset.classes == ("一", "丁", "?", "=", "7")
    assert codec.refusal("15") == Refusal(NOT_ALLOWED, "'15', '1' at position '1', which has 一丁?=7")
    assert codec.encode_ids([3]).tolist() == [3]


def test_classes_of_several_characters_and_of_white_space() -> None:
    codec = PositionsCodec(layout_of({"text": [["W", "WJ"], ["J", "1", " ", ""], ["1", ""]]}))
    assert codec.encode("WJ1").tolist() == [1, 1, 1]
    assert codec.encode("W1").tolist() == [0, 1, 1]
    assert codec.encode("W 1").tolist() == [0, 2, 0]


def test_a_repeated_class_is_encoded_as_the_first() -> None:
    codec = PositionsCodec(layout_of({"text": [["A", "B", "A"]]}))
    assert codec.encode("A").tolist() == [0]
    assert codec.decode([2]) == "A"


def test_a_decomposed_letter_is_the_composed_one() -> None:
    codec = PositionsCodec(layout_of({"text": ["éa"]}))
    assert codec.encode("é").tolist() == [0]
