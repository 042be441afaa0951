"""Lines: texts and labels, kinds, images as functions of their number."""

import logging
import pickle
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from test_synth_common import font_paths

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth import line_kinds, line_render
from crnn_mindspore.synth.effects.colours import brightness, choose_palette
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.settings import load_effects
from crnn_mindspore.synth.line_kinds import load_line_kinds
from crnn_mindspore.synth.line_render import LineRenderer, create_line_renderer
from crnn_mindspore.synth.typefaces.font_files import find_font_files
from crnn_mindspore.synth.typefaces.fonts import FontLibrary, _rank, examine, scan_fonts
from crnn_mindspore.synth.typefaces.glyphs import draw_glyphs
from crnn_mindspore.synth.words.line_texts import LineTexts, TextHabits
from crnn_mindspore.text.charset import Charset, required_time_steps

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
GREEK = "αβγδεζηθκλμξπρστφχψω"
PROSE = "Plain words, in a row. Numbers 123 too!\nAnother line of them: the second\nshort\n"
WINDOWS = TextHabits((1, 8, 20), 0.0, 0.0, 0.0)
PHRASES = TextHabits((20, 20, 20), 0.0, 1.0, 0.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def prose(tmp_path: Path, text: str = PROSE) -> Path:
    path = tmp_path / "prose.txt"
    path.write_text(text, encoding="utf-8")
    return path


def texts(path: Path, classes: str = LETTERS + ",.!:", rare: float = 0.0, **options: object) -> LineTexts:
    return LineTexts(Charset(classes), classes + " ", path, rare=rare, **options)  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def library() -> FontLibrary:
    records = [
        dict(record, collection="packages")
        for path in font_paths()[:6]
        for record in examine(path, LETTERS + ",.!:-()/%+$ ")[0]
    ]
    return FontLibrary(_rank(records, Counter()))


def made(tmp_path: Path, **options: object) -> LineRenderer:
    return LineRenderer(texts(prose(tmp_path), **options), library(), load_line_kinds(), 7)  # type: ignore[arg-type]


# --- Texts ---


def test_windows_are_pieces_of_the_text_and_have_the_length_asked_for(tmp_path: Path) -> None:
    flow = PROSE.replace("\n", "")
    source = texts(prose(tmp_path), length=(10, 10))
    for seed in range(200):
        text, label = source.sample(rng(seed), WINDOWS)
        assert text in flow and len(text) == 10
        assert label == text.replace(" ", "")
        assert len(source.sample(rng(seed), PHRASES)[0]) == 10
        assert 10 <= len(texts(prose(tmp_path), length=(10, 20)).sample(rng(seed), PHRASES)[0]) <= 20
    lengths = Counter(len(texts(prose(tmp_path)).sample(rng(s), WINDOWS)[0]) for s in range(600))
    assert min(lengths) <= 2 and max(lengths) >= 18 and max(lengths) <= 20


def test_phrases_begin_and_end_where_those_of_the_text_do(tmp_path: Path) -> None:
    found = {texts(prose(tmp_path)).sample(rng(seed), PHRASES)[0] for seed in range(300)}
    assert {"Plain words", "in a row", "short"} <= found
    assert all(any(part.strip().startswith(text[:5]) for part in _phrases()) for text in found)


def _phrases() -> list[str]:
    return PROSE.replace(",", "\n").replace(".", "\n").replace(":", "\n").replace("!", "\n").split("\n")


def test_every_class_comes_equally_often_where_characters_are_drawn_at_random(tmp_path: Path) -> None:
    source = texts(prose(tmp_path), rare=1.0)
    counts: Counter[str] = Counter()
    for seed in range(2000):
        counts.update(source.sample(rng(seed), WINDOWS)[1])
    mean = sum(counts.values()) / len(source.characters)
    assert set(counts) == set(source.characters) == set(LETTERS + ",.!:")
    assert all(abs(count - mean) < 6 * mean**0.5 for count in counts.values())


def test_the_share_of_random_lines(tmp_path: Path) -> None:
    flow = PROSE.replace("\n", "")
    source = texts(prose(tmp_path), rare=0.3, length=(10, 10))
    drawn = [source.sample(rng(seed), WINDOWS)[0] for seed in range(1000)]
    assert np.mean([text not in flow for text in drawn]) == pytest.approx(0.3, abs=0.05)
    assert all(source.sample(rng(seed), WINDOWS, rare=False)[0] in flow for seed in range(100))


def test_labels_have_the_width_that_the_alphabet_has(tmp_path: Path) -> None:
    source = texts(prose(tmp_path, "a"), classes="aA1,，(￥")
    assert source.label("ａＡ１") == "aA1"
    assert source.label(",，") == ",，"
    assert source.label("（￥¥") == "(￥￥"
    assert source.label("a A 。") == "aA"
    spaced = texts(prose(tmp_path, "a"), classes="ab ")
    assert spaced.label("a b\u3000a") == "a b a"


def test_what_cannot_be_written_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        source = texts(prose(tmp_path, "ab中中文ab\n文\n"))
    assert source.words == ["abab"]
    assert "4 of 8 characters are left out" in caplog.text and "中文" in caplog.text
    with pytest.raises(UserError, match=r"prose\.txt: no line"):
        texts(prose(tmp_path, "中文\n"))
    with pytest.raises(UserError, match=r"absent\.txt"):
        texts(tmp_path / "absent.txt")


def test_lines_fit_the_time_steps(tmp_path: Path) -> None:
    source = texts(prose(tmp_path, "aaaaaaaaaaaaaaaaaaaaaaaa"), max_time_steps=9, length=(20, 20))
    text, label = source.sample(rng(), WINDOWS)
    assert label == text == "aaaaa" and required_time_steps(label) == 9


def test_numbers_and_the_like_are_within_the_alphabet(tmp_path: Path) -> None:
    dressed = TextHabits((1, 8, 20), 0.0, 0.5, 1.0)
    source = texts(prose(tmp_path), classes=LETTERS + ",.!:()-/%+$￥元年月日")
    labels = [source.sample(rng(seed), dressed)[1] for seed in range(500)]
    assert all(1 <= len(label) <= 20 and source.charset.covers(label) for label in labels)
    assert sum(any(c.isdigit() for c in label) for label in labels) > 200
    assert any("年" in label for label in labels) and any("￥" in label for label in labels)


def test_built_in_phrases_are_chinese_and_always_the_same() -> None:
    classes = "的一是不了在人有我他这中大来上国和到说们为子你地出会也时要就，。"
    first, second = (LineTexts(Charset(classes), classes, rare=0.0) for _ in range(2))
    assert first.words == second.words
    assert all(first.charset.covers(first.sample(rng(seed), WINDOWS)[1]) for seed in range(50))


# --- Kinds ---


def test_shipped_kinds() -> None:
    kinds = {kind.name: kind for kind in load_line_kinds()}
    assert set(kinds) == {"news", "sign", "screen", "document"}
    assert sum(kind.share for kind in kinds.values()) == pytest.approx(1)
    assert kinds["news"].effects.number("tint_strength") == 0
    assert kinds["sign"].effects.number("tint_strength") == load_effects().number("tint_strength")


def test_the_users_effects_are_laid_over_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "effects.yaml"
    path.write_text("blur_probability: 0.123\n", encoding="utf-8")
    assert {kind.effects.number("blur_probability") for kind in load_line_kinds(path)} == {0.123}
    path.write_text("blur_probabilty: 0.123\n", encoding="utf-8")
    with pytest.raises(UserError, match="did you mean 'blur_probability'"):
        load_line_kinds(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("share: 0.46", "share: often"), "news: share is 'often'"),
        (("ten: 0.8", "ten: 1.8"), r"news: ten is 1\.8, must be a number in 0\.\.1"),
        (("length: [1, 20, 20]", "length: [5, 1, 20]"), r"news: length is \[5, 1, 20\]"),
        (("aspect: 8.75", "aspct: 8.75"), "'aspct', did you mean 'aspect'"),
        (("blur_range: [0.01, 0.06]", "blur_range: 3"), "blur_range is 3"),
    ],
)
def test_bad_kinds(
    change: tuple[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = line_kinds.DEFAULT_FILE.read_text(encoding="utf-8")
    assert change[0] in text
    path = tmp_path / "kinds.yaml"
    path.write_text(text.replace(*change), encoding="utf-8")
    monkeypatch.setattr(line_kinds, "DEFAULT_FILE", path)
    with pytest.raises(UserError, match=message):
        load_line_kinds()


# --- Images ---


def test_images_are_pure_functions_of_the_index(tmp_path: Path) -> None:
    renderer = made(tmp_path, rare=0.3)
    first = [renderer.render(index, 0.7) for index in range(30)]
    copy = pickle.loads(pickle.dumps(renderer))
    for index in reversed(range(30)):
        image, label = copy.render(index, 0.7)
        assert label == first[index][1] and np.array_equal(image, first[index][0])
    assert len({image.tobytes() for image, _ in first}) == 30
    other = LineRenderer(renderer.texts, renderer.fonts, renderer.kinds, 8)
    assert not np.array_equal(other.render(0)[0], renderer.render(0)[0])


def test_labels_and_sizes(tmp_path: Path) -> None:
    renderer = made(tmp_path, rare=0.3)
    for index in range(300):
        image, label = renderer.render(index)
        assert image.dtype == np.uint8 and image.shape[2] == 3
        assert 6 <= image.shape[0] <= 112 and 6 <= image.shape[1] <= 480
        assert label and renderer.charset.covers(label)


def test_plain_lines_are_short_and_of_the_text(tmp_path: Path) -> None:
    renderer = made(tmp_path, rare=1.0)
    renderer.kinds = [replace(kind, habits=replace(kind.habits, dressed=0.0)) for kind in renderer.kinds]
    flow = PROSE.replace("\n", "").replace(" ", "")
    assert all(len(label) <= 5 for label in (renderer.render(i, 0.0)[1] for i in range(100)))
    assert all(renderer.render(i, 0.0)[1] in flow for i in range(100))


def test_news_are_wide_and_grey(tmp_path: Path) -> None:
    renderer = made(tmp_path)
    news = LineRenderer(renderer.texts, renderer.fonts, [k for k in renderer.kinds if k.name == "news"], 7)
    images = [news.render(index)[0] for index in range(60)]
    shapes = [image.shape[1] / image.shape[0] for image in images]
    assert min(shapes) > 5 and np.median(shapes) == pytest.approx(8.75, rel=0.1)
    spread = [np.ptp(image.astype(int), axis=2).mean() for image in images]
    assert np.median(spread) < 3


def test_dark_text_is_darker_than_its_ground() -> None:
    for seed in range(500):
        palette = choose_palette(Dice(load_effects(), rng(seed), 1.0), dark_text=True)
        assert brightness(palette.ground) - brightness(palette.text) > 25


def test_facts_tell_texts_and_effects_apart(tmp_path: Path) -> None:
    renderer = made(tmp_path)
    texts_changed = LineRenderer(texts(prose(tmp_path, "other text")), renderer.fonts, renderer.kinds, 7)
    kinds_changed = LineRenderer(renderer.texts, renderer.fonts, renderer.kinds[:2], 7)
    assert renderer.facts == made(tmp_path).facts
    assert renderer.facts["words"] != texts_changed.facts["words"]
    assert renderer.facts["effects"] != kinds_changed.facts["effects"]


# --- Typefaces ---


def test_faces_of_other_scripts_are_left_out_and_those_of_the_folder_alone_are_used(tmp_path: Path) -> None:
    folder = tmp_path / "fonts"
    folder.mkdir()
    for path in font_paths():
        if path.stem.startswith(("Poppins", "OpenSans")):
            (folder / path.name).symlink_to(path)
    found = scan_fonts(GREEK + "ab", folder, only_font_dir=True, probe=GREEK[:8])
    assert {face.family for face in found.faces} == {"Open Sans"}
    assert found.skipped["other scripts"] == 2
    renderer = create_line_renderer(
        charset=Charset(GREEK + "ab"),
        text_file=prose(tmp_path, "αβγ ab ψω\n"),
        font_dir=folder,
        only_font_dir=True,
        length="3",
        rare=0.5,
        cache_file=tmp_path / "faces.json",
    )
    assert {face.family for face in renderer.fonts.faces} == {"Open Sans"}
    assert set(renderer.texts.characters) == set(GREEK + "ab")
    assert all(len(renderer.render(i)[1]) <= 3 for i in range(20))
    with pytest.raises(UserError, match="render_only_fonts"):
        find_font_files(None, only=True)


def test_private_code_points_are_asked_of_no_typeface(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def scan(characters: str, *_: object, **__: object) -> FontLibrary:
        asked.append(characters)
        return library()

    monkeypatch.setattr(line_render, "scan_fonts", scan)
    renderer = create_line_renderer(charset=Charset("ab\ue004B"), text_file=prose(tmp_path, "ab"))
    assert set(asked[0]) == set("abB ａｂＢ")
    assert renderer.charset.classes == ("a", "b", "\ue004", "B")
    assert set(renderer.texts.characters) == set("abB")


def test_of_characters_drawn_alike_the_first_is_kept() -> None:
    path = next(path for path in font_paths() if path.stem.startswith("OpenSans"))
    alike = "PΡР"  # Latin, Greek, Cyrillic
    assert not set(alike) & set(examine(path, alike + "b")[0][0]["characters"])
    assert set(examine(path, alike + "b", probe="b")[0][0]["characters"]) == {"P", "b"}
    assert draw_glyphs.__defaults__ == (False,)


@pytest.mark.parametrize(
    ("length", "message"),
    [("ten", "'ten'"), ("5:3", "'5:3'"), ("0:3", "'0:3'"), ("1:30", r"at most 20 .*max_text_length")],
)
def test_bad_lengths(length: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        create_line_renderer(
            charset=Charset("ab"), text_file=prose(tmp_path), length=length, cache_file=tmp_path / "f.json"
        )
