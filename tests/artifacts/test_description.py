"""The description that a model carries: its formats."""

import json

import pytest

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset


def described(charset: Charset) -> Artifact:
    return Artifact(charset, Preprocessing(), NetworkSpec(), 7, "ab", {"crnn": "1"}, {"seed": 1})


@pytest.mark.parametrize("characters", ["abc1", "a b", "Åé中", "\uf92c\u90ce"])
def test_an_alphabet_of_characters_is_a_string_in_format_1(characters: str) -> None:
    artifact = described(Charset(characters))
    case = json.dumps(artifact.codec.case_sensitive)
    assert artifact.to_json() == (
        f'{{"format_version": 1, "task": "ctc", "charset": "{characters}", "case_sensitive": {case}, '
        f'"blank": {len(characters)}, "num_classes": {len(characters) + 1}, '
        '"preprocessing": {"height": 32, "width": 100, "channel_order": "BGR", "interpolation": "linear", '
        '"mean": 127.5, "std": 127.5}, '
        '"network": {"version": "V2", "hidden_size": 256, "channel_scale": 1.0}, '
        '"step": 7, "weights_sha256": "ab", "precision": "fp32", "versions": {"crnn": "1"}, '
        '"training": {"seed": 1}}'
    )
    assert Artifact.from_json(artifact.to_json(), "a.json") == artifact


@pytest.mark.parametrize("classes", [("dž", "a"), ("a", "b", "a"), ("a", "", "b"), ("കു", " ")])
def test_other_alphabets_are_lists_in_format_2(classes: tuple[str, ...]) -> None:
    artifact = described(Charset(classes))
    values = json.loads(artifact.to_json())
    assert (values["format_version"], values["charset"]) == (2, list(classes))
    assert (values["blank"], values["num_classes"]) == (len(classes), len(classes) + 1)
    assert Artifact.from_json(artifact.to_json(), "a.json") == artifact


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"charset": "ab"}, "a.json: its description is damaged"),
        ({"charset": ["ab", 1]}, "a.json: its description is damaged"),
        ({"charset": []}, "a.json: the charset .* is empty"),
        ({"charset": ["ab", "c"]}, "a.json: blank 3 of 4 classes contradicts its charset of 2 characters"),
        ({"format_version": 1}, "a.json: its description is damaged"),
    ],
)
def test_a_damaged_list_of_classes_is_refused(change: dict[str, object], message: str) -> None:
    values = json.loads(described(Charset(("ab", "c", "d"))).to_json())
    with pytest.raises(UserError, match=message):
        Artifact.from_json(json.dumps(values | change), "a.json")


def test_two_alphabets_that_join_to_one_text_are_two_models() -> None:
    with pytest.raises(UserError, match=r"label_dict \['ab', 'c'\], but label_dict 'abc' was given"):
        described(Charset(("ab", "c"))).check_same_model(described(Charset("abc")), "a.ckpt")
