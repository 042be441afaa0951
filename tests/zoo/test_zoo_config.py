"""`src.model_utils.config`: the options as a namespace that scripts read and change."""

import sys
from pathlib import Path

import pytest
from zoo_options import options

import src.model_utils.config as zoo_config
from src.model_utils.config import Config


def test_every_option_of_the_yaml_is_an_attribute_that_may_be_changed_and_added_to() -> None:
    config = options("--batch_size=7", "--nesterov=False")
    assert (config.batch_size, config.nesterov, config.learning_rate) == (7, False, 0.02)
    config.batch_size = 1
    config.rank_id = 0
    assert (config.batch_size, config.rank_id) == (1, 0)


def test_what_follows_from_other_options_is_filled_in(tmp_path: Path) -> None:
    assert [getattr(options(), name) for name in ("class_num", "blank", "num_step", "input_size")] == [
        37,
        36,
        24,
        512,
    ]
    letters = tmp_path / "letters.txt"
    letters.write_text("x\ny\nz\n")
    config = options(f"--label_dict={letters}", "--image_width=160", "--channel_scale=0.5")
    assert config.label_dict == "xyz"
    assert (config.class_num, config.blank, config.num_step, config.input_size) == (4, 3, 39, 256)


def test_a_yaml_of_config_path_is_laid_under_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("batch_size: 5\nepoch_size: 3\n")
    config = options(f"--config_path={tmp_path / 'own.yaml'}", "--epoch_size=4")
    assert (config.batch_size, config.epoch_size) == (5, 4)


def test_the_device_is_found_where_none_is_named() -> None:
    assert options("--device_target=auto").device_target == "CPU"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--bach_size=1", "unknown option 'bach_size', did you mean 'batch_size'?"),
        ("--batch_size=one", "batch_size is 'one', must be a whole number"),
        ("--class_num=40", "class_num is given as 40, but 37 follows from the other options"),
        ("--config_path=gone.yaml", "gone.yaml"),
    ],
)
def test_a_wrong_option_ends_the_script_with_2_and_says_why(
    capsys: pytest.CaptureFixture[str], argument: str, message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        options(argument)
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "usage: script.py [--OPTION VALUE ...]"
    assert lines[1].startswith("error: ")
    assert message in lines[1]


def test_config_is_read_once_when_it_is_first_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    zoo_config._shared.cache_clear()
    monkeypatch.setattr(sys, "argv", ["script.py", "--device_target=CPU", "--batch_size=9"])
    from src.model_utils.config import config

    monkeypatch.setattr(sys, "argv", ["script.py", "--no_option"])
    assert config.batch_size == 9
    assert zoo_config.config is config
    assert zoo_config.config_or(None) is config
    zoo_config._shared.cache_clear()


def test_a_mapping_becomes_attributes() -> None:
    assert Config({"batch_size": 2}).batch_size == 2
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = zoo_config.other
