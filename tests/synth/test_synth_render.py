"""Images: pure functions of seed and index, labels, geometry, effects."""

import multiprocessing
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_synth_common import library, renderer

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.effects.camera import photograph
from crnn_mindspore.synth.effects.colours import Palette, brightness, choose_palette, hue_colour
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.geometry import MAX_HEIGHT, MAX_WIDTH, choose_view
from crnn_mindspore.synth.effects.grounds import blend, make_ground
from crnn_mindspore.synth.effects.noise import grain, ramp, texture
from crnn_mindspore.synth.effects.settings import load_effects
from crnn_mindspore.synth.letters import LetterStyle, draw_word, extruded, paste, shifted, thickened
from crnn_mindspore.synth.render import Renderer, create_renderer, difficulty_at
from crnn_mindspore.synth.words.corpus import Corpus, is_held_out
from crnn_mindspore.text.charset import Charset, required_time_steps

EFFECTS = load_effects()


def dice(strength: float = 1.0, seed: int = 0) -> Dice:
    return Dice(EFFECTS, np.random.default_rng(seed), strength)


def digest(item: tuple[np.ndarray, str]) -> tuple:
    return item[0].shape, item[0].tobytes(), item[1]


def render_elsewhere(made: Renderer, indices: list[int]) -> list[tuple]:
    return [digest(made.render(index, 0.7)) for index in indices]


def test_images_are_pure_functions_of_the_index() -> None:
    first = {index: digest(renderer().render(index, 0.7)) for index in range(40)}
    for index in reversed(range(40)):
        assert digest(renderer().render(index, 0.7)) == first[index]
    assert len({item[1] for item in first.values()}) == 40


def test_a_copy_and_another_process_give_the_same_bytes() -> None:
    indices = [3, 1, 12345678901]
    here = render_elsewhere(renderer(), indices)
    assert render_elsewhere(pickle.loads(pickle.dumps(renderer())), indices) == here
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(render_elsewhere, (renderer(), indices)) == here


def test_seed_split_and_difficulty_matter() -> None:
    base = renderer()
    other = Renderer(base.corpus, base.fonts, base.effects, base.charset, 8, "train")
    assert digest(base.render(5)) != digest(other.render(5))
    assert digest(base.render(5)) != digest(base.of_split("test").render(5))
    assert digest(base.render(5, 1.0)) != digest(base.render(5, 0.0))


@pytest.mark.parametrize("split", ["train", "test"])
def test_labels(split: str) -> None:
    charset = Charset()
    for index in range(300):
        image, label = renderer(split).render(index)
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        assert 6 <= image.shape[0] <= MAX_HEIGHT and 6 <= image.shape[1] <= MAX_WIDTH
        assert label and charset.covers(label)
        assert required_time_steps(charset.normalize(label)) <= 24
        assert is_held_out(label) == (split == "test")


def test_plain_images_are_short_plain_and_high_in_contrast() -> None:
    full = np.mean([len(renderer().render(i)[1]) for i in range(200)])
    for index in range(200):
        image, label = renderer().render(index, 0.0)
        assert len(label) <= 5
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(int)
        assert np.percentile(grey, 99) - np.percentile(grey, 1) >= 90
        corners = [grey[0, 0], grey[0, -1], grey[-1, 0], grey[-1, -1]]
        assert max(corners) - min(corners) <= 2  # an even ground, nothing at the edges
    assert full > 5


def test_course_rises_from_plain_to_full() -> None:
    assert difficulty_at(0, 100, 300) == 0
    assert difficulty_at(200, 100, 300) == 0.5
    assert difficulty_at(300, 100, 300) == 1
    assert difficulty_at(10**9, 100, 300) == 1
    assert difficulty_at(0, 0, 0) == 1
    with pytest.raises(UserError, match=r"100.*300"):
        difficulty_at(0, 300, 100)


