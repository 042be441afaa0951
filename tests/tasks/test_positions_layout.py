"""Layouts of positions: from yaml, to JSON and back, and what is refused."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import yaml

from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.positions.layout import Layout, Position, layout_of

YAML = """
alphabets:
  letters: ABCD
  digits: "0123"
  serial: [letters, digits]
  marks: [学, 警, WJ]
text:
  - {name: province, classes: 京沪}
  - letters
  - serial
  - {name: last, classes: [serial, marks, ""]}
attributes:
  - {name: rows, classes: [single, double], weight: 0.5}
  - {name: numbers, classes: [1, 2, 12]}
"""


def test_a_yaml_with_shared_alphabets() -> None:
    layout = layout_of(yaml.safe_load(YAML))
    assert [p.name for p in layout.positions] == ["province", "2", "3", "last", "rows", "numbers"]
    assert layout.text[1].classes == ("A", "B", "C", "D")
    assert layout.text[2].classes == tuple("ABCD0123")
    assert layout.text[3].classes == (*"ABCD0123学警", "WJ", "")
    assert layout.attributes[0] == Position("rows", ("single", "double"), in_text=False, weight=0.5)
    assert layout.attributes[1].classes == ("1", "2", "12")
    assert layout.class_counts == (2, 4, 8, 12, 2, 3)
    assert (len(layout), layout.num_classes) == (6, 12)
    assert layout.weights.tolist() == [1, 1, 1, 1, 0.5, 1]
    assert (layout.text[3].none, layout.text[0].none) == (11, None)


def test_the_mask_is_true_for_a_positions_own_classes() -> None:
    layout = layout_of({"text": ["AB", "ABCD", ["X"]]})
    assert layout.mask.dtype == bool
    assert layout.mask.astype(int).tolist() == [[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]]


def test_json_gives_the_same_layout_back() -> None:
    layout = layout_of(yaml.safe_load(YAML))
    plain = json.loads(json.dumps(layout.to_plain()))
    assert layout_of(plain) == layout
    assert plain["text"][0] == {"name": "province", "classes": "京沪"}
    assert plain["attributes"][0] == {"name": "rows", "classes": ["single", "double"], "weight": 0.5}
    assert "attributes" not in layout_of({"text": ["AB"]}).to_plain()


def test_a_character_file_lies_beside_the_yaml_and_may_repeat_a_class(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "hanzi.txt").write_text("一\n丁\n七\n丁\n", encoding="gb18030")
    layout = layout_of({"text": [{"name": "doubled", "classes": str(tmp_path / "hanzi.txt")}]})
    assert layout.text[0].classes == ("一", "丁", "七", "丁")
    assert layout.text[0].id_of("丁") == 1
    with caplog.at_level(logging.WARNING):
        assert layout_of(layout.to_plain()) == layout
    assert "position 'doubled' has class '丁' twice; the first is used" in caplog.text
    assert layout.unseen(np.array([[0], [1]], np.int32)) == {"doubled": ["七"]}
    with pytest.raises(UserError, match="absent"):
        layout_of({"text": [str(tmp_path / "absent.txt")]})


def test_classes_without_a_sample_are_named_and_open_positions_are_no_sample() -> None:
    layout = layout_of({"text": ["AB", ["0", "1", ""]], "attributes": [["red", "blue"]]})
    targets = np.array([[0, 1, -1], [1, 0, -1], [0, -1, 1]], dtype=np.int32)
    assert layout.unseen(targets) == {"2": [""], "3": ["red"]}


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({}, "no position in the text"),
        ([], r"a layout is a mapping with the keys alphabets, text, attributes, not \[\]"),
        ({"attributes": ["AB"]}, "no position in the text"),
        ({"texts": ["AB"]}, "the layout: unknown key 'texts', did you mean 'text'"),
        ({"text": "AB"}, "text of the layout: expected a list of positions, not 'AB'"),
        ({"text": None}, "text of the layout: expected a list of positions, not None"),
        ({"text": ["AB"], "alphabets": ["x"]}, "alphabets of the layout: expected a mapping"),
        ({"text": [{"name": "a"}]}, "position 'a' has no classes"),
        ({"text": [{"clases": "AB"}]}, "position '1': unknown key 'clases', did you mean 'classes'"),
        ({"text": ["AB", ""]}, "position '2' has no classes"),
        ({"text": [[]]}, "position '1' has no classes"),
        ({"text": [[""]]}, "position '1' has no classes beside none"),
        ({"text": ["ABA"]}, "position '1' has class 'A' twice"),
        ({"text": [["yes", True]]}, "position '1': class True is not a text: put it in quotes"),
        ({"text": [12]}, "position '1': classes are 12, must be a text or a list of texts"),
        (
            {"text": ["serail"], "alphabets": {"serial": "ABC"}},
            "unknown alphabet 'serail', did you mean 'serial'",
        ),
        ({"text": [{"classes": "AB", "weight": "much"}]}, "position '1': weight is 'much', must be a number"),
        ({"text": [{"classes": "AB", "weight": -1}]}, "position '1': weight is -1.0, must be 0 or above"),
        ({"text": [{"classes": "AB", "weight": float("nan")}]}, "weight is nan"),
        ({"text": ["AB", {"name": 1, "classes": "AB"}]}, "two positions are called '1'"),
        ({"text": [{"name": "", "classes": "AB"}]}, "a position has an empty name"),
        ({"text": [["A", ""], "AB"]}, "position '1' may be none, and one behind it"),
    ],
)
def test_what_is_no_layout_is_refused_with_the_place(plain: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        layout_of(plain)


def test_attributes_stand_behind_the_text() -> None:
    beside, inside = Position("colour", ("red",), in_text=False), Position("first", ("A",))
    assert Layout((inside, beside)).attributes == (beside,)
    with pytest.raises(UserError, match="must come first"):
        Layout((beside, inside))
