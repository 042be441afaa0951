"""Effects that only a file turns on: circles, views from the side, borders, forms of texts, relief."""

import re

import cv2
import numpy as np
import pytest
from test_synth_common import dice, made

from crnn_mindspore.synth.effects.geometry import View, choose_view
from crnn_mindspore.synth.painting import Drawing, _spare, paint
from crnn_mindspore.synth.scene import add_layers


def test_a_word_stands_on_a_circle() -> None:
    """The middle line is seen at one distance from one point, its ends as far apart as asked."""
    still = {f"{name}_probability": 0.0 for name in ("rotate", "steep", "shear", "perspective")}
    still["stretch_strength"] = 0.0
    mask = np.zeros((60, 240), np.uint8)
    mask[29:31, 20:220] = 255
    for seed in range(6):
        chance = dice(seed, ring_probability=1.0, ring_range=(90.0, 90.0), **still)
        view = choose_view((20, 20, 200, 20), 20, 20, (0.2, 0.2, 0.2, 0.2), chance)
        radius = 200 / (np.pi / 2)
        assert abs(view.ring) == pytest.approx(radius)
        rows, columns = np.nonzero(view.apply(mask) > 100)
        middle = view.matrix @ np.array([120, 30 + view.ring, 1.0])
        away = np.hypot(columns - middle[0], rows - middle[1])
        assert np.abs(away - radius * view.scale).max() < 2.5
        chord = 2 * radius * np.sin(np.pi / 4) * view.scale
        assert np.ptp(columns) == pytest.approx(chord, abs=3)
        assert rows.min() > 0 and rows.max() < view.height - 1  # nothing is cut
        ends_hang = rows[columns == columns.max()].mean() > rows[columns == round(middle[0])].mean()
        assert ends_hang == (view.ring > 0)


def test_a_word_stands_to_one_side_of_its_circle() -> None:
    """The middle letter leans as far as the word is turned."""
    still = {f"{name}_probability": 0.0 for name in ("rotate", "steep", "shear", "perspective")}
    turned = {"ring_probability": 1.0, "ring_turn_probability": 1.0, "ring_turn_range": (40.0, 40.0)}
    leanings = set()
    for seed in range(8):
        view = choose_view((0, 0, 200, 20), 20, 20, (0.1,) * 4, dice(seed, **turned, **still))
        foot, head = (view.matrix @ np.array([100, y, 1.0]) for y in (20, 0))
        leaning = np.rad2deg(np.arctan2(head[0] - foot[0], foot[1] - head[1]))
        assert abs(leaning) == pytest.approx(40, abs=7)  # the stretch bends angles a little
        leanings.add(bool(leaning > 0))
    assert leanings == {True, False}


def test_a_near_camera_sees_the_far_end_smaller_and_the_word_shorter() -> None:
    still = {f"{name}_probability": 0.0 for name in ("rotate", "steep", "shear", "perspective")}
    still["stretch_strength"] = 0.0
    for seed in range(20):
        chance = dice(seed, oblique_probability=1.0, oblique_range=(60.0, 60.0), **still)
        matrix = choose_view((0, 0, 200, 20), 20, 20, (0.1,) * 4, chance).matrix
        corners = np.array([[0, 0, 1], [0, 20, 1], [200, 0, 1], [200, 20, 1.0]]) @ matrix.T
        (a, b, c, d) = corners[:, :2] / corners[:, 2:]
        left, right = np.linalg.norm(a - b), np.linalg.norm(c - d)
        # half the width is at most nearer or farther by sin 60 degrees of itself, and at least 4 widths away
        assert 1.2 < max(left, right) / min(left, right) < (1 + 0.4) / (1 - 0.4) * 1.1
        assert np.hypot(*(c - a)) < 0.85 * 200


@pytest.mark.parametrize(
    ("form", "shape"),
    [
        ("address", r"(www\.)?[a-z0-9.-]+\.[a-z.]+|[a-z]*@[a-z0-9.-]+\.[a-z.]+"),
        ("marked", r".*[^a-z0-9].*|\d+(st|nd|rd|th)"),
    ],
)
def test_addresses_and_marks(form: str, shape: str) -> None:
    corpus = made(None).corpus
    rng = np.random.default_rng(1)
    found = [corpus.sample(rng, None, form) for _ in range(300)]
    assert all(re.fullmatch(shape, text.lower()) for text, _ in found)
    assert all(label == "".join(c for c in text if c.isalnum()) for text, label in found)
    assert max(len(label) for _, label in found) <= 24


