"""The readers of the converted layouts: right samples, and every bad line counted."""

from pathlib import Path

import pytest

from crnn_mindspore.data.readers.annotation import EXTRA_COLUMN
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.samples import MALFORMED, OUTSIDE_FOLDER, FilterReport, SampleSource
from crnn_mindspore.errors import UserError


def pairs(source: SampleSource) -> list[tuple[str, str]]:
    return [(Path(source.name(i)).name, source.text(i)) for i in range(len(source))]


def test_mjsynth(tmp_path: Path) -> None:
    (tmp_path / "lexicon.txt").write_text("zero\none\ntwo\n")
    (tmp_path / "annotation_train.txt").write_text(
        "./1/1/1_ONE_1.jpg 1\n"
        "./1/1/2_Two_2.jpg 2\n"
        "\n"
        "./1/1/3_x_3.jpg 3\n"  # no such word
        "./1/1/4_x.jpg\n"
        "./1/1/5_x.jpg -1\n"
        "../../etc/passwd 0\n"
        "/etc/passwd 0\n"
        "./1/2/a b_0.jpg 0\r\n"
    )
    (tmp_path / "1" / "1").mkdir(parents=True)
    (tmp_path / "1" / "1" / "2_Two_2.jpg").write_bytes(b"bytes")
    source = load_samples("synth", str(tmp_path), split="train")
    assert pairs(source) == [("1_ONE_1.jpg", "one"), ("2_Two_2.jpg", "two"), ("a b_0.jpg", "zero")]
    assert source.image_bytes(1) == b"bytes"
    assert source.lexicon(0) is None
    assert source.report.kept == 3
    assert source.report.dropped == {MALFORMED: 3, OUTSIDE_FOLDER: 2}
    assert any("annotation_train.txt:4" in example for example in source.report.examples[MALFORMED])
    texts, ids = source.distinct_texts()
    assert [texts[i] for i in ids] == ["one", "two", "zero"]


def test_mjsynth_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"annotation_val\.txt"):
        load_samples("synth", str(tmp_path), split="val")
    (tmp_path / "annotation_val.txt").write_text("a.jpg 0\n")
    with pytest.raises(UserError, match=r"lexicon\.txt"):
        load_samples("synth", str(tmp_path), split="val")
    with pytest.raises(UserError, match="'valid'"):
        load_samples("synth", str(tmp_path), split="valid")


@pytest.mark.parametrize("name", ["ic03", "iiit5k"])
def test_image_comma_label(tmp_path: Path, name: str) -> None:
    (tmp_path / "annotation.txt").write_text(
        '1.jpg,plain\n2.jpg,1,000\nodd,name.PNG,"quoted"\n4.jpg,\nnothing here\n../5.jpg,x\n'
    )
    source = load_samples(name, str(tmp_path))
    assert pairs(source) == [
        ("1.jpg", "plain"),
        ("2.jpg", "1,000"),
        ("odd,name.PNG", '"quoted"'),
        ("4.jpg", ""),
    ]
    assert source.report.dropped == {MALFORMED: 1, OUTSIDE_FOLDER: 1}
    assert "annotation.txt:5 'nothing here'" in source.report.examples[MALFORMED][0]


@pytest.mark.parametrize("file", ["gt.txt", "Challenge2_Test_Task3_GT.txt"])
def test_ic13(tmp_path: Path, file: str) -> None:
    text = (
        '\ufeffword_1.png, "Tiredness"\r\nword_2.png, "a \\"b\\" c"\r\n'
        'word_3.png, "x, y"\nword_4.png, "back\\\\slash"\nword_5.png, bare\n'
    )
    (tmp_path / file).write_bytes(text.encode())
    source = load_samples("ic13", str(tmp_path))
    assert pairs(source) == [
        ("word_1.png", "Tiredness"),
        ("word_2.png", 'a "b" c'),
        ("word_3.png", "x, y"),
        ("word_4.png", "back\\slash"),
    ]
    assert source.report.dropped == {MALFORMED: 1}


