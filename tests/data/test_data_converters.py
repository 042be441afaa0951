"""The converters of XML annotations: SVT and IC03, with the traps of real data and of attackers."""

import json
from pathlib import Path

import numpy as np
import pytest
from converter_inputs import gradient, labels_of, rectangle, scene, write_image, write_xml

from crnn_mindspore.cli import convert
from crnn_mindspore.data.image_io import decode_image
from crnn_mindspore.data.readers.registry import load_samples


@pytest.fixture
def svt(tmp_path: Path) -> tuple[Path, str]:
    write_image(tmp_path / "raw" / "img" / "a.png")
    xml = write_xml(
        tmp_path / "test.xml",
        scene("img/a.png", rectangle("LIVING"), rectangle("ROOM", x=60, y=40), lex="LIVING,ROOM,CAFE"),
        scene("img/missing.png", rectangle("ONE"), rectangle("TWO"), rectangle("THREE"), lex="ONE"),
    )
    return tmp_path / "raw", xml


def test_svt(svt: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, xml = svt
    assert convert.svt(["-d", str(raw), "-x", xml, "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "images: 1 read of 2, 1 missing, 0 unreadable" in printed
    assert "words: 2 written of 5" in printed
    assert "missing images: img/missing.png" in printed
    names = sorted(p.name for p in (tmp_path / "out").glob("*.jpg"))
    assert names == ["img_a_0_LIVING.jpg", "img_a_1_ROOM.jpg"]
    source = load_samples("svt", str(tmp_path / "out"), lexicon="50")
    assert [source.text(i) for i in range(2)] == ["LIVING", "ROOM"]
    assert source.lexicon(1) == ("LIVING", "ROOM", "CAFE")
    cropped = decode_image(source.image_bytes(0), "x")
    assert cropped.shape == (20, 40, 3)
    assert np.abs(cropped.astype(int) - gradient()[5:25, 10:50]).max() <= 4  # JPEG at its best
    # The second box reaches 0 to 20 pixels beyond the lower edge.
    assert decode_image(source.image_bytes(1), "x").shape == (20, 40, 3)


def test_svt_folder_without_its_label_file_is_read_by_the_names(
    svt: tuple[Path, str], tmp_path: Path
) -> None:
    raw, xml = svt
    convert.svt(["-d", str(raw), "-x", xml, "-o", str(tmp_path / "out")])
    (tmp_path / "out" / "labels.tsv").unlink()
    assert labels_of("svt", tmp_path / "out") == ["LIVING", "ROOM"]


def test_svt_to_lmdb_with_its_lexicon(svt: tuple[Path, str], tmp_path: Path) -> None:
    raw, xml = svt
    assert convert.svt(["-d", str(raw), "-x", xml, "-o", str(tmp_path / "set"), "--lmdb"]) == 0
    source = load_samples("lmdb", str(tmp_path / "set"), lexicon="50")
    assert [source.text(i) for i in range(len(source))] == ["LIVING", "ROOM"]
    assert source.lexicon(0) == ("LIVING", "ROOM", "CAFE")


def test_labels_that_no_file_name_can_hold(tmp_path: Path) -> None:
    labels = [
        "a/b",
        "../up",
        "1,000",
        "&quot;q&quot;",
        "你好",
        "it's",
        "under_score",
        "x" * 300,
        "CON",
        "  spaced  out ",
    ]
    write_image(tmp_path / "raw" / "a.png")
    xml = write_xml(tmp_path / "w.xml", scene("a.png", *[rectangle(label) for label in labels]))
    expected = ["a/b", "../up", "1,000", '"q"', "你好", "it's", "under_score", "x" * 300, "CON", "spaced out"]
    assert convert.svt(["-d", str(tmp_path / "raw"), "-x", xml, "-o", str(tmp_path / "svt")]) == 0
    assert labels_of("svt", tmp_path / "svt") == expected
    assert convert.ic03(["-d", str(tmp_path / "raw"), "-x", xml, "-o", str(tmp_path / "ic03")]) == 0
    assert labels_of("ic03", tmp_path / "ic03") == expected
    for name in ("svt", "ic03"):
        files = [p for p in (tmp_path / name).rglob("*") if p.suffix == ".jpg"]
        assert len(files) == len(labels)
        assert all(p.parent == tmp_path / name and p.name.isascii() and len(p.name) < 80 for p in files)


def test_boxes_are_clamped_and_what_is_outside_is_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "a.png")
    xml = write_xml(
        tmp_path / "words.xml",
        scene(
            "a.png",
            rectangle("left", x=-10, y=-5, width=30, height=20),
            rectangle("right", x=90, y=50, width=500, height=500),
            rectangle("outside", x=200),
            rectangle("empty", width=0),
            rectangle("negative", width=-5),
            '<taggedRectangle x="1" y="2" width="x" height="3"><tag>bad</tag></taggedRectangle>',
            '<taggedRectangle x="nan" y="2" width="4" height="3"><tag>nan</tag></taggedRectangle>',
            rectangle(""),
            "<taggedRectangle x='1' y='1' width='5' height='5'/>",
        ),
    )
    assert convert.ic03(["-d", str(tmp_path), "-x", xml, "-o", str(tmp_path / "out")]) == 0
    source = load_samples("ic03", str(tmp_path / "out"), lexicon="full")
    shapes = [decode_image(source.image_bytes(i), "x").shape[:2] for i in range(len(source))]
    # -10 + 30 and -5 + 20 are where the first box ends; the second has 10 columns and rows left.
    assert shapes == [(15, 20), (10, 10)]
    printed = capsys.readouterr().out
    assert "words: 2 written of 9" in printed
    assert "dropped 4: box outside the image or empty" in printed
    assert "dropped 2: empty label" in printed
    assert "dropped 1: malformed line" in printed
    assert "Left" not in source.lexicon(0) and "left" in source.lexicon(0)  # type: ignore[operator]


def test_ic03_word_images(tmp_path: Path) -> None:
    written = write_image(tmp_path / "word" / "1" / "1.png")
    (tmp_path / "word.xml").write_text(
        '<imagelist><image file="word/1/1.png" tag="self" /><image file="word/1/2.png" tag="x"/>'
        '<image tag="no file"/></imagelist>'
    )
    arguments = ["-d", str(tmp_path), "-x", str(tmp_path / "word.xml"), "-o", str(tmp_path / "out")]
    assert convert.ic03(arguments) == 0
    source = load_samples("ic03", str(tmp_path / "out"))
    assert (len(source), source.text(0), source.image_bytes(0)) == (1, "self", written.read_bytes())


def test_where_the_annotation_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "a.png")
    xml = write_xml(tmp_path / "words.xml", scene("a.png", rectangle("w")))
    for given, copy in (("annotation.txt", None), ("other.txt", "out/other.txt"), ("./here.txt", "here.txt")):
        assert convert.ic03(["-d", ".", "-x", xml, "-o", "out", "-a", given]) == 0
        assert (tmp_path / "out" / "annotation.txt").read_text() == "a_0_w.jpg,w\n"
        assert copy is None or (tmp_path / copy).read_text() == "a_0_w.jpg,w\n"


def test_annotations_of_the_model_zoo_s_converter_are_read(tmp_path: Path) -> None:
    (tmp_path / "annotation.txt").write_text("a.jpg,word,\nb.jpg,1,000,\n")
    assert labels_of("ic03", tmp_path) == ["word", "1,000"]
    (tmp_path / "annotation.txt").write_text("a.jpg,word\nb.jpg,so,\n")
    assert labels_of("ic03", tmp_path) == ["word", "so,"]


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 10))
    + "]><tagset><image><imageName>&a9;</imageName></image></tagset>"
)
EXTERNAL = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    "<tagset><image><imageName>&x;</imageName></image></tagset>"
)


