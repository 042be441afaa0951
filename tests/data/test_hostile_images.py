"""Files made to kill, to fill the memory or to last: what is refused, and what the worst picture costs."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from hostile_images import (
    cheap_png,
    refused_formats,
    scan_bomb,
    tag_bomb,
    text_bomb,
    tile_bomb,
    two_sizes,
    worst_images,
)
from picture_files import png_pictures

from crnn_mindspore.data import image_io
from crnn_mindspore.data.image_io import MAX_PIXELS, UnreadableImageError, decode_image, decode_within

ROOT = Path(__file__).resolve().parents[2]
MEBIBYTE = 1 << 20

# Decodes the files named, each in a copy of this process that may take only so much more memory and so many
# seconds of the processor; prints the size of each picture, or why there is none.
_LIMITED = """
import json, os, resource, sys
import src
from crnn_mindspore.data.image_io import UnreadableImageError, decode_within
megabytes, seconds, most_pixels, *paths = sys.argv[1:]
for path in paths:
    data = open(path, "rb").read()
    out, into = os.pipe()
    child = os.fork()
    if not child:
        pages = int(open("/proc/self/statm").read().split()[0])
        bytes_allowed = pages * resource.getpagesize() + (int(megabytes) << 20)
        resource.setrlimit(resource.RLIMIT_AS, (bytes_allowed, bytes_allowed))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
        try:
            answer = decode_within(data, "x", int(most_pixels)).pixels.shape
        except UnreadableImageError as error:
            answer = str(error)
        os.write(into, json.dumps(answer).encode())
        os._exit(0)
    os.close(into)
    answer = os.read(out, 100_000).decode()
    status = os.waitpid(child, 0)[1]
    print(json.dumps([os.path.basename(path), json.loads(answer or "null"), status]))
"""


def decoded_under_limits(
    folder: Path, files: dict[str, bytes], megabytes: int, seconds: int, most_pixels: int = MAX_PIXELS
) -> dict[str, list[int] | str]:
    """File name -> shape of the picture, or the error; fails for one that exceeds the limits."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    numbers = megabytes, seconds, most_pixels
    command = [sys.executable, "-c", _LIMITED, *map(str, numbers), *(str(folder / name) for name in files)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=True)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(name, status) for name, _, status in lines] == [(name, 0) for name in files], result.stderr
    return {name: answer for name, answer, _ in lines}


@pytest.mark.parametrize("name", refused_formats())
def test_a_format_that_is_not_read_is_named_with_what_to_do(name: str) -> None:
    form, data = refused_formats()[name]
    with pytest.raises(UnreadableImageError) as error:
        decode_image(data, name)
    assert str(error.value) == (
        f"{name}: {form} is not read; convert it to PNG (PNG, JPEG, BMP, WebP, TIFF and PNM are read)"
    )


