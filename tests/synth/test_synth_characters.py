"""Single characters: which are drawn in which typefaces, and images as functions of their number."""

import pickle
from collections import Counter
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_synth_common import font_paths

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.characters.character_renderer import (
    CharacterKind,
    CharacterRenderer,
    Faces,
    create_character_renderer,
)
from crnn_mindspore.synth.characters.crops import draw_character
from crnn_mindspore.synth.characters.strokes_seen import Strokes, measure_strokes, spare_strokes
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.settings import load_effects
from crnn_mindspore.synth.letters import thinned
from crnn_mindspore.synth.line_kinds import load_line_kinds
from crnn_mindspore.synth.scene import Shape
from crnn_mindspore.synth.typefaces.fonts import FontLibrary, _rank, examine
from crnn_mindspore.text.charset import Charset

GREEK = "αβγδεζηθκλμξπρστφχψω"
CLASSES = Charset("abcdefgh0123.,!" + GREEK, case_sensitive=True)


@lru_cache(maxsize=1)
def library() -> FontLibrary:
    records = [
        dict(record, collection="packages")
        for path in font_paths()
        for record in examine(path, CLASSES.characters)[0]
    ]
    return FontLibrary(_rank(records, Counter()))


def renderer(seed: int = 7, often: str = "") -> CharacterRenderer:
    return CharacterRenderer(CLASSES, library(), None, load_line_kinds(), seed, often=often)


def test_an_image_is_a_function_of_seed_and_number_alone() -> None:
    one, other = renderer(), pickle.loads(pickle.dumps(renderer()))
    for index in (3, 0, 9_999_999):
        image, label = one.render(index)
        again, same = other.render(index)
        assert label == same and np.array_equal(image, again)
    assert any(renderer(8).render(i)[1] != one.render(i)[1] for i in range(20))
    assert one.of_split("test").render(0)[0].shape != () and one.of_split("test").split == "test"


def test_labels_are_classes_that_their_typeface_has_and_the_few_others_have_a_tenth() -> None:
    one = renderer()
    found = Counter(one.render(i, 0.0)[1] for i in range(1500))
    assert set(found) <= set(CLASSES.characters)
    letters = [c for c in GREEK if c in library().drawable(GREEK)]
    assert letters and set(letters) <= set(found)
    share = sum(count for c, count in found.items() if c.isascii()) / 1500
    assert 0.07 < share < 0.13
    even = 1500 * 0.9 / len(letters)
    assert all(0.5 * even < found[c] < 1.6 * even for c in letters)


def test_a_kind_has_its_own_share_of_letters() -> None:
    line = load_line_kinds()[0]
    kind = CharacterKind("own", 1.0, 0.0, 0.0, line.habits, line.effects, others=0.4)
    one = CharacterRenderer(CLASSES, library(), None, [kind], 7)
    share = sum(one.render(i, 0.0)[1].isascii() for i in range(600)) / 600
    assert 0.33 < share < 0.47
    assert one.facts["effects"] != CharacterRenderer(CLASSES, library(), None, [line], 7).facts["effects"]


def test_latin_typefaces_of_the_folder_draw_letters_when_it_alone_is_used(tmp_path: Path) -> None:
    """A face without the alphabet's own script lends its ASCII; one that has it does not lend twice."""
    able = next(face.path for face in library().faces if "α" in face.characters)
    latin = next(face.path for face in library().faces if "α" not in face.characters)
    folder = tmp_path / "fonts"
    folder.mkdir()
    for path in (able, latin):
        (folder / Path(path).name).write_bytes(Path(path).read_bytes())
    given = {
        "codec": CLASSES,
        "font_dir": folder,
        "only_font_dir": True,
        "cache_file": tmp_path / "faces.json",
    }
    one = create_character_renderer(**given)  # type: ignore[arg-type]
    assert {Path(face.path).name for face in one.fonts.faces} == {Path(able).name}
    assert one.latin is not None
    assert {Path(face.path).name for face in one.latin.faces} == {Path(latin).name}
    start = Path(able).stem.split("[")[0]
    held = create_character_renderer(**given, hold_out=start, held_out=True)  # type: ignore[arg-type]
    assert held.latin is None and len(held.fonts.faces) == len(one.fonts.faces)


