"""Plates: layouts, the typeface of strokes, pictures as functions of their number."""

import copy
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from crnn_mindspore.cli import render as render_program
from crnn_mindspore.data.readers.folder_dataset import load_folder
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.shipped import shipped
from crnn_mindspore.synth.effects.settings import extended, load_effects, overlaid, read_effects
from crnn_mindspore.synth.plates.faces import Face, Faces, Hand, find_faces
from crnn_mindspore.synth.plates.hanzi import (
    PLATE_WAYS,
    Brush,
    draw_middle,
    middle_of_glyph,
    middle_of_paths,
    thinned,
)
from crnn_mindspore.synth.plates.paths import Bend, parsed_paths
from crnn_mindspore.synth.plates.plate_layout import plate_layout_of
from crnn_mindspore.synth.plates.plate_renderer import EFFECTS_FILE, PlateRenderer
from crnn_mindspore.synth.plates.strokes import CHARACTERS, Pen, draw_strokes
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of

# Another country: seven positions, letters then digits, on white; and its taxis in two rows.
ABROAD = """
output: positions
positions:
  alphabets: {letters: ABCDEFGHIJKLMNOPQRSTUVWXYZ, digits: "0123456789"}
  text: [letters, letters, letters, digits, digits, digits, digits]
  attributes: [{name: taxi, classes: ["no", "yes"]}]
model_version: resnet18
image_width: 96
image_height: 32
renderer: plates
plates:
  alphabets: {l: ABCDEFGHIJKLMNOPQRSTUVWXYZ, d: "0123456789"}
  kinds:
    - name: car
      size: [400, 130]
      ground: "#f4f4f4"
      text: "#101010"
      border: ["#101010", 3, 2]
      rows: {top: 25, size: [40, 80], lefts: [20, 68, 116, 180, 228, 276, 324]}
      attributes: {taxi: "no"}
      texts: [lll dddd]
    - name: taxi
      share: 0.5
      size: [300, 200]
      ground: ["#ffd000", "#e0b000"]
      text: "#101010"
      rows:
        - {top: 15, size: [60, 70], lefts: [40, 120, 200]}
        - {top: 105, size: [50, 80], lefts: [30, 95, 160, 225]}
      dots: [[150, 95, 8]]
      bolts: [[30, 20]]
      attributes: {taxi: "yes"}
      texts: [lll dddd]
      irregular: [TTT dddd]
"""
PEN = Pen(0.2, 0.8, 0)
BRUSH = Brush(0.2, 1.0, True)


@pytest.fixture
def abroad(tmp_path: Path) -> Path:
    """The task of another country."""
    path = tmp_path / "abroad.yaml"
    path.write_text(ABROAD, encoding="utf-8")
    return path


def renderer(path: Path, seed: int = 7) -> PlateRenderer:
    values = read_yaml(path)
    layout = plate_layout_of(values["plates"])
    effects = extended(load_effects(), read_effects(EFFECTS_FILE), EFFECTS_FILE)
    codec = PositionsCodec(layout_of(values["positions"]))
    return PlateRenderer(layout, Faces([], 1.0, layout.characters), effects, codec, seed)


def test_images_are_functions_of_seed_and_number(abroad: Path) -> None:
    first = renderer(abroad)
    images = [first.render(i) for i in range(40)]
    again = pickle.loads(pickle.dumps(first))
    for i in (39, 3, 17):
        image, label = again.render(i)
        assert np.array_equal(image, images[i][0])
        assert label == images[i][1]
    other = renderer(abroad, seed=8)
    assert sum(other.render(i)[1] == images[i][1] for i in range(40)) == 0
    for image, label in images:
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        assert not first.codec.refusal(label), label
    assert first.render(0, difficulty=0.0)[0].std() > 10
    with pytest.raises(UserError, match="image index -1 is negative"):
        first.render(-1)


def test_kinds_come_by_their_shares_and_characters_equally_often(abroad: Path) -> None:
    made = renderer(abroad)
    labels = [made.render(i, difficulty=0.0)[1] for i in range(600)]
    taxis = [label for label in labels if label.endswith(" taxi=yes")]
    assert 150 < len(taxis) < 250  # one of three
    assert 60 < sum(label.startswith("TTT") for label in taxis) < 140  # one of two forms
    counts = np.bincount([int(label[3]) for label in labels], minlength=10)
    assert counts.min() > 30


