"""GB2312, and what looks alike."""

from crnn_mindspore.artifacts.agreement import kind_in
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.tasks.positions.gb2312 import level_one
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.text.folding import LOOK_ALIKE, fold_look_alikes


def test_level_one_is_the_standards() -> None:
    characters = level_one()
    assert len(characters) == len(set(characters)) == 3755
    assert (characters[0], characters[-1]) == ("啊", "座")
    codes = [c.encode("gb2312") for c in characters]
    assert codes == sorted(codes) and codes[-1] == b"\xd7\xf9"
    assert "捌" in characters and "亍" not in characters  # the second begins level 2


def test_every_layout_knows_it_by_name() -> None:
    layout = layout_of({"alphabets": {"more": "01"}, "text": [{"classes": ["gb2312_level1", "more"]}]})
    assert layout.positions[0].classes == (*level_one(), "0", "1")
    assert layout_of({"text": ["gb2312_level1"]}).num_classes == 3755


def test_look_alikes_fold_to_the_first_of_their_group_whatever_their_width() -> None:
    members = [c for group in LOOK_ALIKE for c in group]
    assert len(members) == len(set(members))
    assert all(fold_look_alikes(group) == group[0] * len(group) for group in LOOK_ALIKE)
    assert fold_look_alikes("Ｏ中l，b") == "0中1,b"


def test_the_option_may_name_it_alone() -> None:
    options = load_options(TrainOptions, ["--task=characters", "--positions=gb2312_level1"])
    assert kind_in(options).codec_from(options).num_classes == 3755
    every = load_options(TrainOptions, ["--task=characters"])
    assert kind_in(every).codec_from(every).num_classes > 3755
