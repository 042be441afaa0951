"""The converters of MATLAB and line annotations: IIIT5K, IC13 and IC15, with the traps real data sets."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from converter_inputs import labels_of, write_image

from crnn_mindspore.cli import convert
from crnn_mindspore.data.converting.converting import crop
from crnn_mindspore.data.converting.scene_text import parse_scene_line
from crnn_mindspore.data.readers.registry import load_samples


def write_mat(path: Path, name: str, entries: list[dict]) -> str:
    fields = [(field, object) for field in entries[0]]
    array = np.empty((1, len(entries)), dtype=fields)
    for k, entry in enumerate(entries):
        for field, value in entry.items():
            array[0, k][field] = value
    scipy.io.savemat(path, {name: array})
    return str(path)


def cells(words: list[str]) -> np.ndarray:
    array = np.empty((1, len(words)), dtype=object)
    array[0, :] = words
    return array


def test_iiit5k(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = write_image(tmp_path / "test" / "1_1.png")
    entries = [
        {
            "ImgName": "test/1_1.png",
            "GroundTruth": "1,000",
            "smallLexi": ["A", "1,000"],
            "mediumLexi": ["B"] * 9,
        },
        {"ImgName": "test/1_2.png", "GroundTruth": "GONE", "smallLexi": ["A", "C"], "mediumLexi": ["B", "D"]},
        {
            "ImgName": "../../secret.png",
            "GroundTruth": "X",
            "smallLexi": ["A", "C"],
            "mediumLexi": ["B", "D"],
        },
    ]
    for entry in entries:
        entry["smallLexi"], entry["mediumLexi"] = cells(entry["smallLexi"]), cells(entry["mediumLexi"])
    mat = write_mat(tmp_path / "testdata.mat", "testdata", entries)
    assert convert.iiit5k(["-m", mat, "-o", str(tmp_path / "out"), "-a", "annotation.txt"]) == 0
    printed = capsys.readouterr().out
    assert "images: 1 read of 3, 1 missing" in printed
    assert "dropped 1: image outside the folder" in printed
    source = load_samples("iiit5k", str(tmp_path / "out"), lexicon="50")
    assert (source.text(0), source.lexicon(0)) == ("1,000", ("A", "1,000"))
    assert source.name(0) == str(tmp_path / "out" / "test" / "1_1.png")
    assert source.image_bytes(0) == written.read_bytes()
    assert load_samples("iiit5k", str(tmp_path / "out"), lexicon="1000").lexicon(0) == ("B",) * 9


@pytest.mark.parametrize("count", [1, 2])
def test_iiit5k_character_boxes_and_conversion_in_place(tmp_path: Path, count: int) -> None:
    entries = [
        {"ImgName": f"train/{k}.png", "chars": f"You{k}", "charBB": np.ones((4, 4))} for k in range(count)
    ]
    for entry in entries:
        write_image(tmp_path / entry["ImgName"])
    mat = write_mat(tmp_path / "trainCharBound.mat", "trainCharBound", entries)
    before = (tmp_path / "train" / "0.png").read_bytes()
    assert convert.iiit5k(["-m", mat, "-o", str(tmp_path)]) == 0
    assert labels_of("iiit5k", tmp_path) == [f"You{k}" for k in range(count)]
    assert (tmp_path / "train" / "0.png").read_bytes() == before


def test_what_is_no_mat_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.mat").write_bytes(b"text")
    assert convert.iiit5k(["-m", str(tmp_path / "x.mat"), "-o", str(tmp_path / "out")]) == 2
    assert "x.mat: not a .mat file" in capsys.readouterr().err
    scipy.io.savemat(tmp_path / "y.mat", {"other": np.eye(2)})
    assert convert.iiit5k(["-m", str(tmp_path / "y.mat"), "-o", str(tmp_path / "out")]) == 2
    assert "no struct array with ImgName in it (variables: other)" in capsys.readouterr().err


def test_a_line_break_in_a_label_does_not_split_it(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    write_image(tmp_path / "b.png")
    entries = [{"ImgName": "a.png", "GroundTruth": "two\nlines"}, {"ImgName": "b.png", "GroundTruth": "one"}]
    mat = write_mat(tmp_path / "d.mat", "testdata", entries)
    assert convert.iiit5k(["-m", mat, "-o", str(tmp_path / "out")]) == 0
    assert labels_of("iiit5k", tmp_path / "out") == ["two lines", "one"]


def test_ic13_word_images(tmp_path: Path) -> None:
    write_image(tmp_path / "word_1.png")
    (tmp_path / "gt.txt").write_text('\ufeffword_1.png, "say \\"hi\\", you"\nbroken\n', encoding="utf-8")
    assert convert.ic13(["-d", str(tmp_path), "-o", str(tmp_path / "out")]) == 0
    assert labels_of("ic13", tmp_path / "out") == ['say "hi", you']


def test_scene_lines_of_both_years() -> None:
    upright = parse_scene_line('38, 43, 920, 215, "Tired, ness"')
    assert upright is not None
    assert (upright.label, upright.corners) == ("Tired, ness", ((38, 43), (920, 215)))
    spaced = parse_scene_line('158 128 411 181 "Footpath"')
    assert spaced is not None and spaced.label == "Footpath"
    quadrilateral = parse_scene_line("377,117,463,118,465,130,378,131,Genaxis, Theatre")
    assert quadrilateral is not None
    assert quadrilateral.label == "Genaxis, Theatre"
    assert quadrilateral.corners == ((377, 117), (463, 118), (465, 130), (378, 131))
    assert parse_scene_line("1,2,3") is None


def test_ic15_scenes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(tmp_path / "img_1.png")
    (tmp_path / "gt_img_1.txt").write_text(
        "\ufeff10,5,50,5,50,25,10,25,Word\n0,0,5,0,5,5,0,5,###\n500,500,600,500,600,600,500,600,far\nnonsense\n",
        encoding="utf-8",
    )
    (tmp_path / "gt_img_2.txt").write_text("1,1,9,1,9,9,1,9,gone\n")
    arguments = ["-d", str(tmp_path), "-g", str(tmp_path), "-o", str(tmp_path / "out")]
    assert convert.ic15(arguments) == 0
    printed = capsys.readouterr().out
    assert "words: 1 written of 5" in printed
    for reason in (
        "marked unreadable (###)",
        "box outside the image or empty",
        "malformed line",
        "image missing",
    ):
        assert f"dropped 1: {reason}" in printed
    assert labels_of("ic15", tmp_path / "out") == ["Word"]


def test_a_tilted_word_is_straightened() -> None:
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    corners = ((20.0, 50.0), (50.0, 20.0), (80.0, 50.0), (50.0, 80.0))  # a square on its corner
    cv2.fillConvexPoly(image, np.array(corners, dtype=np.int32), (255, 255, 255))
    straight = crop(image, corners)
    assert straight is not None
    assert straight.shape == (42, 42, 3)  # 30 * sqrt(2)
    assert straight[2:-2, 2:-2].min() == 255
