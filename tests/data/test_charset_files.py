"""Alphabets from files: as other projects ship them, one class a line."""

import logging
import unicodedata
from pathlib import Path

import pytest

from crnn_mindspore.data.sources.charset_file import (
    derive_characters,
    label_dict_of,
    load_charset_file,
    resolve_charset,
    save_charset_file,
)
from crnn_mindspore.data.sources.samples import ListSource, WordSample
from crnn_mindspore.errors import UserError
from crnn_mindspore.shipped import shipped
from crnn_mindspore.text.charset import Charset

# Character files of other projects, where they lie beside the checkout or above it.
SHARED = [parent / "shared" / "realdata" / "charsets" for parent in Path(__file__).resolve().parents]

# What the files of other projects hold, each with the classes that are meant.
TRAITS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "one line": ("abc中".encode(), ("a", "b", "c", "中")),
    "one line, CR LF": ("\ufeffabc中\r\n".encode(), ("a", "b", "c", "中")),
    "two that composing makes one": ("\uf92c\n\u90ce\n".encode(), ("\uf92c", "\u90ce")),
    "one that composing takes apart": ("\u0915\n\u0958\n".encode(), ("\u0915", "\u0958")),
    "a tab behind a character": (b"o\np\t\nq \n", ("o", "p", "q")),
    "white lines": (" \na\n\t\n\u3000\n".encode(), (" ", "a", "\t", "\u3000")),
    "byte-order marks": ("\ufeff\ufeffa\n\ufeffb\n".encode(), ("a", "b")),
    "UTF-16": ("a\nb\n".encode("utf-16"), ("a", "b")),
    "GB18030": ("我\n\U00020000\n".encode("gb18030"), ("我", "\U00020000")),
    "several code points": (
        "Dž\nകു\n\U0001f1e9\U0001f1ea\ne\u0301\n".encode(),
        ("Dž", "കു", "\U0001f1e9\U0001f1ea", "e\u0301"),
    ),
    "zero-width characters": ("\u200b\n\u00ad\nര്\u200d\n".encode(), ("\u200b", "\u00ad", "ര്\u200d")),
    "repeats": (b"a\nb\na\n", ("a", "b", "a")),
    "CR LF": (b"a\r\nb\r\n", ("a", "b")),
    "CR": (b"a\rb\r", ("a", "b")),
    "empty lines": (b"a\n\nb\n\n", ("a", "b")),
    "a line for the blank": (b"blank\na\nb\n", ("a", "b")),
    "no last line end": (b"a\nb", ("a", "b")),
    "composed and taken apart": ("é\ne\u0301\n".encode(), ("é", "e\u0301")),
}


@pytest.mark.parametrize("trait", TRAITS)
def test_files_as_other_projects_have_them(tmp_path: Path, trait: str) -> None:
    content, classes = TRAITS[trait]
    path = tmp_path / "c.txt"
    path.write_bytes(content)
    assert load_charset_file(str(path)) == classes
    assert resolve_charset(str(path)).classes == classes
    _assert_encodes(Charset(classes))
    save_charset_file(str(path), classes)
    assert (
        load_charset_file(str(path)) == classes or len(set(classes)) < len(classes) or trait == "white lines"
    )


def _assert_encodes(charset: Charset) -> None:
    """Every class is read as itself, alone; of repeated ones the first, of two spellings the composed one."""
    for name in charset.classes:
        found = charset.encode(name).tolist() if charset.covers(name) else []
        spelled = charset.decode(found)
        assert charset.case_sensitive or name == name.lower()
        assert unicodedata.normalize("NFC", spelled) == unicodedata.normalize("NFC", name)
        assert len(found) == 1


def test_public_character_files_hold_what_their_lines_hold(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("a\n\u0958\nDž\n p\t\n", encoding="utf-8")
    files = [own, *sorted(file for folder in SHARED for file in (folder / "public").glob("*.txt"))]
    for file in files:
        lines = [line.rstrip("\r") for line in file.read_text(encoding="utf-8-sig").split("\n")]
        expected = tuple(line.strip() or line for line in lines if line)
        charset = resolve_charset(str(file))
        assert charset.classes == expected, file
        _assert_encodes(charset)


def test_the_list_of_5990_lines_in_both_encodings(tmp_path: Path) -> None:
    own = [chr(0x4E00 + k) for k in range(5984)]
    lines = ["", *own, own[7], own[8], "", "\U00020000", "1"]
    assert len(lines) == 5990
    files = []
    for first, encoding in (("blank", "gb18030"), (" ", "utf-8"), ("一", "utf-8")):
        files.append(tmp_path / f"{encoding}{ord(first[0])}.txt")
        files[-1].write_bytes("\n".join([first, *lines[1:]]).encode(encoding))
    for folder in SHARED:
        files += sorted(folder.glob("char_std_5990*.txt"))
    for file in files:
        charset = resolve_charset(str(file))
        assert (len(charset), charset.blank, charset.num_classes) == (5989, 5989, 5990), file
    assert resolve_charset(str(files[0])).classes == tuple(lines[1:])
    assert resolve_charset(str(files[0])).encode("1一" + own[7]).tolist() == [5988, 0, 7]


def test_repeats_and_empty_lines_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    path = tmp_path / "c.txt"
    path.write_text("a\n\nb\na\n", encoding="utf-8")
    for _ in range(2):
        resolve_charset(str(path))
    resolve_charset("xyzyx")
    one_line = tmp_path / "one.txt"
    one_line.write_text("abca\n")
    resolve_charset(str(one_line))
    resolve_charset("pq\n")  # as `label_dict: |` in a yaml file gives
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: 1 lines repeat an earlier one, which is the class used: 4 'a' as 1",
        f"{path}: 1 lines are empty: 2",
        "label_dict repeats classes, of which the first is used: 'x' [0, 4], 'y' [1, 3]",
        f"{one_line} repeats classes, of which the first is used: 'a' [0, 3]",
        "label_dict holds control characters, which are classes like any other: '\\n'",
    ]