def test_a_character_of_strokes_fills_its_box_and_is_like_no_other() -> None:
    glyphs = {c: draw_strokes(c, (36, 72), PEN) for c in sorted(CHARACTERS)}
    assert {glyph.shape for glyph in glyphs.values()} == {(72, 36)}
    for c, glyph in glyphs.items():
        rows, columns = (np.flatnonzero(glyph.max(axis=axis) > 127) for axis in (1, 0))
        if c != "-":
            assert rows[0] <= 2 and rows[-1] >= 69, c
        assert (columns[-1] - columns[0] < 24) == (c in "1I"), c
    names = list(glyphs)
    same = {("0", "O"), ("O", "0")}
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            difference = np.abs(glyphs[a].astype(int) - glyphs[b]).mean()
            assert difference > 6 or (a, b) in same, (a, b)


def test_thinning_leaves_lines_of_one_pixel() -> None:
    ink = np.zeros((40, 60), dtype=np.bool_)
    ink[10:17, 5:55] = True  # a bar, 7 pixels thick
    lines = thinned(ink)
    assert set(np.unique(lines)) == {0, 255}
    assert (lines.max(axis=1) > 0).sum() <= 3  # in one row, but for its ends
    across = np.flatnonzero(lines.max(axis=0))
    assert 40 <= len(across) == across[-1] - across[0] + 1  # in one piece
    assert (lines[:, 12:48] > 0).sum(axis=0).max() == 1
    ring = np.zeros((50, 50), dtype=np.bool_)
    ring[8:42, 8:42] = True
    ring[18:32, 18:32] = False
    assert thinned(ring)[25, 25] == 0
    assert len(middle_of_glyph(ring.astype(np.uint8) * np.uint8(255))) > 100  # the ring is still one


def test_chinese_characters_of_plates_fill_their_box_with_strokes_of_one_width() -> None:
    glyphs = {c: draw_middle(middle_of_paths(way), (36, 72), BRUSH) for c, way in PLATE_WAYS.items()}
    assert set("粤皖津浙湘苏沪") <= set(glyphs)
    for c, glyph in glyphs.items():
        assert glyph.shape == (72, 36), c
        rows, columns = (np.flatnonzero(glyph.max(axis=axis) > 127) for axis in (1, 0))
        assert rows[0] <= 3 and rows[-1] >= 68, c
        assert columns[0] <= 3 and columns[-1] >= 32, c
        points = np.concatenate([path for path, _, _ in parsed_paths(PLATE_WAYS[c])])
        assert points.min() >= 0 and points.max() <= 1, c
        for other, drawn in glyphs.items():
            assert other == c or np.abs(glyph.astype(int) - drawn).mean() > 25, (c, other)
    # Of few strokes: thick ones; of many: thin ones, which do not run together.
    plain, dense = (cv2.distanceTransform(glyphs[c], cv2.DIST_L2, 5).max() for c in "川赣")
    assert plain > 1.2 * dense
    thin, thick = (
        draw_middle(middle_of_paths(PLATE_WAYS["京"]), (36, 72), Brush(width, 1.0, True)).mean()
        for width in (0.1, 0.2)
    )
    assert thick > 1.5 * thin