def test_half_of_the_first_images_show_what_is_asked_for() -> None:
    one = renderer(often="αβ")
    found = Counter(one.render(i, 0.0)[1] for i in range(600))
    assert 0.42 < (found["α"] + found["β"]) / 600 < 0.68
    later = Counter(one.render(i, 0.0)[1] for i in range(60_000, 60_300))
    assert (later["α"] + later["β"]) / 300 < 0.25
    with pytest.raises(UserError, match="'z'"):
        renderer(often="az")


def test_every_file_comes_equally_often() -> None:
    faces = Faces(library().faces)
    rng = np.random.default_rng(0)
    able = {face.path for face in library().faces if "a" in face.characters}
    found = Counter(faces.pick(rng, "a").path for _ in range(2000))  # type: ignore[union-attr]
    assert set(found) == able
    assert max(found.values()) < 1.6 * 2000 / len(able)
    assert faces.pick(rng, "中") is None


def test_a_plain_character_stands_whole_in_its_crop() -> None:
    """At difficulty 0 the ink keeps clear of the edges, and covers a good part of one side."""
    kind = load_line_kinds()[0]
    face = next(face for face in library().faces if "h" in face.characters)
    for seed in range(30):
        dice = Dice(kind.effects, np.random.default_rng(seed), 0.0)
        image = draw_character("h", face, "", dice, None, Shape(dark_text=True))
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
        x, y, w, h = cv2.boundingRect(ink)
        assert x >= 1 and y >= 1 and x + w < ink.shape[1] and y + h < ink.shape[0]
        assert h > 0.4 * ink.shape[0]


def test_neighbours_show_at_the_edges_and_not_across() -> None:
    effects = load_effects()
    values = effects.items() | {"neighbour_probability": 1.0, "cut_probability": 0.0}
    values |= {key: 0.0 for key in values if key.endswith("_probability") and key != "neighbour_probability"}
    settings = type(effects)(values)
    face = next(face for face in library().faces if "h" in face.characters)
    touched = 0
    for seed in range(40):
        dice = Dice(settings, np.random.default_rng(seed), 1.0)
        image = draw_character("h", face, "hhhh", dice, None, Shape(dark_text=True))
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
        touched += bool(ink[0].any() or ink[-1].any() or ink[:, 0].any() or ink[:, -1].any())
    assert touched > 25


def bars(columns: list[int], width: int = 40, thick: int = 2) -> np.ndarray:
    mask = np.zeros((30, width), dtype=np.uint8)
    for left in columns:
        mask[:, left : left + thick] = 255
    return mask


def test_strokes_are_measured_where_they_are_closest() -> None:
    even = measure_strokes(bars([0, 8, 16, 24, 32], width=34))
    assert even.pitch == pytest.approx(34 / 4.5) and even.width == 2
    assert measure_strokes(bars([0, 5, 10], width=12).T).pitch == pytest.approx(12 / 2.5)
    assert measure_strokes(bars([0], width=6, thick=6)) == Strokes(30, 6)
    half = bars([0, 20], width=22)
    half[:8] = bars([0, 5, 10, 15, 20], width=22)[:8]
    assert measure_strokes(half).pitch == pytest.approx(22 / 4.5)


def test_close_strokes_bear_less_and_are_drawn_larger() -> None:
    effects = load_effects()
    dense, open_ = Strokes(pitch=4, width=2), Strokes(pitch=20, width=4)
    sizes = {}
    for strokes in (dense, open_):
        dice = Dice(effects, np.random.default_rng(0), 1.0)
        sizes[strokes] = spare_strokes(strokes, 20, dice)
        low, high = effects.range("low_resolution_range")
        for _ in range(50):
            # After blurring, two strokes' middles lie apart by four deviations.
            assert dice.between("blur") * 20 <= strokes.pitch / 4
            assert dice.between("low_resolution") * strokes.pitch / 20 >= 2.5
            gap = strokes.pitch - strokes.width - 2 * dice.between("bold") * 20
            assert gap >= 0.33 * strokes.pitch - 1e-9
    assert sizes[dense] == pytest.approx(13) and sizes[open_] == pytest.approx(2.6)
    assert low < 2.5 * 20 / 4 and high < 100  # the bound was at work


