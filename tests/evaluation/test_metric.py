"""Word accuracy and edit distance against numbers worked out by hand."""

import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.metric import CRNNAccuracy, classic_text, create_protocol
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.interval import wilson_interval


@pytest.fixture
def metric() -> CRNNAccuracy:
    return CRNNAccuracy(create_protocol("classic", Charset()))


def test_word_accuracy_and_ned_of_a_worked_example(metric: CRNNAccuracy) -> None:
    # Edit distances 0, 1 (of 5), 3 (of 7), 4 (of 4), 0: by hand.
    right = metric.update(
        ["Hello", "wurld", "sitting", "", "co-op"], ["hello", "world", "kitten", "word", "COOP"]
    )
    assert right == [True, False, False, False, True]
    accuracy = metric.eval()
    assert (accuracy.correct, accuracy.total) == (2, 5)
    assert accuracy.word_accuracy == 0.4
    assert accuracy.ned == pytest.approx((1 + 4 / 5 + 4 / 7 + 0 + 1) / 5)
    assert accuracy.character_accuracy == pytest.approx(1 - 8 / 24)


def test_characters_of_one_word_count_as_one_observation_where_they_are_right_or_wrong_together(
    metric: CRNNAccuracy,
) -> None:
    metric.update(["a" * 10] * 99 + [""], ["a" * 10] * 100)
    accuracy = metric.eval()
    assert accuracy.character_accuracy == 0.99
    interval = accuracy.character_low, accuracy.character_high
    assert interval == pytest.approx(wilson_interval(99, 100))


def test_mistakes_spread_evenly_count_as_single_characters_at_most(metric: CRNNAccuracy) -> None:
    metric.update(["aaab"] * 50, ["aaaa"] * 50)
    accuracy = metric.eval()
    interval = accuracy.character_low, accuracy.character_high
    assert (accuracy.character_accuracy, *interval) == pytest.approx((0.75, *wilson_interval(150, 200)))


@pytest.mark.parametrize(
    ("read", "truth", "expected"),
    [("ab", "ab", (1.0, *wilson_interval(2, 2))), ("abcdef", "xy", (0.0, *wilson_interval(0, 2)))],
)
def test_character_accuracy_at_its_ends(
    read: str, truth: str, expected: tuple[float, float, float], metric: CRNNAccuracy
) -> None:
    metric.update([read], [truth])
    accuracy = metric.eval()
    found = accuracy.character_accuracy, accuracy.character_low, accuracy.character_high
    assert found == pytest.approx(expected)


def test_updates_add_up_and_clear_forgets(metric: CRNNAccuracy) -> None:
    metric.update(["a"], ["a"])
    metric.update(["b", "c"], ["x", "c"])
    assert metric.eval().word_accuracy == pytest.approx(2 / 3)
    metric.clear()
    metric.update(["b"], ["x"])
    assert metric.eval().as_dict()["word_accuracy"] == 0


def test_no_word_is_an_error(metric: CRNNAccuracy) -> None:
    with pytest.raises(UserError, match="no word"):
        metric.eval()


def test_predictions_and_truths_must_be_as_many(metric: CRNNAccuracy) -> None:
    with pytest.raises(ValueError, match="zip"):
        metric.update(["a"], ["a", "b"])


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (9, 10, 0.5958, 0.9821), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_interval_equals_published_values(correct: int, total: int, low: float, high: float) -> None:
    # Newcombe 1998, table I, method 3, for 81/263; the others solve (p - x/n)^2 = z^2 p (1 - p) / n by hand.
    assert wilson_interval(correct, total) == pytest.approx((low, high), abs=1e-4)


def test_wilson_bounds_solve_the_score_equation() -> None:
    for bound in wilson_interval(37, 90):
        assert (bound - 37 / 90) ** 2 == pytest.approx(1.959964**2 * bound * (1 - bound) / 90)


def test_classic_protocol_compares_lower_case_letters_and_digits() -> None:
    assert classic_text("It's Nº 5-a É!") == "itsn5a"


@pytest.mark.parametrize(
    ("name", "characters", "expected"),
    [
        ("auto", "abc012", "classic"),
        ("auto", "abcABC", "charset"),
        ("auto", "ab中", "charset"),
        ("classic", "abcABC", "classic"),
        ("charset", "abc", "charset"),
    ],
)
def test_auto_protocol_follows_the_charset(name: str, characters: str, expected: str) -> None:
    assert create_protocol(name, Charset(characters)).name == expected


def test_charset_protocol_folds_as_the_charset_does() -> None:
    assert create_protocol("charset", Charset("aA-")).normalize("A-a") == "A-a"
    assert create_protocol("charset", Charset("a-")).normalize("A-a") == "a-a"


def test_width_protocol_takes_the_widths_of_a_character_for_the_same() -> None:
    charset = Charset("，,（()A1。", case_sensitive=True)
    metric = CRNNAccuracy(create_protocol("width", charset))
    metric.update(["（１）,A。", "，A", "。A", "a"], ["(1)，A。", ",Ａ", ".A", "A"])
    accuracy = metric.eval()
    assert (accuracy.correct, accuracy.total) == (
        2,
        4,
    )  # a full stop is no width of a point, nor a case of one
    assert metric.protocol.name == "width"
    strict = CRNNAccuracy(create_protocol("charset", charset))
    strict.update(["，A"], [",A"])
    assert strict.eval().correct == 0


def test_unknown_protocol_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="'klassic', must be one of auto, classic, charset, width"):
        create_protocol("klassic", Charset())