def test_forms_of_texts_come_from_the_effects() -> None:
    drawn = [made(None, address_probability=1.0)._begun(index, 1.0, None)[1] for index in range(40)]
    assert all("." in text for text in drawn)
    wanted = made(None, marked_probability=1.0)
    assert sum(len(wanted._begun(index, 1.0, 5)[1]) == 5 for index in range(40)) > 35
    base, fewer = (
        sum(made(None, redrawn_probability=p)._begun(i, 1.0, None)[2].isdigit() for i in range(300))
        for p in (0.0, 1.0)
    )
    assert fewer < base / 2


def test_clean_words_have_weaker_effects() -> None:
    wanted = made(None, clean_probability=1.0, clean_range=(0.25, 0.25))
    assert {wanted._begun(index, 1.0, None)[0].strength for index in range(20)} == {0.25}


def test_a_second_border_lies_around_the_first() -> None:
    text = np.zeros((60, 60), np.uint8)
    text[28:32, 20:40] = 255
    values = {"outline_probability": 1.0, "hollow_probability": 0.0, "border_probability": 1.0}
    drawing = Drawing(text, (20, 28, 20, 4), 20)
    add_layers(drawing, dice(**values))
    assert drawing.under is not None and drawing.beyond is not None
    assert np.all(drawing.beyond >= drawing.under) and np.all(drawing.under >= text)
    assert np.count_nonzero(drawing.beyond) > np.count_nonzero(drawing.under) > np.count_nonzero(text)
    whole = View(np.eye(3), 60, 60, (20, 28, 40, 32), 0.0, (0.0, 1.0, 0.0), (30, 30, 10), 1.0)
    rings = []
    for seed in range(12):
        image = paint(drawing, whole, dice(seed, 0))
        ring = image[(drawing.beyond == 255) & (drawing.under == 0)]
        assert np.ptp(ring, axis=0).max() == 0 and np.ptp(image[drawing.beyond == 0], axis=0).max() == 0
        rings.append((tuple(ring[0]) == tuple(image[30, 30]), tuple(ring[0]) == tuple(image[0, 0])))
    assert {same for same, _ in rings} == {True, False}  # the letters' colour, or another
    assert [as_ground for _, as_ground in rings].count(True) <= 2


def test_faint_letters_are_spared() -> None:
    chance = dice(blur_range=(1.0, 1.0), exposure_range=(0.1, 0.1), low_resolution_range=(3.0, 3.0))
    _spare(chance)
    assert chance.between("blur") == 0.045 and chance.between("low_resolution") == 13
    assert chance.between("exposure") == 0.75


def test_stems_stay_upright_where_the_baseline_climbs() -> None:
    still = {f"{name}_probability": 0.0 for name in ("rotate", "steep", "shear", "perspective", "curve")}
    chance = dice(climb_probability=1.0, climb_range=(10.0, 10.0), wave_probability=0.0, **still)
    view = choose_view((0, 0, 200, 20), 20, 20, (0.1,) * 4, chance)
    a, b, c = (view.matrix @ np.array([x, y, 1.0]) for x, y in ((0, 0), (0, 20), (200, 0)))
    assert b[0] == pytest.approx(a[0])
    assert abs((c[1] - a[1]) / (c[0] - a[0])) == pytest.approx(np.tan(np.deg2rad(10)))


def test_short_words_and_capitals() -> None:
    short = made(None, short_word_probability=1.0, short_word_range=(2.0, 3.0))
    assert max(len(short.render(index)[1]) for index in range(80)) <= 3
    upper = made(None, capitals_probability=1.0)
    labels = [upper.render(index)[1] for index in range(80)]
    assert all(label == label.upper() for label in labels)
    assert any(label.isalpha() for label in labels)


@pytest.mark.parametrize("own", [0.0, 1.0])
def test_raised_letters_can_be_told_from_the_wall(own: float) -> None:
    calm = {f"{name}_probability": 0.0 for name in ("low_resolution", "blur", "noise", "jpeg", "exposure")}
    values = {"raised_probability": 1.0, "own_colour_probability": own, **calm}
    for index in range(40):
        image, _ = made(None, None, **values).render(index)
        assert np.std(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)) > 2
