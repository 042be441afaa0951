"""What each reader of labels makes of small oddities: the table of docs/guarantees.md, cell by cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import lmdb
import pytest

from crnn_mindspore.data.image_io import UnreadableImageError
from crnn_mindspore.data.readers.annotation import EXTRA_COLUMN
from crnn_mindspore.data.readers.chinese_dataset import EMPTY_LINE, UNKNOWN_ID
from crnn_mindspore.data.readers.lmdb_index import BEYOND_COUNT, MISSING_LABEL, NOT_UTF8, OTHER_NUMBER
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.samples import MALFORMED
from crnn_mindspore.errors import UserError
from crnn_mindspore.text.word_list import read_words

PAGE = Path(__file__).parents[2] / "docs" / "guarantees.md"
MISSING = "missing.png"

Content = str | bytes | Sequence[str | bytes] | dict[str, bytes]


@dataclass(frozen=True)
class Case:
    """A content, and the samples or the error that come of it."""

    content: Content
    samples: Sequence[tuple[str, str]] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Form:
    """How a reader's data set is written and read."""

    name: str
    write: Callable[[Path, Content], None]


def _file(name: str, **others: str) -> Callable[[Path, Content], None]:
    def write(root: Path, content: Content) -> None:
        for other, text in others.items():
            (root / f"{other}.txt").write_text(text, encoding="utf-8")
        (root / name).write_bytes(content.encode() if isinstance(content, str) else bytes(content))

    return write


def _names(root: Path, names: Content) -> None:
    for name in names:
        (root / str(name)).write_bytes(b"image")