@pytest.mark.parametrize("main", [convert.ic03, convert.svt])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BILLION_LAUGHS, "refused, the file declares entities"),
        (EXTERNAL, "refused, the file declares entities"),
        ("<tagset><image>", "not a well-formed XML file"),
        ("", "not a well-formed XML file"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "not a well-formed XML file"),
    ],
)
def test_hostile_and_broken_xml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], main, text: str, message: str
) -> None:
    (tmp_path / "w.xml").write_text(text)
    assert main(["-d", str(tmp_path), "-x", str(tmp_path / "w.xml"), "-o", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


def test_an_image_outside_the_folder_is_never_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "secret.png")
    write_image(tmp_path / "raw" / "a.png")
    scenes = [
        scene(name, rectangle("w")) for name in ("../secret.png", str(tmp_path / "secret.png"), "a.png")
    ]
    xml = write_xml(tmp_path / "w.xml", *scenes)
    assert convert.svt(["-d", str(tmp_path / "raw"), "-x", xml, "-o", str(tmp_path / "out")]) == 0
    assert "dropped 2: image outside the folder" in capsys.readouterr().out
    assert labels_of("svt", tmp_path / "out") == ["w"]


def test_an_unreadable_photograph_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_text("no image")
    xml = write_xml(tmp_path / "w.xml", scene("a.png", rectangle("w")), scene("b.jpg", rectangle("x")))
    assert convert.ic03(["-d", str(tmp_path), "-x", xml, "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "images: 1 read of 2, 0 missing, 1 unreadable" in printed
    assert f"unreadable: {tmp_path / 'b.jpg'}: not an image" in printed


def test_no_image_at_all_and_missing_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    xml = write_xml(tmp_path / "w.xml", scene("a.png", rectangle("w")))
    out = str(tmp_path / "out")
    assert convert.svt(["-d", str(tmp_path), "-x", xml, "-o", out]) == 2
    assert "none of the 1 images is in" in capsys.readouterr().err
    assert convert.svt(["-d", str(tmp_path / "nowhere"), "-x", xml, "-o", out]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert convert.svt(["-d", str(tmp_path), "-x", str(tmp_path / "no.xml"), "-o", out]) == 2
    assert "no.xml" in capsys.readouterr().err
    assert convert.svt(["--lmbd"]) == 2
    assert "unknown option 'lmbd', did you mean 'lmdb'?" in capsys.readouterr().err


def test_two_crops_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    write_image(tmp_path / "a" / "b.png")
    write_image(tmp_path / "a_b.png")
    xml = write_xml(tmp_path / "w.xml", scene("a/b.png", rectangle("x")), scene("a_b.png", rectangle("X")))
    convert.svt(["-d", str(tmp_path), "-x", xml, "-o", str(tmp_path / "out")])
    assert labels_of("svt", tmp_path / "out") == ["x", "X"]
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 2


def test_a_bad_lexicon_file_is_named(
    svt: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, xml = svt
    convert.svt(["-d", str(raw), "-x", xml, "-o", str(tmp_path / "out")])
    path = tmp_path / "out" / "lexicon_50.json"
    assert json.loads(path.read_text())["lists"] == [["LIVING", "ROOM", "CAFE"]]
    for text in ("{}", "[]", '{"lists": [], "images": {"img_a_0_LIVING.jpg": 0}}', "text"):
        path.write_text(text)
        with pytest.raises(Exception, match=r"lexicon_50\.json"):
            load_samples("svt", str(tmp_path / "out"), lexicon="50")