def test_bounds_leave_chance_as_it_was() -> None:
    free, bound = (Dice(load_effects(), np.random.default_rng(3), 1.0) for _ in range(2))
    bound.bound("blur", most=0.0)
    assert bound.amount("blur") == 0.0 < free.amount("blur")
    assert free.uniform(0, 1) == bound.uniform(0, 1)


def test_lines_beside_a_character_keep_clear_of_it() -> None:
    effects = load_effects()
    values = {k: 0.0 if k.endswith("_probability") else v for k, v in effects.items().items()}
    settings = type(effects)({**values, "bar_probability": 1.0})
    face = next(face for face in library().faces if "h" in face.characters)
    plain, lined = [], []
    for seed in range(40):
        for found, own in ((plain, type(effects)(values)), (lined, settings)):
            dice = Dice(own, np.random.default_rng(seed), 1.0)
            image = draw_character("h", face, "", dice, None, Shape(dark_text=True))
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
            found.append(cv2.connectedComponents(ink)[0] - 1)
    assert set(plain) == {1}
    assert set(lined) <= {1, 2, 3} and {2, 3} <= set(lined)
    assert lined.count(1) < 6  # a thin line, far from the next pixel's middle


def test_thinned_strokes_lose_ink_and_none_is_lost_at_once() -> None:
    mask = np.zeros((20, 20), dtype=np.uint8)
    mask[4:16, 8:12] = 255
    worn = thinned(mask, 0.4)
    assert 0 < worn.sum() < mask.sum()
    assert worn[5, 8] == round(255 * 0.6)


def made(tmp_path: Path, **options: object) -> CharacterRenderer:
    folder = tmp_path / "fonts"
    folder.mkdir(exist_ok=True)
    for path in font_paths()[:4]:
        (folder / path.name).write_bytes(path.read_bytes())
    charset = Charset("abcdefgh", case_sensitive=True)
    return create_character_renderer(
        codec=charset, font_dir=folder, only_font_dir=True, cache_file=tmp_path / "faces.json", **options
    )  # type: ignore[arg-type]


def test_typefaces_are_kept_out_and_used_alone(tmp_path: Path) -> None:
    names = sorted({Path(face.path).name for face in made(tmp_path).fonts.faces})
    start = names[0][:6]
    out = {name for name in names if name.startswith(start)}
    kept = {Path(face.path).name for face in made(tmp_path, hold_out=start.upper()).fonts.faces}
    alone = {Path(face.path).name for face in made(tmp_path, hold_out=start, held_out=True).fonts.faces}
    assert (kept, alone) == (set(names) - out, out)
    with pytest.raises(UserError, match="'nosuch'"):
        made(tmp_path, hold_out="nosuch", held_out=True)
    with pytest.raises(UserError, match="render_hold_out"):
        made(tmp_path, held_out=True)


def test_a_machine_without_the_typefaces_that_are_kept_out_is_told_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    every = made(tmp_path).fonts.faces
    assert made(tmp_path, hold_out="nosuch").fonts.faces == every
    assert "'nosuch'" in caplog.text


def test_what_the_images_depend_on_is_told_apart(tmp_path: Path) -> None:
    facts = made(tmp_path).facts
    assert facts == made(tmp_path, seed=3).facts
    effects = tmp_path / "effects.yaml"
    effects.write_text("blur_probability: 0.9\n")
    assert made(tmp_path, effects_file=effects).facts["effects"] != facts["effects"]
    words = tmp_path / "often.txt"
    words.write_text("a\nb\n")
    assert made(tmp_path, often_file=words).facts["words"] != facts["words"]