def test_proportions_vary_within_the_box() -> None:
    points = np.array([[x, y] for x in np.linspace(0, 1, 9) for y in np.linspace(0, 1, 9)])
    assert np.array_equal(Bend().apply(points), points)
    bent = Bend(across=0.4, down=-0.4, top=0.8, bottom=1.0).apply(points)
    assert bent.min() >= 0 and bent.max() <= 1
    middle = Bend(across=0.4, down=-0.4).apply(np.array([[0.5, 0.5]]))
    assert middle.tolist() == [[0.6, 0.4]]
    corners = Bend(top=0.8).apply(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    assert np.allclose(corners, [[0.1, 0.0], [0.9, 0.0], [0.0, 1.0]])


def test_a_hand_draws_chinese_as_plates_or_as_typefaces_do() -> None:
    latin = find_faces(["BarlowCondensed-Medium"], frozenset("AB"), None)[0]
    face = Face(latin.path, frozenset("A粤"), latin.usual_width)  # its glyph stands for 粤
    parts: dict[str, Any] = {"faces": (face,), "weight": 0.0, "fill": 1.0, "narrow": 0.3}
    own = Hand(pen=PEN, brush=BRUSH, is_own=True, **parts).draw("粤", (36, 72))
    assert np.array_equal(own, draw_middle(middle_of_paths(PLATE_WAYS["粤"]), (36, 72), BRUSH))
    thin = Hand(pen=None, brush=BRUSH, is_own=False, **parts).draw("粤", (36, 72))
    whole = Hand(pen=None, brush=None, is_own=False, **parts).draw("粤", (36, 72))
    assert own.shape == thin.shape == whole.shape == (72, 36)
    assert np.abs(own.astype(int) - thin).mean() > 20
    assert np.abs(whole.astype(int) - thin).mean() > 5


def test_the_camera_s_share_scales_what_it_does(abroad: Path) -> None:
    def sharpness(share: float) -> float:
        made = renderer(abroad)
        settings = {"plate_camera_range": [share, share]}
        made.effects = overlaid(made.effects, settings, EFFECTS_FILE)
        images = [made.render(i)[0].astype(np.float32) for i in range(60)]
        return float(np.mean([np.abs(np.diff(image, axis=1)).mean() for image in images]))

    assert sharpness(0.0) > 1.2 * sharpness(1.0)


def test_lines_of_video_that_do_not_fit_are_ragged(abroad: Path) -> None:
    def raggedness(probability: float) -> float:
        made = renderer(abroad)
        settings = {"plate_camera_range": [1.0, 1.0], "plate_interlace_probability": probability}
        made.effects = overlaid(made.effects, settings, EFFECTS_FILE)
        images = [made.render(i)[0].astype(np.float32) for i in range(60)]
        # How far a line differs from the mean of those above and below it.
        return float(np.mean([np.abs(i[1:-1] - (i[:-2] + i[2:]) / 2).mean() for i in images]))

    assert raggedness(1.0) > 1.15 * raggedness(0.0)


def test_wider_pens_leave_more_ink() -> None:
    thin, thick = (draw_strokes("A", (40, 80), Pen(width, 0.8, 0)).mean() for width in (0.1, 0.3))
    assert thick > 2 * thin


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kinds": []}, "kinds must be a list of at least one"),
        ({"alphabets": {"ll": "AB"}}, "alphabet 'll' is 'AB'; the name must be one letter"),
        ({"strokes": 2}, r"strokes is 2, must lie in 0\.\.1"),
        ({"colours": 1}, "unknown key 'colours'"),
        ({"typefaces": "Arial"}, "typefaces is 'Arial', must be a list"),
    ],
)
def test_what_is_wrong_with_a_layout_is_named(abroad: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plate_layout_of({**read_yaml(abroad)["plates"], **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": ["lll ddd"]}, "the text 'lllddd' has 6 characters, the rows 7 boxes"),
        ({"texts": "lll dddd"}, "texts are 'lll dddd', must be a list"),
        ({"ground": "white"}, "'white' is not a colour; write it as '#1a2b3c'"),
        ({"size": [400]}, r"size is \[400\], must be a list of 2 numbers"),
        ({"share": -1}, "share is -1, must be a number of 0 or more"),
        ({"border": ["#000000", 3]}, "must be a list of a colour and 2 numbers"),
        ({"rows": {"top": 1, "size": [1, 2]}}, "rows: lefts is missing"),
        ({"colour": 1}, "unknown key 'colour'"),
        ({"attributes": []}, r"attributes: \[\] must be a mapping"),
    ],
)
def test_what_is_wrong_with_a_kind_is_named(abroad: Path, change: dict[str, Any], message: str) -> None:
    plain = copy.deepcopy(read_yaml(abroad)["plates"])
    plain["kinds"][0].update(change)
    with pytest.raises(UserError, match=f"plates: kind 'car'.*{message}"):
        plate_layout_of(plain)


def test_characters_without_a_typeface_are_named() -> None:
    layout = plate_layout_of(read_yaml(shipped("configs/tasks/plates.yaml"))["plates"])
    assert {"京", "学", "民", "航", "A", "0"} <= layout.characters
    with pytest.raises(UserError, match=r"can draw '.*京.*'; install some"):
        Faces([], layout.strokes, layout.characters)


def test_typefaces_are_taken_by_their_names() -> None:
    characters = frozenset("AB1京")
    found = find_faces(["BarlowCondensed-Mediu?"], characters, None)
    assert {Path(face.path).stem for face in found} == {"BarlowCondensed-Medium"}
    assert all(face.characters == frozenset("AB1") for face in found)


def test_the_task_s_images_are_written_and_what_it_cannot_take_is_named(
    abroad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--task", str(abroad), "--num_train", "12", "--num_test", "0", "--seed", "7"]
    assert render_program.main([*arguments, "--output_dir", str(tmp_path / "out")]) == 0
    source = load_folder(str(tmp_path / "out" / "train"))
    labels = [renderer(abroad).render(i)[1] for i in range(12)]
    # Without typefaces named in the layout there are strokes alone, as here.
    assert [source.text(i) for i in range(12)] == labels
    abroad.write_text(ABROAD.replace('taxi: "yes"', 'taxi: "perhaps"'), encoding="utf-8")
    assert render_program.main([*arguments, "--output_dir", str(tmp_path / "more")]) == 2
    error = capsys.readouterr().err
    assert "plates: kind 'taxi': the task cannot take" in error
    assert "unknown attribute or value" in error
    abroad.write_text(ABROAD.replace("renderer: plates", "renderer: plaets"), encoding="utf-8")
    assert render_program.main([*arguments, "--output_dir", str(tmp_path / "more")]) == 2
    assert "plaets" in capsys.readouterr().err
