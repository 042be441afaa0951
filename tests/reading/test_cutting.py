"""Pages cut into lines and characters; the network compares with drawings of its few characters."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing, preprocess
from crnn_mindspore.errors import UserError
from crnn_mindspore.reading.cutting import crop_of, find_lines, ink_of
from crnn_mindspore.reading.page_reading import _settled, read_page
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork

EM = 40
CLASSES = "口川二，tv"


def glyph(character: str) -> np.ndarray:
    """(40, w) uint8, 255 where ink is; a few strokes that remind of the character."""
    mask = np.zeros((EM, 40), dtype=np.uint8)
    if character == "口":
        cv2.rectangle(mask, (3, 4), (36, 36), (255,), 3)
    elif character == "川":  # three pieces
        for x in (5, 18, 32):
            mask[3:37, x : x + 4] = 255
    elif character == "二":
        mask[10:13, 8:32] = mask[30:33, 2:38] = 255
    elif character == "，":
        mask[30:38, 4:9] = 255
        return mask[:, :20]
    elif character == "t":
        mask[6:38, 7:11] = mask[12:15, 2:15] = 255
        return mask[:, :17]
    elif character == "v":
        cv2.line(mask, (2, 14), (8, 36), (255,), 3)
        cv2.line(mask, (14, 14), (8, 36), (255,), 3)
        return mask[:, :17]
    return mask


def page(*lines: str, gap: int = 4) -> np.ndarray:
    """Dark on light, (H, W, 3) uint8; a blank is half as wide as a character."""
    image = np.full((len(lines) * 60 + 20, 600), 255, dtype=np.uint8)
    for n, line in enumerate(lines):
        x = 20
        for character in line:
            if character == " ":
                x += 20
                continue
            drawn = glyph(character)
            top = 15 + 60 * n
            image[top : top + EM, x : x + drawn.shape[1]] -= drawn
            x += drawn.shape[1] + gap
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)


class DrawingBackend:
    """Scores of a class: how near the image is to the class's own drawing."""

    name = "drawings"

    def __init__(self, layout: dict) -> None:
        self.artifact = Artifact(
            PositionsCodec(layout_of(layout)),
            Preprocessing(32, 32),
            PositionsNetwork("character_net"),
            task="positions",
        )
        self._templates = []
        for character in CLASSES:
            pixels = page(f"口{character}口")  # the line is as high as everywhere
            ink = ink_of(pixels)
            (line,) = find_lines(ink)
            start, end = line.pieces[1][0], line.pieces[-2][1]
            self._templates.append(
                preprocess(crop_of(pixels, ink, line, start, end), self.artifact.preprocessing)
            )

    def forward(self, images: np.ndarray) -> np.ndarray:
        rows = [[-40 * np.mean((image - own) ** 2) for own in self._templates] for image in images]
        return np.array([rows], dtype=np.float32)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(DrawingBackend({"text": [{"name": "c", "classes": CLASSES}]}), characters=True)  # type: ignore[arg-type]


def test_lines_go_from_top_to_bottom_and_pieces_from_left_to_right() -> None:
    lines = find_lines(ink_of(page("口川", "二口")))
    assert [len(line.pieces) for line in lines] == [4, 2]
    assert lines[0].top < lines[1].top
    assert all(a < b for line in lines for a, b in line.pieces)
    assert all(abs(line.height - EM) <= 8 for line in lines)


def test_a_line_of_low_marks_is_a_line_and_a_loose_stroke_is_none() -> None:
    assert len(find_lines(ink_of(page("口口", "，，", "口川")))) == 3
    assert len(find_lines(ink_of(page("二二", "口口")))) == 2  # the two strokes of one character


def test_touching_characters_are_parted_where_ink_is_least() -> None:
    pixels = page("口口", gap=2)
    joined = pixels.copy()
    joined[33:35, 50:70] = 0  # a bridge from one to the other
    apart, together = (find_lines(ink_of(p))[0].pieces for p in (pixels, joined))
    assert len(apart) == 2
    assert any(abs(x - end) <= 6 for _, end in apart[:1] for x, _ in together[1:])


@pytest.mark.parametrize("lines", [("口川二口", "川，口二"), ("二川", "口", "tv口"), ("川川川，",)])
def test_texts_are_complete_and_in_order(recognizer: Recognizer, lines: tuple[str, ...]) -> None:
    found = read_page(recognizer, page(*lines), "p")
    assert [r.text for r in found] == list(lines)
    assert [r.name for r in found] == [f"p:{n}" for n in range(1, len(lines) + 1)]
    places = [(c.start, c.end) for c in found[0].characters]
    assert places == sorted(places) and all(0 < r.confidence <= 1 for r in found)


def test_light_on_dark_is_read_alike(recognizer: Recognizer, tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    cv2.imwrite(str(path), 255 - page("口川", "二"))
    assert len(find_lines(ink_of(255 - page("口川", "二")))) == 2
    assert len(read_page(recognizer, path, "p")) == 2


def test_words_that_stand_apart_are_parted_by_a_space(recognizer: Recognizer) -> None:
    (line,) = read_page(recognizer, page("tvt vt口 口"), "p")
    assert line.text == "tvt vt口口"


def test_a_page_without_ink_and_one_that_cannot_be_read_say_so(
    recognizer: Recognizer, tmp_path: Path
) -> None:
    (blank,) = read_page(recognizer, np.full((60, 60, 3), 200, np.uint8), "p")
    assert "no text" in blank.error
    (gone,) = read_page(recognizer, tmp_path / "gone.png", "p")
    assert "gone.png" in gone.error


def test_other_models_are_refused() -> None:
    @dataclass
    class TwoPositions:
        artifact: Artifact
        name: str = "none"

    two = Artifact(
        PositionsCodec(layout_of({"text": ["AB", "AB"]})),
        Preprocessing(32, 32),
        PositionsNetwork("resnet18"),
        task="positions",
    )
    with pytest.raises(UserError, match="--cut is for models of single characters"):
        read_page(Recognizer(TwoPositions(two)), page("口"), "p")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("read", "meant"),
    [
        ("中Ol年", "中01年"),
        ("A1R", "AIR"),
        ("AO5", "AO5"),
        ("G00d", "Good"),
        ("l0", "10"),
        ("中—代", "中一代"),
        ("4一5", "4-5"),
        ("hel1o", "hello"),
    ],
)
def test_look_alikes_are_what_stands_beside_them(read: str, meant: str) -> None:
    assert "".join(_settled(list(read))) == meant