def test_no_decoder_sees_a_truncated_jpeg_2000(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV 4.11 crashes on a third of them."""
    monkeypatch.setattr(image_io.cv2, "imdecode", lambda *_: pytest.fail("the decoder was asked"))
    _, data = refused_formats()["a.jp2"]
    for end in range(12, len(data), 7):
        with pytest.raises(UnreadableImageError, match="JPEG 2000 is not read"):
            decode_image(data[:end], "x")


@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError(), KeyError("a"), cv2.error("odd")])
def test_whatever_a_decoder_raises_is_the_error_of_one_image(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(image_io.cv2, "imdecode", fail)
    data = png_pictures()["trailer"].data
    with pytest.raises(
        UnreadableImageError, match=rf"^x: PNG that cannot be decoded: {type(error).__name__}"
    ):
        decode_image(data, "x")


def test_a_jpeg_that_hides_its_size_is_judged_by_the_size_that_is_decoded(tmp_path: Path) -> None:
    answers = decoded_under_limits(tmp_path, {"a.jpg": two_sizes()}, 64, 5)
    assert answers == {"a.jpg": "x: 30000 x 30000 pixels, more than 67,108,864 pixels in all"}
    # The same trick with a size that is allowed: what is declared is what comes out.
    assert decode_image(two_sizes(48), "x").shape == (48, 48, 3)


def test_the_decoder_is_given_the_picture_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    decode = cv2.imdecode
    monkeypatch.setattr(
        image_io.cv2, "imdecode", lambda data, flags: seen.append(len(data)) or decode(data, flags)
    )
    for kind in (b"zTXt", b"iTXt", b"iCCP"):
        pixels = decode_image(text_bomb(kind, chunks=3, megabytes=1), "x")
        assert pixels.tolist() == np.zeros((32, 32, 3)).tolist()
    assert max(seen) < 120


def test_another_size_than_the_declared_one_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_io.cv2, "imdecode", lambda *_: np.zeros((7, 9, 3), np.uint8))
    with pytest.raises(UnreadableImageError, match="x: damaged: 9 x 7 pixels where 32 x 32 are declared"):
        decode_image(text_bomb(chunks=1, megabytes=1), "x")


def test_text_that_unpacks_to_a_gigabyte_costs_nothing(tmp_path: Path) -> None:
    files = {"100.png": text_bomb(chunks=100), "900.png": text_bomb(chunks=900)}
    answers = decoded_under_limits(tmp_path, files, 64, 2)
    assert answers == {name: [32, 32, 3] for name in files}


def test_text_behind_the_pixels_of_a_pnm_costs_nothing(tmp_path: Path) -> None:
    pictures = {
        "comments.ppm": b"P3 1 1 255\n" + b"#\n" * (8 << 20) + b"1 1 1\n",
        "digits.pbm": b"P1 1 1\n" + b"11 " * (5 << 20),
        "half.ppm": b"P3 2000 1000 255\n" + b"#\n" * (5 << 20) + b"7 8 9\n" * 2_000_000,
    }
    answers = decoded_under_limits(tmp_path, pictures, 128, 8)
    assert answers["digits.pbm"] == [1, 1, 3]
    assert answers["half.ppm"] == [1000, 2000, 3]
    assert "truncated" in answers["comments.ppm"]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_tags_that_name_the_same_megabytes_cost_nothing(tmp_path: Path, compression: str) -> None:
    answers = decoded_under_limits(tmp_path, {"tags.tiff": tag_bomb(compression)}, 128, 2)
    assert answers == {"tags.tiff": [8, 8, 3]}


def test_a_tile_is_judged_as_a_picture_is(tmp_path: Path) -> None:
    answers = decoded_under_limits(tmp_path, {"tile.tiff": tile_bomb(), "small.tiff": tile_bomb(256)}, 128, 2)
    assert answers["tile.tiff"] == "x: 16384 x 16384 pixels, more than 67,108,864 pixels in all"
    assert answers["small.tiff"] == [8, 8, 3]


def test_scans_without_end_are_refused() -> None:
    assert decode_image(scan_bomb(64, 64), "x").shape == (64, 64, 3)
    with pytest.raises(UnreadableImageError, match="a JPEG of more than 64 scans"):
        decode_image(scan_bomb(64, 65), "x")


def test_segments_and_chunks_without_end_are_refused(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    png = cheap_png(8, 8, 0)
    files = {
        "segments.jpg": jpeg[:2] + b"\xff\xfe\0\2" * 4_000_000 + jpeg[2:],
        "fill.jpg": jpeg[:2] + b"\xff" * 16_000_000 + b"\0" + jpeg[2:],
        "markers.jpg": jpeg[:-2] + b"\xff\x02" * 8_000_000 + jpeg[-2:],
        "chunks.png": png[:33] + b"\0\0\0\0tEXt1234" * 1_300_000 + png[33:],
        "comment.ppm": b"P6\n" + b"#" * 16_000_000,
        "space.ppm": b"P6" + b" " * 16_000_000,
        "tags.svg": b"<!-- a -->" * 1_000_000,
    }
    answers = decoded_under_limits(tmp_path, files, 256, 5)
    assert answers.pop("fill.jpg") == [8, 8, 3]
    assert [type(answer) for answer in answers.values()] == [str] * len(answers)


# docs/guarantees.md states these.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "megabytes", "seconds"), [(4000, 512, 10), pytest.param(8192, 1536, 30, marks=pytest.mark.long)]
)
def test_the_worst_images_stay_within_the_stated_memory_and_time(
    tmp_path: Path, side: int, megabytes: int, seconds: int
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, while the files are made
        files = worst_images(side)
    answers = decoded_under_limits(tmp_path, files, megabytes, seconds, side**2)
    assert answers == {name: [side, side, 3] for name in files}


def test_a_large_jpeg_is_decoded_reduced_and_others_are_refused() -> None:
    image = cv2.resize(np.random.default_rng(0).integers(0, 256, (5, 20, 3), np.uint8), (803, 199))
    jpeg, png = (cv2.imencode(ending, image)[1].tobytes() for ending in (".jpg", ".png"))
    for most, width in ((803 * 199, 803), (803 * 199 - 1, 402), (30_000, 201), (9_999, 101)):
        decoded = decode_within(jpeg, "x", most)
        assert (decoded.pixels.shape[1], decoded.width) == (width, 803)
        whole = cv2.resize(image, decoded.pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(decoded.pixels.astype(int) - whole).mean() < 6
    for data in (jpeg, png):
        with pytest.raises(UnreadableImageError, match="x: 803 x 199 pixels, more than 1,000 pixels in all"):
            decode_within(data, "x", 1000)
