"""Words: labels, held-out words, files of the user."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.words.corpus import Corpus, Labeller, is_held_out, label_of
from crnn_mindspore.synth.words.tokens import cased
from crnn_mindspore.text.charset import Charset, required_time_steps
from crnn_mindspore.text.word_list import read_words


def draw(corpus: Corpus, count: int, seed: int = 0) -> list[tuple[str, str]]:
    rng = np.random.default_rng(seed)
    return [corpus.sample(rng) for _ in range(count)]


@pytest.fixture(scope="module")
def english() -> dict[str, Corpus]:
    return {split: Corpus(Charset(), split=split) for split in ("train", "test", "all")}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Rock'n", "Rockn"),
        ("$4.99", "499"),
        ("...", ""),
        ("(OPEN)", "OPEN"),
        ("café", ""),  # a letter outside the charset may not be drawn
        ("10:30", "1030"),
    ],
)
def test_label_omits_punctuation_and_refuses_foreign_letters(text: str, label: str) -> None:
    assert label_of(text, Charset()) == label
    assert Labeller(Charset()).label(text) == label


@pytest.mark.parametrize(
    ("text", "label"), [("- foo", "foo"), ("bar - baz !", "bar baz"), ("a  b", "a  b"), ("- !", "")]
)
def test_spaces_around_marks_that_are_left_out_are_one_or_none(text: str, label: str) -> None:
    charset = Charset("abcdefghijklmnopqrstuvwxyz ")
    assert label_of(text, charset) == label
    assert Labeller(charset).label(text) == label


def test_punctuation_of_the_charset_stays_in_the_label() -> None:
    assert label_of("$4.99", Charset("0123456789.")) == "4.99"


@pytest.mark.slow
def test_digits_are_not_drawn_for_a_charset_without_them() -> None:
    corpus = Corpus(Charset("abcdefghijklmnopqrstuvwxyz"))
    for text, label in draw(corpus, 500):
        assert label.isalpha()
        assert not any(c.isdigit() for c in text)


@pytest.mark.slow
def test_upper_case_charset_gets_upper_case_words() -> None:
    corpus = Corpus(Charset("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    assert all(label.isupper() for _, label in draw(corpus, 300))


@pytest.mark.slow
def test_charset_of_digits_gets_numbers() -> None:
    for split in ("train", "test"):
        samples = draw(Corpus(Charset("0123456789"), split=split), 300)
        assert all(label.isdigit() for _, label in samples)
        assert all(is_held_out(label) == (split == "test") for _, label in samples)


def test_splits_are_disjoint_case_folded(english: dict[str, Corpus]) -> None:
    train = {label.lower() for _, label in draw(english["train"], 20000)}
    test = {label.lower() for _, label in draw(english["test"], 4000, seed=1)}
    assert not train & test
    assert len(test) > 1500


def test_held_out_is_the_hash_of_the_folded_label() -> None:
    held = 0
    for number in range(5000):
        label = f"Word{number}"
        digest = hashlib.blake2b(label.lower().encode(), digest_size=8).hexdigest()
        assert is_held_out(label) == (int(digest, 16) % 1000 < 50)
        held += is_held_out(label.upper())
    assert 180 < held < 320  # 250 expected


def test_samples_fit_the_time_steps_and_are_never_empty(english: dict[str, Corpus]) -> None:
    narrow = Corpus(Charset(), max_time_steps=6)
    for corpus, most in ((english["train"], 24), (narrow, 6)):
        for _, label in draw(corpus, 3000):
            assert label
            assert required_time_steps(label.lower()) <= most


def test_sample_is_a_function_of_the_generator(english: dict[str, Corpus]) -> None:
    assert draw(english["train"], 200, seed=5) == draw(Corpus(Charset()), 200, seed=5)


def test_statistics_are_those_of_scene_text(english: dict[str, Corpus]) -> None:
    labels = [label for _, label in draw(english["all"], 8000)]
    shares = {
        "upper": np.mean([w.isupper() for w in labels]),
        "digits": np.mean([w.isdigit() for w in labels]),
        "mixed": np.mean([any(c.isdigit() for c in w) and any(c.isalpha() for c in w) for w in labels]),
    }
    assert 0.40 < shares["upper"] < 0.60
    assert 0.06 < shares["digits"] < 0.14
    assert 0.01 < shares["mixed"] < 0.05
    assert 5.0 < np.mean([len(w) for w in labels]) < 7.5
    assert len(set(labels)) > 5000  # long tail


def test_short_words_on_request(english: dict[str, Corpus]) -> None:
    rng = np.random.default_rng(0)
    assert all(len(english["train"].sample(rng, max_length=4)[1]) <= 4 for _ in range(500))


def test_case_styles_change_only_the_case() -> None:
    rng = np.random.default_rng(0)
    seen = {cased("station", rng) for _ in range(300)}
    assert {"STATION", "Station", "station"} <= seen
    assert {word.lower() for word in seen} == {"station"}


def test_words_file_with_weights(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\ufeffalpha\t3\r\nbeta\n\n gamma \t1.5\n", encoding="utf-8")
    words, weights = read_words(path)
    assert words == ["alpha", "beta", "gamma"]
    assert weights.tolist() == [3.0, 1.0, 1.5]
    corpus = Corpus(Charset(), path, split="all")
    drawn = [label.lower() for _, label in draw(corpus, 4000)]
    share = {word: drawn.count(word) / 4000 for word in words}
    assert share == pytest.approx({"alpha": 3 / 5.5, "beta": 1 / 5.5, "gamma": 1.5 / 5.5}, abs=0.03)


def test_short_words_file_still_has_both_splits(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("one\ntwo\nTWO\nthree\n", encoding="utf-8")
    train = {label.lower() for _, label in draw(Corpus(Charset(), path, split="train"), 200)}
    test = {label.lower() for _, label in draw(Corpus(Charset(), path, split="test"), 200)}
    assert train | test == {"one", "two", "three"}
    assert train and test and not train & test


def test_words_keep_the_case_in_which_a_file_has_them(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("McKinney\n", encoding="utf-8")
    assert {label for _, label in draw(Corpus(Charset(), path, split="all"), 50)} == {"McKinney"}


def test_chinese_words(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("中文\n文字\n", encoding="utf-8")
    corpus = Corpus(Charset("中文字"), path, split="all")
    assert {label for _, label in draw(corpus, 50)} == {"中文", "文字"}


def test_spaces_of_a_words_file_are_drawn_and_are_in_the_label_where_the_charset_has_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "words.txt"
    path.write_text("new york city\n", encoding="utf-8")
    letters = "abcdefghijklmnopqrstuvwxyz"
    for charset, label in ((Charset(letters), "newyorkcity"), (Charset(letters + " "), "new york city")):
        drawn = draw(Corpus(charset, path, split="all"), 20)
        assert {(text.lower(), written.lower()) for text, written in drawn} == {("new york city", label)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no words"),
        (b"\xff\xfe\x00", "begins as UTF-16, but is not"),
        (b"word\theavy\n", "'heavy'"),
        (b"word\t-1\n", "'-1'"),
        (b"one\n", "too few for the split 'test'"),
        ("中文\n".encode(), "none of 1 words"),
    ],
)
def test_bad_words_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        Corpus(Charset(), path, split="test")
    assert str(path) in str(error.value)


def test_missing_words_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.txt"):
        Corpus(Charset(), tmp_path / "absent.txt")


def test_unknown_split_and_charset_without_english_words() -> None:
    with pytest.raises(UserError, match="'validation'"):
        Corpus(Charset(), split="validation")
    with pytest.raises(UserError, match="--words"):
        Corpus(Charset("中文字"))
