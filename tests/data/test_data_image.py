"""Encoded images and the one image transform."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from picture_files import png_chunk

from crnn_mindspore.data.image_io import TruncatedImageError, read_image_file
from crnn_mindspore.data.preprocess import (
    Preprocessing,
    UnreadableImageError,
    decode_image,
    normalize,
    preprocess,
    time_steps_for_width,
    to_uint8,
)
from crnn_mindspore.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def encoded(image: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def noise(height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png_header(width: int, height: int) -> bytes:
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    empty = b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + chunk + empty + b"\0\0\0\0IEND\xaeB`\x82"


def test_decoding_a_png_gives_the_pixels_back() -> None:
    image = noise()
    assert np.array_equal(decode_image(encoded(image), "x"), image)


def test_grey_becomes_three_equal_channels() -> None:
    grey = np.array([[0, 100], [200, 255]], dtype=np.uint8)
    decoded = decode_image(encoded(grey), "x")
    assert decoded.shape == (2, 2, 3)
    assert all(np.array_equal(decoded[..., c], grey) for c in range(3))


def test_sixteen_bits_are_scaled_to_eight() -> None:
    deep = np.full((4, 5), 0x80FF, dtype=np.uint16)
    assert decode_image(encoded(deep), "x").tolist() == np.full((4, 5, 3), 0x80).tolist()


def test_transparent_pixels_become_white_and_opaque_ones_stay() -> None:
    rgba = np.zeros((1, 3, 4), dtype=np.uint8)
    rgba[0, 1] = (10, 20, 30, 255)
    rgba[0, 2] = (0, 0, 0, 51)  # a fifth of black over white: 204
    assert decode_image(encoded(rgba), "x").tolist() == [[[255] * 3, [10, 20, 30], [204] * 3]]


def test_deep_transparent_image() -> None:
    rgba = np.zeros((1, 1, 4), dtype=np.uint16)
    assert decode_image(encoded(rgba), "x").tolist() == [[[255, 255, 255]]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x.jpg: empty file"),
        (b"just some text, named .jpg", "x.jpg: not an image"),
        (b"\xff\xd8\xff", "x.jpg: truncated image"),
        (b"\x89PNG\r\n\x1a\n", "x.jpg: truncated image"),
        (png_header(100_000, 100_000), "x.jpg: 100000 x 100000 pixels"),
        (png_header(0, 10), "x.jpg: declares 0 x 10 pixels"),
        (png_header(10, 10), "x.jpg: damaged: its picture cannot be decoded"),
        (png_header(10, 10)[:33] + png_header(10, 10)[-12:], "x.jpg: damaged PNG: it holds no picture"),
    ],
)
def test_what_is_no_usable_image_is_named(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableImageError, match=message):
        decode_image(data, "x.jpg")


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (10_000, 10_000)])
def test_a_huge_header_of_another_format(width: int, height: int) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    bmp = b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header
    with pytest.raises(UnreadableImageError, match="more than 67,108,864 pixels"):
        decode_image(bmp, "x")


def test_a_huge_jpeg_header_is_refused_before_decoding() -> None:
    data = bytearray(encoded(noise(), ".jpg"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65535, 65535)
    with pytest.raises(UnreadableImageError, match="65535 x 65535"):
        decode_image(bytes(data), "x")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_truncated_image_is_unreadable(suffix: str) -> None:
    data = encoded(noise(200, 200), suffix)
    assert decode_image(data, "x").shape == (200, 200, 3)
    with pytest.raises(TruncatedImageError, match="truncated"):
        decode_image(data[: len(data) // 2], "x")


def test_a_damaged_animation_does_not_end_the_process() -> None:
    """OpenCV 4.11 crashes on such a file: its first picture is no picture."""
    image = encoded(noise())
    control = png_chunk(b"acTL", struct.pack(">II", 2, 0))
    frame = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 30, 20, 0, 0, 1, 10, 0, 0))
    assert np.array_equal(decode_image(image[:33] + control + frame + image[33:], "x"), noise())
    spoilt = image[:33] + control + frame + png_chunk(b"IDAT", zlib.compress(b"\x09" * 20 * 91)) + image[-12:]
    program = (
        "import sys, src; from crnn_mindspore.data.image_io import UnreadableImageError, decode_image\n"
        "try: decode_image(sys.stdin.buffer.read(), 'x')\n"
        "except UnreadableImageError as error: print(error)"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, input=spoilt, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert (result.returncode, result.stdout[:3]) == (0, b"x: "), result


def test_a_chunk_that_promises_more_than_there_is_is_truncation() -> None:
    data = bytearray(encoded(noise()))
    place = data.index(b"IDAT") - 4
    data[place : place + 4] = struct.pack(">I", 0x7FFFFFF0)
    with pytest.raises(UnreadableImageError, match="truncated"):
        decode_image(bytes(data), "x")


def test_a_png_that_ends_within_its_header_is_unreadable() -> None:
    with pytest.raises(UnreadableImageError, match="x: "):
        decode_image(b"\x89PNG\r\n\x1a\n" + bytes(12) + b"IEND", "x")


def test_the_end_marker_of_a_thumbnail_does_not_count() -> None:
    data = encoded(noise(200, 200), ".jpg")
    thumbnail = encoded(noise(), ".jpg")
    comment = b"\xff\xfe" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    whole = data[:2] + comment + data[2:]
    assert decode_image(whole, "x").shape == (200, 200, 3)
    with pytest.raises(TruncatedImageError):
        decode_image(whole[: len(whole) // 2], "x")


def test_reading_a_file(tmp_path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"123")
    assert read_image_file(str(path)) == b"123"
    for bad in (tmp_path, tmp_path / "missing.png"):
        with pytest.raises(UnreadableImageError, match=str(bad)):
            read_image_file(str(bad))


def test_preprocessing_by_hand() -> None:
    image = np.zeros((32, 100, 3), dtype=np.uint8)
    image[0, 0] = (0, 51, 255)
    out = preprocess(image, Preprocessing())
    assert out.shape == (3, 32, 100)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous
    assert out[:, 0, 0] == pytest.approx([-1.0, -0.6, 1.0])
    assert out[:, 5, 5] == pytest.approx([-1.0, -1.0, -1.0])
    rgb = preprocess(image, Preprocessing(channel_order="RGB"))
    assert rgb[:, 0, 0] == pytest.approx([1.0, -0.6, -1.0])


def test_resizing_is_bilinear_with_pixel_centres() -> None:
    image = np.zeros((1, 2, 3), dtype=np.uint8)
    image[0, 1] = 100
    out = to_uint8(image, Preprocessing(height=1, width=8))
    # Centre of output column j lies at (j + 0.5) / 4 - 0.5 of the input.
    expected = [0, 0, 12.5, 37.5, 62.5, 87.5, 100, 100]
    assert np.abs(out[0, :, 0] - np.array(expected)).max() <= 0.5


def test_a_batch_is_normalised_as_each_image_is() -> None:
    p = Preprocessing(mean=100.0, std=50.0)
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 100, 3), dtype=np.uint8)
    batch = normalize(images, p)
    assert batch.flags.c_contiguous
    for one, image in zip(batch, images, strict=True):
        assert np.array_equal(one, preprocess(image, p))
        assert np.allclose(one, (image.transpose(2, 0, 1) - 100.0) / 50.0)


@pytest.mark.parametrize("order", ["BGR", "RGB"])
def test_a_standardised_image_has_mean_0_and_deviation_1_whatever_is_beside_it(order: str) -> None:
    p = Preprocessing(channel_order=order, mean=3.0, standardize=True)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (4, 32, 100, 3), dtype=np.uint8)
    images[1] = images[0] // 2 + 90  # half the contrast, other brightness
    images[2, 3:] = 200
    images[3] = 77
    batch = normalize(images, p)
    assert (batch.dtype, batch.flags.c_contiguous) == (np.float32, True)
    for one, image in zip(batch[:3], images, strict=False):
        assert np.array_equal(one, preprocess(image, p))
        values = image[..., :: -1 if order == "RGB" else 1].transpose(2, 0, 1).astype(np.float64)
        np.testing.assert_allclose(one, (values - values.mean()) / values.std(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(batch[1], batch[0], atol=0.02)  # but for rounding to whole values
    assert not batch[3].any()


def test_a_description_says_standardised_only_where_it_is_so() -> None:
    plain, own = Preprocessing(), Preprocessing(standardize=True)
    assert "standardize" not in plain.as_dict()
    assert own.as_dict() == {**plain.as_dict(), "standardize": True}
    assert Preprocessing.from_dict(own.as_dict()) == own


def test_description_round_trip_and_its_errors() -> None:
    p = Preprocessing(width=160, channel_order="RGB")
    assert Preprocessing.from_dict(p.as_dict()) == p
    with pytest.raises(UserError, match=r"missing \['std'\], unknown \['stdd'\]"):
        Preprocessing.from_dict({**{k: v for k, v in p.as_dict().items() if k != "std"}, "stdd": 1})


@pytest.mark.parametrize(
    "bad", [{"height": 0}, {"width": 7}, {"channel_order": "GBR"}, {"interpolation": "best"}, {"std": 0.0}]
)
def test_a_value_that_is_not_allowed_is_named(bad: dict) -> None:
    with pytest.raises(UserError, match=str(next(iter(bad.values())))):
        Preprocessing(**bad)


def test_time_steps() -> None:
    assert [time_steps_for_width(w) for w in (8, 100, 160, 280)] == [1, 24, 39, 69]
