"""Words blended with photographs."""

import multiprocessing
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_synth_common import dice, library, made

from benchmarks import photo_folder
from crnn_mindspore.cli import render as render_command
from crnn_mindspore.errors import UserError
from crnn_mindspore.synth import render as render_module
from crnn_mindspore.synth.effects import photographs as photographs_module
from crnn_mindspore.synth.effects.colours import brightness
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.grounds import draw_surroundings
from crnn_mindspore.synth.effects.photographs import (
    Photographs,
    cast_light,
    load_photographs,
    mean_colour,
    natural_ground,
    textured,
)
from crnn_mindspore.text.charset import Charset

STREET, PHOTO = Path("configs/street_effects.yaml"), Path("configs/photo_effects.yaml")
OPTIONAL = (
    *("raised", "own_colour", "ring", "climb", "short_word", "capitals", "ring_turn", "oblique", "border"),
    *("photo_beside", "spared", "clean", "address", "marked", "redrawn"),
)


def scene(height: int = 90, width: int = 130, seed: int = 0) -> np.ndarray:
    """A small picture with large and small structure, as a photograph has."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(image, rng.integers(0, 30, image.shape).astype(np.uint8))


def photos(seed: int = 0) -> Photographs:
    return Photographs((scene(seed=seed), scene(200, 70, seed + 1)), digest=str(seed))


def digests(photographs: Photographs) -> list[bytes]:
    return [made(PHOTO, photographs).render(index)[0].tobytes() for index in (0, 5, 123456)]


# Rendered by the version before photographs: label, width, height, mean of all pixels.
BEFORE = {
    None: [
        ("N", 47, 62, 153.0), ("SHAGS", 118, 49, 124.7), ("OCTAL", 243, 57, 171.4), ("amaru", 92, 29, 132.1),
        ("78", 32, 22, 135.4), ("40", 102, 34, 93.4), ("Sudoku", 183, 39, 194.4), ("Vise", 61, 22, 200.1),
    ],
    STREET: [
        ("N", 49, 62, 152.2), ("SHAGS", 117, 49, 144.2), ("OCTAL", 242, 57, 158.4), ("amaru", 97, 29, 119.5),
        ("78", 23, 22, 123.7), ("40", 105, 34, 91.0), ("Sudoku", 185, 39, 130.1), ("Vise", 63, 22, 173.0),
    ],
}  # fmt: skip


@pytest.mark.parametrize("effects", [None, STREET])
def test_without_photographs_words_stay_what_they_were(
    effects: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = set()
    happens = Dice.happens
    monkeypatch.setattr(Dice, "happens", lambda self, name: asked.add(name) or happens(self, name))
    for index, (label, width, height, mean) in enumerate(BEFORE[effects]):
        image, text = made(effects).render(index)
        assert (text, image.shape[:2]) == (label, (height, width))
        assert image.mean() == pytest.approx(mean, abs=1)
    for index in range(200):
        made(effects).render(index)
    assert "blur" in asked and not asked & set(OPTIONAL)  # they would use up chance
    assert not [name for name in asked if name.startswith("photo")]


def test_words_with_photographs_are_pure_functions_too() -> None:
    here = digests(photos())
    assert digests(photos()) == here
    assert digests(photos(7)) != here
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(digests, (photos(),)) == here


def test_photographs_show_and_labels_stay_within_the_charset() -> None:
    with_photos, without = made(PHOTO, photos()), made(PHOTO)
    different = 0
    for index in range(60):
        image, label = with_photos.render(index)
        assert image.dtype == np.uint8 and image.shape[2] == 3 and label and Charset().covers(label)
        different += image.tobytes() != without.render(index)[0].tobytes()
    assert different >= 55


def test_a_crop_is_a_place_of_a_photograph() -> None:
    ramp = np.repeat(np.arange(0, 256, 2, dtype=np.uint8)[None, :, None], 100, axis=0).repeat(3, axis=2)
    one = Photographs((ramp,))
    for seed in range(20):
        crop = one.crop(20, 60, dice(seed, photo_zoom_range=(1.0, 1.0)))
        steps = np.diff(crop[0], axis=1)
        assert crop.shape == (3, 20, 60) and crop.dtype == np.float32
        assert np.all(steps == 2) or np.all(steps == -2)  # as it is, or mirrored
        wide = one.crop(20, 60, dice(seed, photo_zoom_range=(0.1, 0.1)))
        assert np.ptp(wide) <= 2 * 6 and np.ptp(one.crop(20, 60, dice(seed))) <= 256
    whole = one.crop(100, 128, dice(photo_zoom_range=(5.0, 5.0)))  # larger than the photograph: all of it
    assert {float(whole[0, 0, 0]), float(whole[0, 0, -1])} == {0.0, 254.0}


@pytest.mark.parametrize("seed", range(30))
def test_blending_keeps_the_colour_and_limits_the_structure(seed: int) -> None:
    crop = photos().crop(40, 100, dice(seed))
    for layer in ((90.0, 140.0, 120.0), np.full((3, 40, 100), 120, np.float32)):
        out = textured(layer, crop.copy(), 12.0, dice(seed))
        wanted = layer if isinstance(layer, tuple) else (120.0, 120.0, 120.0)
        assert out.shape == (3, 40, 100) and out.min() >= 0 and out.max() <= 255
        assert mean_colour(out) == pytest.approx(wanted, abs=3)
        assert np.std(out[1]) <= 13.5


def test_a_blended_layer_has_the_structure_of_the_photograph() -> None:
    crop = photos().crop(40, 100, dice())
    out = textured((128.0, 128.0, 128.0), crop.copy(), 200.0, dice(photo_share_range=(0.5, 0.5)))
    assert np.corrcoef(out[1].ravel(), crop[1].ravel())[0, 1] > 0.8


def test_a_natural_ground_keeps_its_brightness_and_loses_colour() -> None:
    crop = photos().crop(40, 100, dice())
    before = crop.copy()
    colour = natural_ground(crop, dice(photo_colour_range=(0.0, 0.0)))
    assert np.ptp(colour) < 0.01 and colour[0] == pytest.approx(brightness(mean_colour(before)), abs=0.1)
    assert np.abs(crop[0] - crop[2]).max() < 0.01
    colour = natural_ground(before, dice(photo_colour_range=(1.0, 1.0)))
    assert colour == pytest.approx(mean_colour(before), abs=0.1)


def test_light_of_a_photograph_falls_on_the_scene() -> None:
    crop = np.zeros((3, 10, 20), np.float32)
    crop[:, :, 10:] = 200
    planes = np.full((3, 10, 20), 100, np.float32)
    cast_light(planes, crop, dice(photo_light_range=(0.5, 0.5)))
    assert planes[0, 0, 0] == pytest.approx(50) and planes[0, 0, -1] == pytest.approx(150)


def test_a_folder_is_searched_reduced_and_what_is_unreadable_is_counted(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    cv2.imwrite(str(tmp_path / "b.png"), scene())
    cv2.imwrite(str(tmp_path / "deep" / "a.JPG"), scene(600, 1024))
    cv2.imwrite(str(tmp_path / "tiny.png"), scene(20, 90))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    (tmp_path / "notes.txt").write_text("not looked at")
    found = load_photographs(tmp_path)
    assert [image.shape for image in found.images] == [(90, 130, 3), (300, 512, 3)]
    assert len(found.unreadable) == 2 and "broken.jpg" in found.unreadable[0]
    assert "90 x 20" in found.unreadable[1]
    assert found.lines()[0] == "2 in use" and found.lines()[1].startswith("2 of the files cannot be used")
    assert load_photographs(tmp_path).digest == found.digest
    cv2.imwrite(str(tmp_path / "b.png"), scene(seed=1))
    assert load_photographs(tmp_path).digest != found.digest


def test_of_many_photographs_an_even_part_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs_module, "MOST", 3)
    for number in range(7):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((40, 40, 3), 10 * number, np.uint8))
    found = load_photographs(tmp_path)
    assert [int(image[0, 0, 0]) for image in found.images] == [0, 20, 40]
    assert found.left_out == 4 and "4 not opened" in found.lines()[1]


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "broken"])
def test_a_folder_without_photographs_is_an_error(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(render_module, "scan_fonts", lambda *_, **__: library())
    folder = tmp_path / "pictures"
    if kind == "file":
        folder.write_text("no folder")
    elif kind != "missing":
        folder.mkdir()
    if kind == "broken":
        (folder / "one.png").write_bytes(b"\x89PNG nothing")
    named = {"missing": "does not exist", "file": "is a file", "empty": "holds no image file"}
    options = ["--num_train", "2", "--num_test", "0", "--photos", str(folder)]
    assert render_command.main(["--output_dir", str(tmp_path / "x"), *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and str(folder) in error and named.get(kind, "one.png") in error
    assert not (tmp_path / "x").exists()
    with pytest.raises(UserError):
        load_photographs(folder)


def test_the_command_says_which_photographs_it_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(render_module, "scan_fonts", lambda *_, **__: library())
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "a.png"), scene())
    (tmp_path / "pictures" / "b.png").write_bytes(b"")
    options = ["--num_train", "4", "--num_test", "0", "--photos", str(tmp_path / "pictures")]
    assert render_command.main(["--output_dir", str(tmp_path / "x"), *options]) == 0
    out = capsys.readouterr().out
    assert "photographs: 1 in use" in out and "1 of the files cannot be used" in out and "b.png" in out


def test_facts_tell_other_photographs_and_ignore_effects_that_are_off() -> None:
    assert set(made(STREET).facts) == {"typefaces", "typefaces' files", "words", "effects"}
    plain, with_photos, others = (made(STREET, p).facts for p in (None, photos(), photos(7)))
    assert with_photos["photographs"] == 2
    assert with_photos["photographs' pixels"] != others["photographs' pixels"]
    assert with_photos["effects"] != plain["effects"]  # the photographs' own strengths count with them alone
    assert made(STREET, photo_probability=0.1).facts["effects"] == plain["effects"]
    assert made(STREET, ring_range=(1.0, 2.0)).facts["effects"] == plain["effects"]
    assert made(STREET, ring_probability=0.1).facts["effects"] != plain["effects"]


def test_a_photograph_lies_beside_the_sign() -> None:
    values = {"panel_probability": 1.0, "frame_probability": 0.0, "photo_beside_probability": 1.0}
    seen = np.full((3, 40, 100), 7, np.float32)
    for seed in range(8):
        ground = np.full((3, 40, 100), 200, np.float32)
        asked: list[tuple[int, int]] = []
        draw_surroundings(
            ground, (30, 12, 70, 28), (0.0,) * 3, (0.0,) * 3, dice(seed, **values),
            lambda height, width, _, asked=asked: asked.append((height, width)) or seen,
        )  # fmt: skip
        assert asked == [(40, 100)]
        assert np.all(ground[:, 12:28, 30:70] == 200) and np.any(ground == 7)


def test_the_folder_of_photographs_is_made_from_a_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    (root / "share").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(root / "share" / name), scene(300, 700))
    with zipfile.ZipFile(root / "share" / "pack.pk3", "w") as archive:
        archive.writestr("walls/one.png", cv2.imencode(".png", scene())[1].tobytes())
    wanted = tmp_path / "list.txt"
    lines = [
        "# remark",
        "/share/*.png",
        "/share/pack.pk3!walls/one.png",
        "/share/pack.pk3!gone",
        "python:no_such/x",
    ]
    wanted.write_text("\n".join(lines))
    out = tmp_path / "out"
    options = ["--list", str(wanted), "--root", str(root)]
    assert photo_folder.main([str(out), *options]) == 0
    said = capsys.readouterr()
    assert "3 photographs" in said.out and "2 missing" in said.out
    assert "pack.pk3!gone" in said.err and "python:no_such/x" in said.err
    assert sorted(cv2.imread(str(path)).shape for path in out.iterdir()) == [
        (90, 130, 3), (219, 512, 3), (219, 512, 3)
    ]  # fmt: skip
    assert len(load_photographs(out).images) == 3
    wanted.write_text("/share/absent.jpg\n")
    assert photo_folder.main([str(tmp_path / "none"), *options]) == 2
    assert photo_folder.main([str(tmp_path / "none"), "--list", str(tmp_path / "no.txt")]) == 2
    assert "no.txt" in capsys.readouterr().err


def test_the_list_of_photographs_names_files_of_the_packages_once() -> None:
    entries = photo_folder._entries(Path("configs/photos.txt"))
    assert len(entries) == len(set(entries)) > 90
    assert all(entry.startswith(("/usr/share/", "python:skimage/data/")) for entry in entries)
