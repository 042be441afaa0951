"""Typefaces: what they can draw is found out by drawing. Only typefaces of pip packages are used."""

import json
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ImageFont
from test_synth_common import LETTERS, font_paths, library

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.typefaces import fonts as fonts_module
from crnn_mindspore.synth.typefaces.font_files import files_in, find_font_files, package_files
from crnn_mindspore.synth.typefaces.fonts import FontLibrary, Typeface, examine, load_font, scan_fonts
from crnn_mindspore.synth.typefaces.glyphs import draw_glyphs


@pytest.fixture(scope="module")
def package_library() -> FontLibrary:
    return library()


@pytest.fixture
def few_fonts(tmp_path: Path) -> Path:
    folder = tmp_path / "fonts"
    folder.mkdir()
    for path in font_paths()[:2]:
        shutil.copy(path, folder)
    return folder


class FakeFont:
    """A font whose glyphs are given as (H, W) arrays; all else draws the box of a missing glyph."""

    box = np.full((9, 7), 255, np.uint8)

    def __init__(self, glyphs: dict[str, np.ndarray]) -> None:
        self.glyphs = glyphs

    def getmask2(self, text: str, mode: str) -> tuple[object, tuple[int, int]]:
        image = np.ascontiguousarray(self.glyphs.get(text, self.box))

        class Mask:
            size = (image.shape[1], image.shape[0])

            def __bytes__(self) -> bytes:
                return image.tobytes()

        return Mask(), (0, 0)


def blot(seed: int) -> np.ndarray:
    image = np.random.default_rng(seed).integers(0, 256, (10, 8), dtype=np.uint8)
    image[0, 0] = image[-1, -1] = 255
    return image


def test_empty_repeated_and_missing_glyphs_are_found_out() -> None:
    same = blot(9)
    glyphs = {
        "A": blot(1),
        "a": blot(2),
        "b": np.zeros((5, 5), np.uint8),
        "C": same,
        "D": same,
        "e": np.zeros((0, 0)),
    }
    glyphs |= {"F": blot(3), "f": glyphs["A"] * 0 + blot(3), "H": blot(4)}
    drawn, cap = draw_glyphs(FakeFont(glyphs), "AabCDeFfHxyz")
    assert set(drawn) == {
        "A",
        "a",
        "F",
        "f",
        "H",
    }  # F and f may look alike, C and D may not; x, y, z are boxes
    assert cap == 10


def test_a_real_face_covers_letters_and_not_private_characters() -> None:
    path = next(path for path in font_paths() if path.name == "Poppins-Regular.ttf")
    records, skipped = examine(path, LETTERS + "\ue000中")
    assert len(records) == 1
    assert not skipped
    assert set(records[0]["characters"]) == set(LETTERS)
    assert records[0]["cap_ratio"] == pytest.approx(_cap_ratio_of_tables(path), abs=0.04)


def _cap_ratio_of_tables(path: Path) -> float:
    """sCapHeight of the table OS/2 over unitsPerEm of the table head, read from the bytes of the file."""
    data = path.read_bytes()
    tables = {}
    for i in range(struct.unpack(">H", data[4:6])[0]):
        tag, _, offset, _ = struct.unpack(">4sIII", data[12 + 16 * i : 28 + 16 * i])
        tables[tag] = offset
    height = struct.unpack(">h", data[tables[b"OS/2"] + 88 : tables[b"OS/2"] + 90])[0]
    return height / struct.unpack(">H", data[tables[b"head"] + 18 : tables[b"head"] + 20])[0]


def test_package_fonts_alone_suffice(package_library: FontLibrary) -> None:
    rng = np.random.default_rng(0)
    assert package_library.families >= 4
    for text in ("Station", "24H", "QUARTZ", "jigsaw", "(Yes!)"):
        assert package_library.pick(rng, text).covers(text)
        assert package_library.pick(rng, text, plain=True).covers(text)
    assert package_library.pick(rng, "中文") is None


def test_legibility_tells_letters_from_pictures(package_library: FontLibrary) -> None:
    by_name = {(face.family, face.style): face for face in package_library.faces}
    assert by_name["Poppins", "Regular"].legibility > 0.9


def test_pictures_in_place_of_letters_are_excluded(tmp_path: Path) -> None:
    regular = next(path for path in package_files() if path.name == "OpenSans[wdth,wght].ttf")
    record = examine(regular, LETTERS)[0][0]
    turned = dict(
        record, family="Turned", descriptors=_shifted_letters(record["descriptors"]), collection="x"
    )
    skipped: fonts_module.Counter = fonts_module.Counter()
    faces = fonts_module._rank([dict(record, collection="x"), turned], skipped)
    assert [face.family for face in faces] == ["Open Sans"]
    assert skipped["letters not recognisable"] == 1


