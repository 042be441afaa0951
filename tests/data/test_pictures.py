"""Encoded images, format by format and property by property: docs/guarantees.md names these tests."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest
from picture_files import WORD, Picture, turned_back
from picture_formats import FORMATS, pictures

from crnn_mindspore.data.image_io import (
    TruncatedImageError,
    UnreadableImageError,
    decode_image,
    decode_within,
)
from crnn_mindspore.reading.recognizer import Recognizer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

PICTURES = pictures()


def with_property(name: str) -> dict[str, Picture]:
    return {key: value for key, value in PICTURES.items() if key.split("-")[1] == name}


def assert_seen(name: str, picture: Picture, pixels: np.ndarray) -> None:
    assert (pixels.shape, pixels.dtype) == (picture.pixels.shape, np.uint8), name
    differences = np.abs(pixels.astype(int) - picture.pixels)
    assert differences.max() <= picture.tolerance, name


@pytest.mark.parametrize("name", with_property("alpha"))
def test_alpha(name: str) -> None:
    """Laid over white; white and nearly white letters over black."""
    assert_seen(name, PICTURES[name], decode_image(PICTURES[name].data, name))


@pytest.mark.parametrize("name", with_property("orientation"))
def test_orientation(name: str) -> None:
    """Upright, whichever way the camera was held; as stored where that is asked for."""
    assert_seen(name, PICTURES[name], decode_image(PICTURES[name].data, name))
    stored = decode_image(PICTURES[name].data, name, orient=False)
    orientation = int((re.findall(r"\d", name) or "3")[-1])  # XMP's is 3
    expected = turned_back(PICTURES[name].pixels, orientation)
    assert_seen(name, replace(PICTURES[name], pixels=expected), stored)


@pytest.mark.parametrize("name", with_property("trailer"))
def test_trailer(name: str) -> None:
    """What stands behind the picture is not looked at."""
    assert_seen(name, PICTURES[name], decode_image(PICTURES[name].data, name))


@pytest.mark.parametrize("name", with_property("depth"))
def test_bit_depth(name: str) -> None:
    assert_seen(name, PICTURES[name], decode_image(PICTURES[name].data, name))


@pytest.mark.parametrize("name", with_property("palette"))
def test_palette(name: str) -> None:
    assert_seen(name, PICTURES[name], decode_image(PICTURES[name].data, name))


@pytest.mark.parametrize("name", with_property("interlacing"))
def test_interlacing(name: str) -> None:
    """Also the passes of a progressive JPEG, and the ways in which a TIFF packs its rows."""
    assert_seen(name, PICTURES[name], decode_image(PICTURES[name].data, name))


@pytest.mark.parametrize("form", FORMATS)
def test_damage(form: str) -> None:
    """Every truncation is an error; other damage is one too, or gives a picture of the declared size."""
    picture = next(iter(FORMATS[form]().values()))
    for end in {0, 1, 2, 4, 8, *range(11, len(picture.data) - 1, max(1, len(picture.data) // 200))}:
        with pytest.raises(UnreadableImageError, match=r"^x\.y: "):
            decode_image(picture.data[:end], "x.y")
    if form in ("png", "jpeg", "bmp", "pnm"):
        with pytest.raises(TruncatedImageError, match="truncated image"):
            decode_image(picture.data[: len(picture.data) // 2], "x.y")
    dice = random.Random(4)
    outcomes: set[str] = set()
    for _ in range(300):
        data = bytearray(picture.data)
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(len(data) if dice.random() < 0.5 else 60)] = dice.randrange(256)
        try:
            pixels = decode_within(bytes(data), "x.y", 1 << 20).pixels
            assert (pixels.ndim, pixels.shape[2], pixels.dtype) == (3, 3, np.uint8)
            outcomes.add("read")
        except UnreadableImageError as error:
            assert str(error).startswith("x.y: ")
            outcomes.add("refused")
    assert outcomes == ({"refused"} if form == "png" else {"read", "refused"})  # PNG has check sums


def test_the_shipped_weights_read_the_word_in_every_file() -> None:
    results = Recognizer.load()([picture.data for picture in PICTURES.values()])
    wrong = {name: (r.text, r.error) for name, r in zip(PICTURES, results, strict=True) if r.text != WORD}
    assert wrong == {}


def test_a_picture_is_known_by_its_bytes_and_not_by_its_name() -> None:
    for name, picture in PICTURES.items():
        assert decode_image(picture.data, f"{name}.txt").shape == picture.pixels.shape