@pytest.mark.parametrize(
    ("index", "difficulty", "message"), [(-1, 1.0, "-1"), (0, 1.5, r"1\.5"), (0, -0.1, "-0.1")]
)
def test_bad_arguments(index: int, difficulty: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        renderer().render(index, difficulty)


def test_renderer_checks_split_and_seed() -> None:
    base = renderer()
    with pytest.raises(UserError, match=r"'test'.*'train'"):
        Renderer(base.corpus, base.fonts, base.effects, base.charset, 0, "test")
    with pytest.raises(UserError, match="-3"):
        Renderer(base.corpus, base.fonts, base.effects, base.charset, -3, "train")


def test_text_that_no_typeface_has_is_an_error(tmp_path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("中文\n", encoding="utf-8")
    charset = Charset("中文")
    made = Renderer(Corpus(charset, path, split="all"), library(), load_effects(), charset, 0, "all")
    with pytest.raises(UserError, match="'中文'"):
        made.render(0)


def test_letters_have_the_height_asked_for() -> None:
    face = next(f for f in library().faces if f.family == "Poppins")
    for cap in (20, 32, 46):
        assert draw_word(face, "HIT", cap, LetterStyle()).shape[0] == pytest.approx(cap, abs=2)
    tight = draw_word(face, "HIT", 32, LetterStyle())
    wide = draw_word(face, "HIT", 32, LetterStyle(spacing=0.5))
    assert wide.shape[1] - tight.shape[1] == pytest.approx(2 * 16, abs=4)
    small = draw_word(face, "IH", 32, LetterStyle(rest=0.5))
    rows = np.flatnonzero((small[:, -6:] > 128).any(axis=1))
    assert len(rows) == pytest.approx(16, abs=2)


def test_layers() -> None:
    mask = np.zeros((21, 21), np.uint8)
    mask[10, 10] = 255
    assert (thickened(mask, 2) > 0).sum() == 17 or (thickened(mask, 2) > 0).sum() == 21
    assert np.argwhere(shifted(mask, 3, -2)).tolist() == [[8, 13]]
    assert np.argwhere(extruded(mask, 3, 0)).tolist() == [[10, 10], [10, 11], [10, 12], [10, 13]]
    canvas = np.zeros((4, 4), np.uint8)
    paste(canvas, np.full((3, 3), 9, np.uint8), -2, 2)
    assert np.argwhere(canvas).tolist() == [[2, 0], [3, 0]]


def test_view_maps_the_word_to_its_margins() -> None:
    drawing = np.zeros((60, 120), np.uint8)
    drawing[20:40, 30:90] = 255
    view = choose_view((30, 20, 60, 20), 20, 40.0, (0.5, 0.25, 0.5, 0.25), dice(strength=0.0))
    seen = view.apply(drawing)
    x, y, w, h = cv2.boundingRect((seen > 128).astype(np.uint8))
    stretch = w / 120
    assert seen.shape == (60, round(120 * stretch + 40)) or abs(seen.shape[1] - (w + 40)) <= 2
    assert (y, h) == pytest.approx((10, 40), abs=1)
    assert x == pytest.approx(20, abs=1)


def test_bent_view_equals_straight_one_where_nothing_bends() -> None:
    drawing = np.random.default_rng(0).integers(0, 255, (60, 120), dtype=np.uint8)
    drawing = cv2.GaussianBlur(drawing, (0, 0), 2)
    view = choose_view((30, 20, 60, 20), 20, 20.0, (0.1, 0.1, 0.1, 0.1), dice(seed=3))
    bent = type(view)(**{**view.__dict__, "arc": 1e-6})
    straight = type(view)(**{**view.__dict__, "arc": 0.0, "wave": (0.0, 1.0, 0.0)})
    assert np.abs(bent.apply(drawing).astype(int) - straight.apply(drawing)).max() <= 8


def test_colours_can_be_told_apart_and_hues_have_the_brightness_asked_for() -> None:
    for seed in range(500):
        palette = choose_palette(dice(seed=seed))
        assert isinstance(palette, Palette)
        assert abs(brightness(palette.ground) - brightness(palette.text)) > 27
        assert all(0 <= v <= 255 for colour in (palette.ground, palette.text, palette.accent) for v in colour)
    for hue in range(0, 360, 15):
        for luma in (0, 25, 130, 250):
            assert brightness(hue_colour(hue, luma, 0.9)) == pytest.approx(luma, abs=0.5)
    blue, green, red = hue_colour(0, 60, 1.0)
    assert red > 150 and blue == green == 0


def test_blend_is_the_weighted_mean() -> None:
    planes = np.full((3, 2, 2), 100, np.float32)
    blend(planes, (200.0, 0.0, 100.0), np.array([[0, 0.5], [1, 0.25]], np.float32))
    assert planes[0].tolist() == [[100, 150], [200, 125]]
    assert planes[1].tolist() == [[100, 50], [0, 75]]
    assert planes[2].tolist() == [[100, 100], [100, 100]]


def test_grounds_stay_below_the_contrast_of_the_letters() -> None:
    for seed in range(150):
        ground = make_ground(40, 120, (128.0, 128.0, 128.0), 40.0, dice(seed=seed))
        assert ground.std() < 25


def test_noise_bank() -> None:
    rng = np.random.default_rng(0)
    assert grain(60, 200, rng).shape == (60, 200, 3)
    assert texture(112, 480, 0, rng).std() == pytest.approx(1, abs=0.05)
    rising = ramp(10, 20, 0.0)
    assert rising[0, 0] == -1 and rising[0, -1] == pytest.approx(0.9)
    assert ramp(10, 20, np.pi / 2)[-1, 0] == pytest.approx(0.8)


def test_photograph_without_effects_only_rounds_and_clips() -> None:
    planes = np.stack([np.full((5, 6), v, np.float32) for v in (-20.0, 100.4, 300.0)])
    image = photograph(planes, 20.0, dice(strength=0.0))
    assert image.reshape(-1, 3).min(axis=0).tolist() == [0, 100, 255]
    assert image.shape == (5, 6, 3)


def test_words_with_spaces_are_drawn_with_them(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    charset = Charset("ainor \u3000")
    widths = {}
    for text in ("iairon", "iai ron", "iai\u3000ron"):
        words.write_text(f"{text}\n", encoding="utf-8")
        renderer = create_renderer(
            charset=charset, words_file=words, split="all", cache_file=tmp_path / "faces.json"
        )
        images = [renderer.render(i, difficulty=0.0) for i in range(8)]
        assert {label.lower() for _, label in images} == {text}
        widths[text] = np.mean([image.shape[1] / image.shape[0] for image, _ in images])
    assert widths["iairon"] < widths["iai ron"] < widths["iai\u3000ron"]