def _shifted_letters(text: str) -> str:
    """Descriptors with each letter's picture replaced by that of another letter."""
    parts = text.split()
    pictures = [part[1:] for part in parts]
    return " ".join(
        part[0] + picture for part, picture in zip(parts, pictures[5:] + pictures[:5], strict=True)
    )


def test_families_and_collections_do_not_dominate() -> None:
    def face(family: str, style: str, collection: str) -> Typeface:
        return Typeface("p", 0, (), family, style, collection, frozenset("A"), 0.7, 1.0)

    faces = [face("big", str(i), "one") for i in range(50)] + [
        face("small", "r", "one"),
        face("lone", "r", "two"),
    ]
    library = FontLibrary(faces)
    rng = np.random.default_rng(0)
    names = [library.pick(rng, "A").family for _ in range(6000)]
    # the collection 'one' has two families: weight sqrt(2) against 1; inside it both are as likely
    one = np.sqrt(2) / (1 + np.sqrt(2))
    shares = [names.count(name) / 6000 for name in ("big", "small", "lone")]
    assert shares == pytest.approx([one / 2, one / 2, 1 - one], abs=0.03)


def test_user_fonts_get_half(tmp_path: Path) -> None:
    def face(family: str, collection: str) -> Typeface:
        return Typeface("p", 0, (), family, "r", collection, frozenset("A"), 0.7, 1.0)

    library = FontLibrary([face("mine", "user")] + [face(f"f{i}", "packages") for i in range(100)])
    rng = np.random.default_rng(0)
    share = np.mean([library.pick(rng, "A").family == "mine" for _ in range(4000)])
    assert share == pytest.approx(0.5, abs=0.04)


def test_variable_fonts_give_several_weights() -> None:
    class Variable:
        def get_variation_axes(self) -> list[dict]:
            return [
                {"minimum": 75, "default": 100, "maximum": 100, "name": b"Width"},
                {"minimum": 100, "default": 400, "maximum": 700, "name": b"Weight"},
            ]

    assert fonts_module._instances(Variable()) == [(100.0, 400.0), (100.0, 600.0), (100.0, 700.0)]
    assert fonts_module._instances(load_font(str(font_paths()[0]), 0, (), 20)) == [()]


def test_cache_is_used_and_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_fonts: Path) -> None:
    cache = tmp_path / "cache" / "fonts.json"
    calls: list[Path] = []
    real = fonts_module.examine

    def counted(path: Path, characters: str, probe: str) -> tuple[list[dict], dict[str, int]]:
        calls.append(path)
        return real(path, characters, probe)

    monkeypatch.setattr(fonts_module, "examine", counted)
    monkeypatch.setattr(
        fonts_module, "find_font_files", lambda *_: [(path, "x") for path in files_in(few_fonts)]
    )
    first = scan_fonts(LETTERS, cache_file=cache)
    assert len(calls) == 2
    assert scan_fonts(LETTERS, cache_file=cache).faces == first.faces
    assert len(calls) == 2  # nothing was drawn again
    scan_fonts(LETTERS + "!", cache_file=cache)
    assert len(calls) == 4  # other characters
    cache.write_text("{broken", encoding="utf-8")
    assert scan_fonts(LETTERS, cache_file=cache).faces == first.faces
    assert json.loads(cache.read_text(encoding="utf-8"))["files"]


def test_broken_files_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "broken.ttf"
    path.write_bytes(b"no font")
    assert examine(path, LETTERS) == ([], {"cannot be opened": 1})


def test_a_link_to_nothing_is_counted(few_fonts: Path) -> None:
    (few_fonts / "gone.ttf").symlink_to(few_fonts / "nowhere.ttf")
    found = scan_fonts(LETTERS, few_fonts, only_font_dir=True)
    assert found.skipped["cannot be opened"] == 1
    assert found.faces


def test_font_dir_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent"):
        find_font_files(tmp_path / "absent")
    with pytest.raises(UserError, match="holds no typeface"):
        find_font_files(tmp_path)


def test_symbol_fonts_are_left_out_by_name(tmp_path: Path) -> None:
    for name in ("FontAwesome.ttf", "NotoColorEmoji.ttf", "Plain.TTF", "readme.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in files_in(tmp_path)] == ["Plain.TTF"]


def test_no_faces_is_an_error() -> None:
    with pytest.raises(UserError, match="--font_dir"):
        FontLibrary([])


def test_glyph_images_equal_pillows_own(few_fonts: Path) -> None:
    path = files_in(few_fonts)[0]
    font = load_font(str(path), 0, (), 32)
    drawn, _ = draw_glyphs(font, "R")
    assert isinstance(font, ImageFont.FreeTypeFont)
    mask = font.getmask("R", mode="L")
    image = np.array(
        [mask.getpixel((x, y)) for y in range(mask.size[1]) for x in range(mask.size[0])], np.uint8
    )
    image = image.reshape(mask.size[1], mask.size[0])
    x, y, w, h = cv2.boundingRect(image)
    assert np.array_equal(drawn["R"], image[y : y + h, x : x + w])