def test_svt(tmp_path: Path) -> None:
    for name in ("b_10_2_ROOM.jpg", "a_1_LIVING.jpg", "nolabel.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    source = load_samples("svt", str(tmp_path))
    assert pairs(source) == [("a_1_LIVING.jpg", "LIVING"), ("b_10_2_ROOM.jpg", "ROOM")]
    assert source.report.dropped == {MALFORMED: 1}


def test_folder_tsv(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text('a.png\tHello\nsub/b.png\t你好, "quoted"\nc.png no tab\n/d.png\tx\n')
    source = load_samples("folder", str(tmp_path))
    assert pairs(source) == [("a.png", "Hello"), ("b.png", '你好, "quoted"')]
    assert source.name(1) == str(tmp_path / "sub" / "b.png")
    assert source.report.dropped == {MALFORMED: 1, OUTSIDE_FOLDER: 1}


def test_folder_csv(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(
        'path,text\na.png,Hello\nb.png,"1,000 ""x"""\nc.png,a,b\n../d.png,x\n'
    )
    source = load_samples("folder", str(tmp_path))
    assert pairs(source) == [("a.png", "Hello"), ("b.png", '1,000 "x"')]
    assert source.report.dropped == {EXTRA_COLUMN: 1, OUTSIDE_FOLDER: 1}


def test_folder_prefers_the_file_of_the_split(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("a.png\tall\n")
    (tmp_path / "labels_val.tsv").write_text("a.png\tval\n")
    assert pairs(load_samples("folder", str(tmp_path), split="val")) == [("a.png", "val")]
    assert pairs(load_samples("folder", str(tmp_path), split="train")) == [("a.png", "all")]


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("a.png\tx\u2028y\n", encoding="utf-8")
    assert pairs(load_samples("folder", str(tmp_path))) == [("a.png", "x\u2028y")]


def test_a_gbk_file_is_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_bytes(b"a.png\tok\n" + "b.png\t你好".encode("gbk"))
    with pytest.raises(UserError, match=r"labels.tsv: line 2 is not UTF-8.*GBK"):
        load_samples("folder", str(tmp_path))


def test_utf16_with_its_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_bytes("a.png\t你好\n".encode("utf-16"))
    assert pairs(load_samples("folder", str(tmp_path))) == [("a.png", "你好")]


@pytest.mark.parametrize("name", ["synth", "ic03", "ic13", "iiit5k", "svt", "folder"])
def test_missing_folder_and_empty_folder_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="no_such_folder"):
        load_samples(name, str(tmp_path / "no_such_folder"))
    with pytest.raises(UserError, match=tmp_path.name):
        load_samples(name, str(tmp_path))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown data set 'synht', did you mean 'synth'"):
        load_samples("synht", "/x")
    with pytest.raises(UserError, match="path of data set 'svt' is empty"):
        load_samples("svt", "")


def test_report_lines_and_two_filters_in_a_row() -> None:
    first = FilterReport(kept=5)
    first.drop("malformed line", "gt.txt:3")
    second = FilterReport(kept=3)
    second.drop("empty label", "a.png", 2)
    both = first.followed_by(second)
    assert both.lines() == [
        "3 of 6 samples kept, 3 dropped",
        "  dropped 2: empty label (e.g. a.png)",
        "  dropped 1: malformed line (e.g. gt.txt:3)",
    ]
    assert first.kept == 5
    for number in range(20):
        first.drop("many", str(number))
    assert first.examples["many"] == ["0", "1", "2", "3", "4"]


def image_in(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"bytes")


def test_a_folder_a_class(tmp_path: Path) -> None:
    image_in(tmp_path / "中", "1.png", "notes.txt", "2.gif")
    image_in(tmp_path / "U+002F" / "deeper", "a.jpg")
    image_in(tmp_path / "7", "b.jpg")
    image_in(tmp_path / ".hidden", "c.jpg")
    source = load_samples("classes", str(tmp_path))
    assert pairs(source) == [("b.jpg", "7"), ("a.jpg", "/"), ("1.png", "中")]
    assert sum(source.report.dropped.values()) == 1  # the GIF


def test_folders_named_by_ids_and_splits(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("啊\n阿\n", encoding="utf-8")
    image_in(tmp_path / "train" / "00001", "1.png")
    image_in(tmp_path / "test" / "00000", "2.png")
    image_in(tmp_path / "test" / "00002", "3.png")
    image_in(tmp_path / "test" / "阿", "4.png")
    assert pairs(load_samples("classes", str(tmp_path), split="train")) == [("1.png", "阿")]
    source = load_samples("classes", str(tmp_path), split="test")
    assert pairs(source) == [("2.png", "啊")]
    assert source.report.dropped == {"folder whose name is no id of classes.txt": 2}


def test_classes_without_an_image_are_refused(tmp_path: Path) -> None:
    (tmp_path / "中").mkdir()
    with pytest.raises(UserError, match="no images in the folders"):
        load_samples("classes", str(tmp_path))
    image_in(tmp_path / "train" / "中", "1.png")
    with pytest.raises(UserError, match="test"):
        load_samples("classes", str(tmp_path), split="test")
