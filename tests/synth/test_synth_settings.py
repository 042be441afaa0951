"""The numbers of the effects."""

import re
from pathlib import Path

import numpy as np
import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.settings import DEFAULT_FILE, EffectSettings, load_effects


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "effects.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shipped_number_has_a_comment() -> None:
    for line in DEFAULT_FILE.read_text(encoding="utf-8").splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r"[a-z_]+: \S.*\S +# \S.*", line), line


def test_every_shipped_number_is_used() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in Path("src/crnn_mindspore/synth").rglob("*.py")
    )
    for key in load_effects().items():
        stem = key.removesuffix("_probability").removesuffix("_range").removesuffix("_strength")
        assert f'"{stem}"' in source or f'"{key}"' in source, key


def test_a_file_replaces_what_it_names(tmp_path: Path) -> None:
    settings = load_effects(write(tmp_path, "blur_probability: 0\njpeg_quality_range: [10, 20]\n"))
    assert settings.number("blur_probability") == 0
    assert settings.range("jpeg_quality_range") == (10, 20)
    assert settings.number("jpeg_probability") == load_effects().number("jpeg_probability")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur_probabilty: 0.5", "'blur_probabilty', did you mean 'blur_probability'"),
        ("blur_probability: 1.5", r"1\.5.*0\.\.1"),
        ("blur_probability: often", "'often'"),
        ("blur_range: [0.2, 0.1]", r"\[0\.2, 0\.1\]"),
        ("blur_range: 0.2", "must be"),
        ("tint_strength: -1", "-1"),
        ("- a\n- b", "key: value"),
        ("a: [", "not a yaml file"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as error:
        load_effects(path)
    assert str(path) in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.yaml"):
        load_effects(tmp_path / "absent.yaml")


def test_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert load_effects(write(tmp_path, "# nothing\n")) == load_effects()


def test_chance_follows_probability_and_strength() -> None:
    settings = EffectSettings({"x_probability": 0.4, "x_range": (2.0, 4.0), "y_strength": 1.0})
    for strength in (0.0, 0.5, 1.0):
        dice = Dice(settings, np.random.default_rng(0), strength)
        share = np.mean([dice.happens("x") for _ in range(20000)])
        assert share == pytest.approx(0.4 * strength, abs=0.015)
    values = np.array([dice.amount("x") for _ in range(20000)])
    assert values.min() >= 2 and values.max() <= 4
    assert values.mean() == pytest.approx(3.0, abs=0.03)
    spread = np.array([dice.spread("y") for _ in range(20000)])
    assert np.abs(spread).max() <= 2.5
    assert spread.std() == pytest.approx(0.98, abs=0.03)
