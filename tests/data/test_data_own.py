"""The user's own data: labels in file names, alphabets from labels and files, Chinese lines."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import links_may_leave

from crnn_mindspore.data.corners import NOT_CORNERS
from crnn_mindspore.data.readers.chinese_dataset import EMPTY_LINE, UNKNOWN_ID
from crnn_mindspore.data.readers.folder_dataset import NO_MATCH
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.charset_file import count_characters, derive_characters, resolve_charset
from crnn_mindspore.data.sources.samples import MALFORMED, OUTSIDE_FOLDER, ListSource, WordSample
from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset


def source_of(*texts: str) -> ListSource:
    return ListSource([WordSample(f"{i}.png", text) for i, text in enumerate(texts)], "memory")


def texts(source) -> list[str]:
    return [source.text(i) for i in range(len(source))]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*_{text}.*", ["Novel", "你好", "b c"]),
        ("{text}.png", ["12_street_Novel", "7_b c"]),
        ("*-{text}.jpg", []),
        ("12_{text}.png", ["street_Novel"]),
    ],
)
def test_labels_in_file_names(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("12_street_Novel.png", "5_你好.jpg", "sub/7_b c.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    source = load_samples(f"folder:{pattern}", str(tmp_path))
    assert texts(source) == expected
    assert source.report.dropped.get(NO_MATCH, 0) == 3 - len(expected)


def test_images_behind_links_belong_to_the_set_once(tmp_path: Path) -> None:
    for name in ("set/1_a.png", "set/sub/2_b.png", "far/3_c.png", "far/deep/4_d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for link, target in (
        ("set/again", "set/sub"),
        ("set/far", "far"),
        ("set/up", "."),
        ("far/deep/far", "far"),
    ):
        (tmp_path / link).symlink_to(tmp_path / target)
    with pytest.raises(UserError, match=r"far: a symbolic link leads out .* give --allow_outside"):
        load_samples("folder:*_{text}.png", str(tmp_path / "set"))
    with links_may_leave():
        assert texts(load_samples("folder:*_{text}.png", str(tmp_path / "set"))) == ["a", "c", "d", "b"]


def test_a_pattern_of_two_forms_takes_names_with_and_without_an_ending(tmp_path: Path) -> None:
    for name in ("京PL3N67.jpg", "京PL3N68_bla.jpg", "京PL3N69_a_b.jpg", "京PL3N70.png"):
        (tmp_path / name).write_bytes(b"")
    source = load_samples("folder:{label}_*.jpg|{label}.jpg", str(tmp_path))
    assert texts(source) == ["京PL3N67", "京PL3N68", "京PL3N69"]
    assert source.report.dropped == {NO_MATCH: 1}
    assert texts(load_samples("folder:{label}_*.jpg", str(tmp_path))) == ["京PL3N68", "京PL3N69"]


@pytest.mark.parametrize("pattern", ["", "{text}.png|", "{text}_{label}.png", "*.png", "{text}_{text}.png"])
def test_a_pattern_needs_its_label_once(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UserError, match=r"must hold \{text\} once"):
        load_samples(f"folder:{pattern}", str(tmp_path))


def test_pictures_of_formats_that_are_not_read_are_counted(tmp_path: Path) -> None:
    for name in ("1_cat.png", "2_dog.gif", "3_sky.jp2", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    for layout in ("folder:*_{text}.*", "svt"):
        source = load_samples(layout, str(tmp_path))
        assert [source.text(i) for i in range(len(source))] == ["cat"]
        assert source.report.dropped == {"format that is not read; convert it to PNG": 2}


def test_the_pattern_s_other_characters_are_themselves(tmp_path: Path) -> None:
    for name in ("a+(1)_x.png", "aa1_x.png"):
        (tmp_path / name).write_bytes(b"")
    assert texts(load_samples("folder:a+(1)_{text}.png", str(tmp_path))) == ["x"]


def test_the_alphabet_of_the_labels() -> None:
    source = source_of("Hello", "wörld 42", "e\u0301", "tab\there", "你", "Hello")
    assert derive_characters(source) == "abdehlortw24 éö你"
    assert derive_characters(source, case_sensitive=True) == "Habdehlortw24 éö你"
    assert count_characters(source, case_sensitive=False)["l"] == 5
    assert Charset(derive_characters(source)).covers("HELLO")
    with pytest.raises(UserError, match="no characters in the labels of memory"):
        derive_characters(source_of("", "\t"))


def write_chinese(root: Path, characters: list[str], lines: list[str]) -> None:
    (root / "chars.txt").write_text("\n".join(characters) + "\n", encoding="utf-8")
    (root / "train.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_chinese_lines(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"image")
    write_chinese(
        tmp_path,
        ["blank", "我", "你", "A", "。"],
        ["a.jpg 1 2 4 3", "", "b.jpg 2 2", "c.jpg 5", "d.jpg 0 1", "e.jpg", "f.jpg 1 x", "../g.jpg 1"],
    )
    source = load_samples("chinese", str(tmp_path), split="train")
    assert texts(source) == ["我你。A", "你你"]
    assert source.image_bytes(0) == b"image"
    assert source.report.dropped == {UNKNOWN_ID: 2, MALFORMED: 2, OUTSIDE_FOLDER: 1}
    charset = resolve_charset(str(tmp_path / "chars.txt"))
    assert charset.classes == ("我", "你", "A", "。")
    assert charset.encode("你A").tolist() == [1, 2]


@pytest.mark.parametrize("first", ["blank", " ", "", "是"])
def test_the_first_line_of_chinese_characters_stands_for_the_blank_whatever_it_holds(
    tmp_path: Path, first: str
) -> None:
    write_chinese(tmp_path, [first, "我", "", "你", "我"], ["a.jpg 1 3", "b.jpg 4", "c.jpg 2 1", "d.jpg 0"])
    source = load_samples("chinese", str(tmp_path), split="train")
    assert texts(source) == ["我你", "我"]
    assert source.report.dropped == {EMPTY_LINE: 1, UNKNOWN_ID: 1}


def test_chinese_character_file_without_a_line_for_the_blank(tmp_path: Path) -> None:
    write_chinese(tmp_path, ["我", "你", "他"], ["a.jpg 1 2", "b.jpg 3"])
    assert texts(load_samples("chinese", str(tmp_path), split="train")) == ["我你", "他"]


def test_the_character_files_of_360cc_in_both_encodings_give_the_same_texts(tmp_path: Path) -> None:
    """The original is GB18030; in the copy that people pass on, private-use lines became other marks."""
    original = ["blank", "我", "！", "\ue76c", "你", "A", "，", "我"]
    copy = [" ", "我", "！", "■", "你", "A", "，", "我"]
    lines = ["a.jpg 1 4 2", "b.jpg 7 6 5"]
    found = []
    for name, characters, encoding in (("gbk", original, "gb18030"), ("utf8", copy, "utf-8")):
        folder = tmp_path / name
        folder.mkdir()
        write_chinese(folder, characters, lines)
        (folder / "chars.txt").write_bytes("".join(f"{c}\n" for c in characters).encode(encoding))
        found.append(texts(load_samples("chinese", str(folder), split="train")))
    assert found[0] == found[1] == ["我你！", "我，A"]


def test_chinese_files_that_are_missing_or_in_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no annotation \(looked for val\.txt"):
        load_samples("chinese", str(tmp_path), split="val")
    (tmp_path / "val.txt").write_text("a.jpg 1\n")
    with pytest.raises(UserError, match=r"no character file \(looked for char_std_5990\.txt"):
        load_samples("chinese", str(tmp_path), split="val")
    (tmp_path / "chars.txt").write_bytes("blank\n我\n\U00020000\n".encode("gb18030"))
    assert texts(load_samples("chinese", str(tmp_path), split="val")) == ["我"]
    (tmp_path / "chars.txt").write_bytes("blank\né\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"chars\.txt: line 2 is not UTF-8.*iconv -f GB18030"):
        load_samples("chinese", str(tmp_path), split="val")


def test_lexicons_where_there_are_none(tmp_path: Path) -> None:
    for name in ("synth", "chinese"):
        with pytest.raises(UserError, match=r"lexicon '50'.* no lexicons"):
            load_samples(name, str(tmp_path), lexicon="50")


def test_labels_with_corners_give_the_image_between_them(tmp_path: Path) -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    plate = cv2.resize(colours, (40, 20), interpolation=cv2.INTER_NEAREST)
    corners = np.array([[60, 20], [60, 100], [20, 100], [20, 20]], np.float32)  # turned by a quarter
    flat = np.array([[0, 0], [40, 0], [40, 20], [0, 20]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, corners)
    photo = cv2.warpPerspective(plate, matrix, (90, 120), flags=cv2.INTER_NEAREST)
    cv2.imwrite(str(tmp_path / "a.png"), photo)
    written = ",".join(f"{x:g},{y:g}" for x, y in corners)
    (tmp_path / "labels.tsv").write_text(
        f"a.png\tAB1 corners={written} colour=blue\na.png\tAB2\na.png\tAB3 corners=1,2,3\n"
        "a.png\tAB4 corners=20,20,20,100,60,100,60,20\na.png\tAB5 corners=a,b,c,d,e,f,g,h\n"
    )
    source = load_samples("folder", str(tmp_path))
    assert texts(source) == ["AB1 colour=blue", "AB2"]
    assert source.report.dropped == {NOT_CORNERS: 3}
    straight = cv2.imdecode(np.frombuffer(source.image_bytes(0), np.uint8), cv2.IMREAD_COLOR)
    assert straight.shape == (40, 80, 3)
    for row in (0, 1):
        for column in (0, 1):
            seen = straight[10 + 20 * row, 20 + 40 * column]
            assert np.abs(seen.astype(int) - colours[row, column]).max() <= 2
    assert source.image_bytes(1) == (tmp_path / "a.png").read_bytes()