def test_a_file_that_is_empty_or_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    for content, message in (
        (b"\n", "is empty"),
        ("é\nà\n".encode("latin-1"), "line 1 is not UTF-8"),
        ("a\n上\n".encode("utf-16-le"), "is UTF-16LE"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            load_charset_file(str(path))


def test_what_label_dict_may_be(tmp_path: Path) -> None:
    save_charset_file(str(tmp_path / "c.txt"), "xyz")
    labels = ListSource([WordSample("0.png", "ba")], "memory")
    assert resolve_charset("abc") == Charset("abc")
    assert resolve_charset(str(tmp_path / "c.txt")) == Charset("xyz")
    assert resolve_charset("auto", labels) == Charset("ab")
    assert resolve_charset('["ab", "a"]') == Charset(("ab", "a"))
    assert resolve_charset("[\"'") == Charset("[\"'")
    assert resolve_charset("e\u0301\uf92c").classes == ("e", "\u0301", "\uf92c")
    with pytest.raises(UserError, match="'auto' needs a training set"):
        resolve_charset("auto")


def test_a_file_may_end_in_capitals_and_one_of_another_ending_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("c.TXT", "c.dict"):
        (tmp_path / name).write_text("x\ny\n")
    assert resolve_charset(str(tmp_path / "c.TXT")) == Charset("xy")
    path = str(tmp_path / "c.dict")
    assert resolve_charset(path).classes == tuple(path)
    assert f"label_dict {path!r} is taken as the alphabet itself; a file must end in .txt" in caplog.text


def test_a_space_is_appended_where_there_is_none() -> None:
    assert resolve_charset("ab", with_space=True).classes == ("a", "b", " ")
    assert resolve_charset("a b", with_space=True).classes == ("a", " ", "b")
    assert resolve_charset('["ab"]', with_space=True).classes == ("ab", " ")


@pytest.mark.parametrize(
    "classes", ["abc", ("ab", "c"), ("a", "b", "a"), "auto", ".tx".join("at"), "a.TXT", '["a', ("a", "", "b")]
)
def test_the_option_that_means_a_charset(classes: str | tuple[str, ...]) -> None:
    charset = Charset(classes)
    assert resolve_charset(label_dict_of(charset)) == charset
    assert (label_dict_of(charset) == "abc") == (classes == "abc")


def test_the_alphabet_of_labels_with_a_turkish_capital_has_no_mark() -> None:
    labels = ListSource([WordSample("0.png", "İzmir")], "memory")
    assert derive_characters(labels) == "imrz"
    assert Charset("imrz").covers("İzmir")


def test_the_alphabet_of_labels_holds_what_lower_case_composes() -> None:
    labels = ListSource([WordSample("0.png", "\u03aa\u0301J\u030c")], "memory")
    assert derive_characters(labels) == "\u01f0\u0390"


def test_the_shipped_list_of_360cc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a shipped file is found from anywhere
    charset = resolve_charset("configs/charsets/char_std_5990.txt")
    assert len(charset) == 5989 and charset.is_plain and charset.case_sensitive
    assert charset.classes[:4] == ("，", "的", "。", "一") and charset.classes[-1] == "柞"
    lines = shipped("configs/charsets/char_std_5990.txt").read_bytes().decode("utf-8").split("\n")
    assert lines[0] == "blank" and lines[-1] == "" and tuple(lines[1:-1]) == charset.classes
    assert set(map(chr, range(0x21, 0x7F))) <= set(charset.classes)
    assert sum("\ue000" <= c <= "\uf8ff" for c in charset.classes) == 6
    with pytest.raises(UserError, match="absent"):
        resolve_charset("configs/charsets/absent.txt")