def _lmdb(root: Path, entries: Content) -> None:
    assert isinstance(entries, dict)
    with lmdb.open(str(root), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
        for key, value in entries.items():
            transaction.put(key.encode(), value)


def _chinese(root: Path, content: Content) -> None:
    characters, lines = content if isinstance(content, tuple) else ("blank\n我\n你\n A\n", content)
    for name, text in (("chars.txt", characters), ("test.txt", lines)):
        (root / name).write_bytes(text.encode() if isinstance(text, str) else text)


FORMS = {
    "labels.tsv": Form("folder", _file("labels.tsv")),
    "labels.csv": Form("folder", _file("labels.csv")),
    "annotation.txt": Form("iiit5k", _file("annotation.txt")),
    "gt.txt": Form("ic13", _file("gt.txt")),
    "svt": Form("svt", _names),
    "folder:PATTERN": Form("folder:*_{text}.png", _names),
    "synth": Form("synth", _file("annotation_test.txt", lexicon="zero\nnew york\n")),
    "chinese": Form("chinese", _chinese),
    "lmdb": Form("lmdb", _lmdb),
    "word list": Form("words", _file("words.txt")),
}
NOT_UTF8_FILE = r"line 1 is not UTF-8.*iconv -f GB18030"
WITHOUT_MARK = "is UTF-16[LB]E.*iconv -f UTF-16"


def _entries(*labels: str | bytes, stated: int | None = None) -> dict[str, bytes]:
    entries = {"num-samples": str(len(labels) if stated is None else stated).encode()}
    for k, label in enumerate(labels, start=1):
        entries[f"label-{k:09d}"] = label.encode() if isinstance(label, str) else label
        entries[f"image-{k:09d}"] = b"image"
    return entries


def _numbered(*labels: str) -> list[tuple[str, str]]:
    return [(f"{k:09d}", label) for k, label in enumerate(labels, start=1)]


CELLS: dict[tuple[str, str], tuple[str, list[Case]]] = {
    ("labels.tsv", "quote"): (
        "part of the label",
        [Case('a.png\t"x\nb.png\ty"\n', [("a.png", '"x'), ("b.png", 'y"')])],
    ),
    ("labels.tsv", "header"): (
        "left off, logged",
        [
            Case("path\ttext\na.png\tx\n", [("a.png", "x")]),
            Case("# File Name\t# Corresponding label\na.png\tx\n", [("a.png", "x")]),
            Case("图片\t文本\na.png\tx\n", [("a.png", "x")]),
        ],
    ),
    ("labels.tsv", "third column"): (
        "row dropped, counted; an empty one left off",
        [Case("a.png\tx\ty\nb.png\tz\t\n", [("b.png", "z")], {EXTRA_COLUMN: 1})],
    ),
    ("labels.tsv", "byte-order mark"): ("left off", [Case("\ufeffa.png\tx\n", [("a.png", "x")])]),
    ("labels.tsv", "line ends"): (
        "LF, CR LF, CR",
        [
            Case("a.png\tx\r\nb.png\ty\n", [("a.png", "x"), ("b.png", "y")]),
            Case("a.png\tx\rb.png\ty\r", [("a.png", "x"), ("b.png", "y")]),
        ],
    ),
    ("labels.tsv", "encodings"): (
        "UTF-8, UTF-16 with mark; others refused",
        [
            Case("a.png\t你\n".encode("utf-16"), [("a.png", "你")]),
            Case("a.png\t你\n".encode("gb18030"), error=NOT_UTF8_FILE),
            Case("a.png\tx\n".encode("utf-16-le"), error=WITHOUT_MARK),
            Case("a.png\tx\r\n上.png\t你".encode("utf-16-be"), error=WITHOUT_MARK),
            Case("a.png\tx\n".encode("utf-32"), error="is UTF-32"),
            Case(b"a.png\tx\0\n", [("a.png", "x\0")]),
            Case(b"\xff\xfea", error="begins as UTF-16"),
        ],
    ),
    ("labels.tsv", "empty"): (
        "kept as empty",
        [Case("a.png\t\n\nb.png\n", [("a.png", "")], {MALFORMED: 1})],
    ),
    ("labels.tsv", "repeated"): ("kept", [Case("a.png\tx\n" * 2, [("a.png", "x")] * 2)]),
    ("labels.tsv", "missing image"): ("named when read", [Case(f"{MISSING}\tx\n", [(MISSING, "x")])]),
    ("labels.tsv", "spaces"): ("kept", [Case("a b.png\t x  y \n", [("a b.png", " x  y ")])]),
    ("labels.tsv", "line break"): (
        "rest of the label dropped, counted",
        [Case("a.png\tx\ny\n", [("a.png", "x")], {MALFORMED: 1})],
    ),
    ("labels.csv", "quote"): (
        "a stray one drops its row, counted",
        [
            Case(
                '1.png,a\n2.png,"bird\n3.png,c\n8.png,"left\n9.png,d\n',
                [("1.png", "a"), ("3.png", "c"), ("9.png", "d")],
                {MALFORMED: 2},
            ),
            Case('1.png,"a\n2.png,b"\n', [("2.png", 'b"')], {MALFORMED: 1}),
            Case(
                '1.png,"a"b\n2.png,5" x\n3.png,"""q"""\n',
                [("2.png", '5" x'), ("3.png", '"q"')],
                {MALFORMED: 1},
            ),
            Case('1,"a\n2,b\n3,"c\n', [("2", "b")], {MALFORMED: 2}),
            Case('1.png,b\n2.png,"a\n', [("1.png", "b")], {MALFORMED: 1}),
        ],
    ),
    ("labels.csv", "header"): (
        "left off, logged",
        [
            Case("Image,Label\na.png,x\n", [("a.png", "x")]),
            Case('"file","words"\na.png,x\n', [("a.png", "x")]),
            Case("\ufeffsep=,\r\nimage,text\r\na.png,x\r\n", [("a.png", "x")]),
            Case("sep=,", []),
        ],
    ),
    ("labels.csv", "third column"): (
        "row dropped, counted; an empty one left off",
        [Case('a.png,x,y\nb.png,z,\nc.png,"1,0"\n', [("b.png", "z"), ("c.png", "1,0")], {EXTRA_COLUMN: 1})],
    ),
    ("labels.csv", "byte-order mark"): ("left off", [Case('\ufeff"a.png",x\n', [("a.png", "x")])]),
    ("labels.csv", "line ends"): (
        "LF, CR LF, CR",
        [
            Case('a.png,x\r\nb.png,"y"\r\n', [("a.png", "x"), ("b.png", "y")]),
            Case("a.png,x\rb.png,y\r", [("a.png", "x"), ("b.png", "y")]),
        ],
    ),
    ("labels.csv", "encodings"): (
        "UTF-8, UTF-16 with mark; others refused",
        [
            Case("a.png,你\n".encode("utf-16"), [("a.png", "你")]),
            Case("a.png,你\n".encode("gb18030"), error=NOT_UTF8_FILE),
            Case("a.png,x\n".encode("utf-16-be"), error=WITHOUT_MARK),
        ],
    ),
    ("labels.csv", "empty"): (
        "kept as empty",
        [Case('a.png,\n\nb.png,""\nc.png\n', [("a.png", ""), ("b.png", "")], {MALFORMED: 1})],
    ),
    ("labels.csv", "repeated"): ("kept", [Case("a.png,x\n" * 2, [("a.png", "x")] * 2)]),
    ("labels.csv", "missing image"): ("named when read", [Case(f"{MISSING},x\n", [(MISSING, "x")])]),
    ("labels.csv", "spaces"): ("kept", [Case("a b.png, x  y \n", [("a b.png", " x  y ")])]),
    ("labels.csv", "line break"): (
        "kept in quotes",
        [
            Case('a.png,"x\ny"\nb.png,z\n', [("a.png", "x\ny"), ("b.png", "z")]),
            Case('"a.png","x\r\nb.png,y"\n', [("a.png", "x\r\nb.png,y")]),
        ],
    ),
    ("annotation.txt", "quote"): ("part of the label", [Case('1.jpg,"x\n', [("1.jpg", '"x')])]),
    ("annotation.txt", "header"): ("left off, logged", [Case("image,label\n1.jpg,x\n", [("1.jpg", "x")])]),
    ("annotation.txt", "third column"): ("part of the label", [Case("1.jpg,1,000\n", [("1.jpg", "1,000")])]),
    ("annotation.txt", "byte-order mark"): ("left off", [Case("\ufeff1.jpg,x\n", [("1.jpg", "x")])]),
    ("annotation.txt", "line ends"): (
        "LF, CR LF, CR",
        [
            Case("1.jpg,x\r\n2.jpg,y\n", [("1.jpg", "x"), ("2.jpg", "y")]),
            Case("1.jpg,x\r2.jpg,y\r", [("1.jpg", "x"), ("2.jpg", "y")]),
        ],
    ),
    ("annotation.txt", "encodings"): (
        "UTF-8, UTF-16 with mark; others refused",
        [
            Case("1.jpg,你\n".encode("utf-16"), [("1.jpg", "你")]),
            Case("1.jpg,你\n".encode("gb18030"), error=NOT_UTF8_FILE),
            Case("1.jpg,x\n".encode("utf-16-le"), error=WITHOUT_MARK),
        ],
    ),
    ("annotation.txt", "empty"): (
        "kept as empty",
        [Case("1.jpg,\n\n2.jpg,x\n3.jpg\n", [("1.jpg", ""), ("2.jpg", "x")], {MALFORMED: 1})],
    ),
    ("annotation.txt", "repeated"): ("kept", [Case("1.jpg,x\n" * 2, [("1.jpg", "x")] * 2)]),
    ("annotation.txt", "missing image"): ("named when read", [Case(f"{MISSING},x\n", [(MISSING, "x")])]),
    ("annotation.txt", "spaces"): (
        "kept inside the label",
        [Case("a b.jpg, x  y \n", [("a b.jpg", "x  y")])],
    ),
    ("annotation.txt", "line break"): (
        "rest of the label dropped, counted",
        [Case("1.jpg,x\ny\n", [("1.jpg", "x")], {MALFORMED: 1})],
    ),
    ("gt.txt", "quote"): (
        "a stray one drops its row, counted",
        [Case('w1.png, "x\nw2.png, y"\nw3.png, "a \\"b\\""\n', [("w3.png", 'a "b"')], {MALFORMED: 2})],
    ),
    ("gt.txt", "header"): (
        "dropped, counted",
        [Case('name, label\nw.png, "x"\n', [("w.png", "x")], {MALFORMED: 1})],
    ),
    ("gt.txt", "third column"): ("part of the label", [Case('w.png, "a", "b"\n', [("w.png", 'a", "b')])]),
    ("gt.txt", "byte-order mark"): ("left off", [Case('\ufeffw.png, "x"\n', [("w.png", "x")])]),
    ("gt.txt", "line ends"): (
        "LF, CR LF, CR",
        [
            Case('w1.png, "x"\r\nw2.png, "y"\n', [("w1.png", "x"), ("w2.png", "y")]),
            Case('w1.png, "x"\rw2.png, "y"\r', [("w1.png", "x"), ("w2.png", "y")]),
        ],
    ),
    ("gt.txt", "encodings"): (
        "UTF-8, UTF-16 with mark; others refused",
        [
            Case('w.png, "你"\n'.encode("utf-16"), [("w.png", "你")]),
            Case('w.png, "你"\n'.encode("gb18030"), error=NOT_UTF8_FILE),
            Case('w.png, "x"\n'.encode("utf-16-be"), error=WITHOUT_MARK),
        ],
    ),
    ("gt.txt", "empty"): (
        "kept as empty",
        [Case('w.png, ""\n\nv.png,\n', [("w.png", "")], {MALFORMED: 1})],
    ),
    ("gt.txt", "repeated"): ("kept", [Case('w.png, "x"\n' * 2, [("w.png", "x")] * 2)]),
    ("gt.txt", "missing image"): ("named when read", [Case(f'{MISSING}, "x"\n', [(MISSING, "x")])]),
    ("gt.txt", "spaces"): ("kept", [Case('a b.png, " x  y "\n', [("a b.png", " x  y ")])]),
    ("gt.txt", "line break"): (
        "row dropped, counted",
        [Case('w.png, "x\ny"\nv.png, "z"\n', [("v.png", "z")], {MALFORMED: 2})],
    ),
    ("svt", "quote"): ("part of the label", [Case(['a_1_"x.jpg'], [('a_1_"x.jpg', '"x')])]),
    ("svt", "empty"): (
        "kept as empty",
        [Case(["a_1_.jpg", "none.jpg"], [("a_1_.jpg", "")], {MALFORMED: 1})],
    ),
    ("svt", "spaces"): ("kept", [Case(["a_1_x y .jpg"], [("a_1_x y .jpg", "x y ")])]),
    ("svt", "line break"): ("kept", [Case(["a_1_x\ny.jpg"], [("a_1_x\ny.jpg", "x\ny")])]),
    ("folder:PATTERN", "quote"): ("part of the label", [Case(['1_"x.png'], [('1_"x.png', '"x')])]),
    ("folder:PATTERN", "empty"): ("kept as empty", [Case(["1_.png"], [("1_.png", "")])]),
    ("folder:PATTERN", "spaces"): ("kept", [Case(["1_x y .png"], [("1_x y .png", "x y ")])]),
    ("folder:PATTERN", "line break"): ("kept", [Case(["1_x\ny.png"], [("1_x\ny.png", "x\ny")])]),
    ("synth", "quote"): ("part of the name", [Case('a".jpg 0\n', [('a".jpg', "zero")])]),
    ("synth", "header"): (
        "dropped, counted",
        [Case("image index\na.jpg 1\n", [("a.jpg", "new york")], {MALFORMED: 1})],
    ),
    ("synth", "third column"): (
        "the last number counts, the rest is the name",
        [
            Case("a.jpg 0 1\n", [("a.jpg 0", "new york")]),
            Case(f"a.jpg {'1' * 5000}\nb.jpg {'0' * 5000}1\n", [("b.jpg", "new york")], {MALFORMED: 1}),
        ],
    ),
    ("synth", "byte-order mark"): ("left off", [Case("\ufeffa.jpg 0\n", [("a.jpg", "zero")])]),
    ("synth", "line ends"): (
        "LF, CR LF; CR refused",
        [
            Case("a.jpg 0\r\nb.jpg 1", [("a.jpg", "zero"), ("b.jpg", "new york")]),
            Case("a.jpg 0\rb.jpg 1\r", error="ends its lines with CR alone"),
        ],
    ),
    ("synth", "encodings"): (
        "UTF-8; UTF-16 refused",
        [
            Case("é.jpg 0\n", [("é.jpg", "zero")]),
            Case("a.jpg 0\n".encode("utf-16"), error="is UTF-16"),
            Case("a.jpg 0\n".encode("utf-16-le"), error=WITHOUT_MARK),
        ],
    ),
    ("synth", "empty"): (
        "dropped, counted",
        [Case("a.jpg 0\n\nb.jpg\n", [("a.jpg", "zero")], {MALFORMED: 1})],
    ),
    ("synth", "repeated"): ("kept", [Case("a.jpg 0\n" * 2, [("a.jpg", "zero")] * 2)]),
    ("synth", "missing image"): ("named when read", [Case(f"{MISSING} 0\n", [(MISSING, "zero")])]),
    ("synth", "spaces"): ("kept", [Case("a b.jpg 1\n", [("a b.jpg", "new york")])]),
    ("chinese", "quote"): ("part of the name", [Case('a".jpg 1\n', [('a".jpg', "我")])]),
    ("chinese", "header"): (
        "dropped, counted",
        [Case("image ids\na.jpg 1 2\n", [("a.jpg", "我你")], {MALFORMED: 1})],
    ),
    ("chinese", "third column"): (
        "one more class",
        [
            Case("a.jpg 1 2 2\n", [("a.jpg", "我你你")]),
            Case(f"a.jpg 1 {'1' * 5000}\nb.jpg {'0' * 5000}2\n", [("b.jpg", "你")], {UNKNOWN_ID: 1}),
        ],
    ),
    ("chinese", "byte-order mark"): (
        "left off, in both files",
        [Case(("\ufeffblank\n我\n", "\ufeffa.jpg 1\n"), [("a.jpg", "我")])],
    ),
    ("chinese", "line ends"): (
        "LF, CR LF; CR refused",
        [
            Case(("blank\r\n我\r\n", "a.jpg 1\r\nb.jpg 1"), [("a.jpg", "我"), ("b.jpg", "我")]),
            Case("a.jpg 1\rb.jpg 1\r", error="ends its lines with CR alone"),
        ],
    ),
    ("chinese", "encodings"): (
        "characters: UTF-8, GB18030, UTF-16 with mark; ids: UTF-8",
        [
            Case(("blank\n我\n".encode("gb18030"), "a.jpg 1\n"), [("a.jpg", "我")]),
            Case(("blank\n我\n".encode("utf-16"), "a.jpg 1\n"), [("a.jpg", "我")]),
            Case("a.jpg 1\n".encode("utf-16"), error="is UTF-16"),
            Case(("blank\n我\n".encode("utf-16-le"), "a.jpg 1\n"), error=WITHOUT_MARK),
            Case("a.jpg 1\n".encode("utf-16-be"), error=WITHOUT_MARK),
        ],
    ),
    ("chinese", "empty"): (
        "dropped, counted; an empty line of the characters keeps its id",
        [
            Case(
                ("blank\n我\n\n你\n", "a.jpg\n\nb.jpg 3\nc.jpg 2\nd.jpg 0\n"),
                [("b.jpg", "你")],
                {MALFORMED: 1, EMPTY_LINE: 1, UNKNOWN_ID: 1},
            )
        ],
    ),
    ("chinese", "repeated"): (
        "kept; a repeated character keeps its ids",
        [Case(("blank\n我\n你\n我\n", "a.jpg 1 3\n" * 2), [("a.jpg", "我我")] * 2)],
    ),
    ("chinese", "missing image"): ("named when read", [Case(f"{MISSING} 1\n", [(MISSING, "我")])]),
    ("chinese", "spaces"): (
        "a line of one space is that character; a name with spaces is dropped, counted",
        [Case(("blank\n我\n \n", "a.jpg 1 2 1\nb c.jpg 1\n"), [("a.jpg", "我 我")], {MALFORMED: 1})],
    ),
    ("lmdb", "quote"): ("part of the label", [Case(_entries('"x'), _numbered('"x'))]),
    ("lmdb", "byte-order mark"): ("kept", [Case(_entries("\ufeffx"), _numbered("\ufeffx"))]),
    ("lmdb", "encodings"): (
        "UTF-8; others dropped, counted",
        [Case(_entries("x", "你".encode("gb18030")), _numbered("x"), {NOT_UTF8: 1})],
    ),
    ("lmdb", "empty"): ("kept as empty", [Case(_entries(""), _numbered(""))]),
    ("lmdb", "repeated"): ("kept", [Case(_entries("x", "x"), _numbered("x", "x"))]),
    ("lmdb", "missing image"): (
        "named when read",
        [Case({"num-samples": b"1", "label-000000001": b"x"}, _numbered("x"))],
    ),
    ("lmdb", "spaces"): ("kept", [Case(_entries(" x  y "), _numbered(" x  y "))]),
    ("lmdb", "line break"): ("kept", [Case(_entries("x\ny"), _numbered("x\ny"))]),
    ("lmdb", "wrong number of rows"): (
        "what is missing and what is beyond is counted",
        [
            Case(_entries("a", "b", "c", stated=2), _numbered("a", "b"), {BEYOND_COUNT: 1}),
            Case(_entries("a", "b", stated=5), _numbered("a", "b"), {MISSING_LABEL: 3}),
            Case(
                {**_entries("a"), "label-000000000": b"zero", "label-2": b"b", "label-count": b"1"},
                _numbered("a"),
                {OTHER_NUMBER: 2},
            ),
            Case({"label-000000000": b"a", "label-000000001": b"b"}, _numbered("b"), {OTHER_NUMBER: 1}),
        ],
    ),
    ("word list", "quote"): ("part of the word", [Case('"x\n', [("", '"x')])]),
    ("word list", "third column"): (
        "refused, with the line",
        [Case("x\t2\ty\n", error=r"line 1: the weight '2\\ty'")],
    ),
    ("word list", "byte-order mark"): ("left off", [Case("\ufeffx\n", [("", "x")])]),
    ("word list", "line ends"): (
        "LF, CR LF, CR",
        [Case("x\r\ny\n", [("", "x"), ("", "y")]), Case("x\ry\r", [("", "x"), ("", "y")])],
    ),
    ("word list", "encodings"): (
        "UTF-8, UTF-16 with mark; others refused",
        [
            Case("你\n".encode("utf-16"), [("", "你")]),
            Case("你\n".encode("gb18030"), error=NOT_UTF8_FILE),
            Case("x\n".encode("utf-16-le"), error=WITHOUT_MARK),
            Case("new york".encode("utf-16-be"), error=WITHOUT_MARK),
        ],
    ),
    ("word list", "empty"): ("left off", [Case("x\n\n \t2\n", [("", "x")])]),
    ("word list", "repeated"): ("kept", [Case("x\nx\n", [("", "x"), ("", "x")])]),
    ("word list", "spaces"): ("kept inside a word", [Case(" new york  city \n", [("", "new york  city")])]),
    ("word list", "line break"): (
        "U+2028 stays in the word",
        [Case("x\u2028y\nz\n", [("", "x\u2028y"), ("", "z")])],
    ),
}


def _found(form: Form, root: Path) -> tuple[list[tuple[str, str]], dict[str, int]]:
    if form.name == "words":
        return [("", word) for word in read_words(root / "words.txt")[0]], {}
    source = load_samples(form.name, str(root))
    pairs = [
        (source.name(i).removeprefix(f"{root}/").split("#image-")[-1], source.text(i))
        for i in range(len(source))
    ]
    for i, (name, _) in enumerate(pairs):
        if name == MISSING:
            with pytest.raises(UnreadableImageError, match=MISSING):
                source.image_bytes(i)
    return pairs, source.report.dropped


@pytest.mark.parametrize(("reader", "trait"), CELLS, ids=[f"{reader}-{trait}" for reader, trait in CELLS])
def test_cell(tmp_path: Path, reader: str, trait: str) -> None:
    form = FORMS[reader]
    for number, case in enumerate(CELLS[reader, trait][1]):
        root = tmp_path / str(number)
        root.mkdir()
        form.write(root, case.content)
        if case.error:
            with pytest.raises(UserError, match=case.error):
                _found(form, root)
        else:
            assert _found(form, root) == (list(case.samples), case.dropped)


def test_the_page_shows_this_table() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    head = next(row for row in rows if row[0] == "trait")
    shown = {
        (reader.strip("`"), row[0]): cell
        for row in rows[rows.index(head) + 2 :]
        for reader, cell in zip(head[1:], row[1:], strict=False)
        if len(row) == len(head)
    }
    traits = list(dict.fromkeys(trait for _, trait in CELLS))
    assert shown == {
        (reader, trait): CELLS.get((reader, trait), ("-", []))[0] for reader in FORMS for trait in traits
    }
