"""The numbers of a report against values worked out by hand: groups, coverage, calibration, edits, strips."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_mindspore.data.preprocess import time_step_centres
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluator import Prediction
from crnn_mindspore.evaluation.metric import classic_text
from crnn_mindspore.html_templates import environment, visible
from crnn_mindspore.report import page
from crnn_mindspore.report.charts import Axis
from crnn_mindspore.report.edits import aligned, count_confusions
from crnn_mindspore.report.marking import Mark, excerpts
from crnn_mindspore.report.shown_images import is_writable, select
from crnn_mindspore.report.statistics import (
    CoveragePoint,
    Group,
    at_accuracy,
    at_coverage,
    by_aspect,
    by_length,
    coverage_curve,
    reliability,
)
from crnn_mindspore.report.training_log import EVAL_COLUMNS, TRAIN_COLUMNS, find_logs, read_curves
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.strip import create_strip
from crnn_mindspore.training.watching.progress import CSV_COLUMNS


def test_words_are_grouped_by_length_and_rare_lengths_are_joined() -> None:
    lengths = [3] * 150 + [4] * 147 + [6] * 1 + [9] * 2  # 1 % of 300 are 3 words
    correct = [True] * 100 + [False] * 50 + [True] * 147 + [False, True, False]
    assert by_length(lengths, correct) == [Group("3", 100, 150), Group("4", 147, 147), Group("6 to 9", 1, 3)]
    # A rest that stays too small joins its neighbour.
    assert by_length([3] * 297 + [7, 8], [True] * 298 + [False]) == [Group("3 to 8", 298, 299)]
    assert by_length([5], [False]) == [Group("5", 0, 1)]


def test_images_are_grouped_by_their_shape_and_a_border_belongs_to_the_upper_group() -> None:
    aspects = [0.2, 0.99, 1.0, 1.4, 2.9, 12.0, 40.0]
    correct = [True, False, True, True, False, False, True]
    assert by_aspect(aspects, correct) == [
        Group("under 1", 1, 2),
        Group("1 to 1.5", 2, 2),
        Group("2.5 to 3", 0, 1),
        Group("12 and more", 1, 2),
    ]
    assert by_aspect([], []) == []


def test_the_coverage_curve_has_a_point_for_every_confidence() -> None:
    curve = coverage_curve([0.8, 0.5, 0.9, 0.8], [True, True, True, False])
    assert curve == [
        CoveragePoint(0.9, 0.25, 1.0),
        CoveragePoint(0.8, 0.75, pytest.approx(2 / 3)),  # equal confidences enter together
        CoveragePoint(0.5, 1.0, 0.75),
    ]
    assert [at_coverage(curve, c).threshold for c in (0.25, 0.26, 0.75, 0.8, 1.0)] == [
        0.9,
        0.8,
        0.8,
        0.5,
        0.5,
    ]
    assert at_accuracy(curve, 0.99) == curve[0]
    assert at_accuracy(curve, 0.7) == curve[2]  # reached again further on: the most readings count
    assert at_accuracy(coverage_curve([0.4], [False]), 0.99) is None
    most = coverage_curve([0.9] * 100, [True] * 99 + [False])
    assert at_accuracy(most, 1 - 0.01) == most[0]  # not lost to the rounding of a quotient


def test_reliability_of_a_worked_example() -> None:
    bins = reliability([0.0, 0.05, 0.1, 0.95, 1.0, 1.0], [False, True, False, True, True, False])
    assert [(b.low, b.count) for b in bins] == [(0.0, 2), (0.1, 1), (0.9, 3)]
    assert [b.accuracy for b in bins] == pytest.approx([1 / 2, 0, 2 / 3])
    assert [b.mean_confidence for b in bins] == pytest.approx([0.025, 0.1, 2.95 / 3])
    assert reliability([], []) == []


def test_an_alignment_by_hand() -> None:
    assert aligned("moon", "moan") == [("m", "m"), ("o", "o"), ("o", "a"), ("n", "n")]
    assert aligned("abc", "ac") == [("a", "a"), ("b", ""), ("c", "c")]
    assert aligned("", "x") == [("", "x")]
    assert aligned("", "") == []


def edit_distance(a: str, b: str) -> int:
    """By recursion over prefixes."""
    if not a or not b:
        return len(a) + len(b)
    shorter = (edit_distance(a[:-1], b) + 1, edit_distance(a, b[:-1]) + 1)
    return min(*shorter, edit_distance(a[:-1], b[:-1]) + (a[-1] != b[-1]))


@given(st.text("ab中", max_size=5), st.text("ab中", max_size=5))
def test_an_alignment_holds_both_texts_and_needs_as_few_edits_as_possible(truth: str, reading: str) -> None:
    pairs = aligned(truth, reading)
    assert "".join(a for a, _ in pairs) == truth
    assert "".join(b for _, b in pairs) == reading
    assert all(len(a) <= 1 and len(b) <= 1 for a, b in pairs)
    assert sum(a != b for a, b in pairs) == edit_distance(truth, reading)


def test_confusions_are_counted_by_kind_with_the_plainest_examples() -> None:
    words = [("cool", "c0ol"), ("look", "l0"), ("oh", "0h"), ("ok", "0k"), ("tin", "tiin"), ("cat", "cat")]
    found = count_confusions([*words, ("oh", "0h")])
    first = found.mistakes[0]
    assert (first.true, first.read, first.count, first.kind) == ("o", "0", 5, "replaced")
    assert first.examples == [("cool", "c0ol"), ("oh", "0h")]  # "look" has three edits, and comes before
    assert [(m.true, m.read, m.count) for m in found.mistakes[1:]] == [
        ("", "i", 1),
        ("k", "", 1),
        ("o", "", 1),
    ]
    assert [found.count(kind) for kind in ("replaced", "missed", "added")] == [5, 2, 1]
    assert found.occurrences["o"] == 2 + 2 + 1 + 1 + 1
    assert found.error_rate == 8 / (4 + 4 + 2 + 2 + 3 + 3 + 2)
    assert (count_confusions([]).mistakes, count_confusions([]).error_rate) == ([], 0)


def drawn(marks: list[Mark]) -> str:
    """As on the page."""
    templates = environment(Path(page.__file__).with_name("templates"))
    return templates.from_string('{% from "marking.html" import marked %}{{ marked(marks) }}').render(
        marks=marks
    )


def test_an_example_is_cut_around_the_mistake() -> None:
    pairs = aligned("abcdefghijk" + "<" + "abcdefghijk", "abcdefghijk" + ">" + "abcdefghijk")
    assert tuple(map(drawn, excerpts(pairs, ("<", ">")))) == (
        "…defghijk<mark>&lt;</mark>abcdefgh…",
        "…defghijk<mark>&gt;</mark>abcdefgh…",
    )
    assert tuple(map(drawn, excerpts(aligned("a b", "ab"), (" ", "")))) == (
        "a<mark>␣</mark>b",
        'a<mark class="gap">·</mark>b',
    )
    assert visible("a\t\u200b") == "aU+0009U+200B"


def test_a_strip_shows_path_truth_and_rivals_in_the_order_they_come_up() -> None:
    a, b, c, d, e, blank = range(6)
    probabilities = np.full((5, 6), 0.001)
    for step, most_probable in enumerate([blank, c, c, blank, c]):
        probabilities[step, most_probable] = 0.8
    probabilities[1, a] = 0.15  # a rival
    probabilities[3, e] = 0.04  # too weak
    strip = create_strip(probabilities, truth=[c, b], blank=blank)
    assert strip.path == [blank, c, c, blank, c]
    assert strip.emits == [False, True, False, False, True]
    assert strip.classes == [blank, b, c, a]  # b is nowhere probable, and at its best at the first step
    assert d not in strip.classes
    assert (strip.probabilities == probabilities[:, strip.classes].T).all()


def test_a_strip_of_a_long_line_is_bounded() -> None:
    probabilities = np.eye(100)[:60]
    strip = create_strip(probabilities, truth=list(range(60, 99)), blank=99)
    assert strip.classes == [99, *range(32)]
    assert strip.peaks == [probabilities[t, c] for t, c in enumerate(strip.path)]


@pytest.mark.parametrize("width", [100, 101, 160, 8])
def test_a_time_step_stands_in_the_middle_of_its_receptive_field(width: int) -> None:
    # Centre of the first and distance of two neighbours, layer by layer: (kernel, stride) of the two
    # poolings and of the last convolution; the others keep both.
    first, distance = 0.5, 1
    for kernel, stride in ((2, 2), (2, 2), (2, 1)):
        first, distance = first + (kernel - 1) / 2 * distance, distance * stride
    steps = width // 4 - 1
    expected = [(first + distance * t) / width for t in range(steps)]
    assert time_step_centres(width).tolist() == pytest.approx(expected)


def prediction(index: int, truth: str, read: str, confidence: float, readable: bool = True) -> Prediction:
    return Prediction(f"{index}.png", truth, read, confidence, truth == read, readable, read, index)


def test_images_are_chosen_by_certainty_and_distance_and_none_twice() -> None:
    predictions = [
        prediction(0, "aaaa", "b", 0.2),
        prediction(1, "abc", "abd", 0.9),
        prediction(2, "abc", "abc", 0.1),
        prediction(3, "abc", "", 0.0, readable=False),
        prediction(4, "abc", "xyz", 0.8),
        *(prediction(k, "ok", "ok", 0.99) for k in range(10, 16)),
    ]
    groups = select(predictions, str, 1)
    assert [[p.index for p in group.predictions] for group in groups] == [[1], [0], [2], [10]]
    groups = select(predictions, str, 3)
    assert [[p.index for p in group.predictions] for group in groups] == [
        [1, 4, 0],
        [2, 10, 11],
        [12, 13, 14],
    ]
    assert select(predictions, str, 0) == []
    assert select(predictions[3:4], str, 5) == []


@pytest.mark.parametrize(
    ("truth", "expected"), [("Tom's", True), ("tom", True), ("tom中", True), ("TOM9", True)]
)
def test_under_the_classic_protocol_letters_and_digits_decide_what_can_be_written(
    truth: str, expected: bool
) -> None:
    assert is_writable(truth, Charset(), classic_text) is expected
    assert is_writable("tom9", Charset("tom"), classic_text) is False
    assert is_writable("中文", Charset("中"), str) is False


LOG = ",".join(CSV_COLUMNS)


def test_the_curves_follow_the_last_run_after_a_resume_and_leave_out_what_is_no_number(
    tmp_path: Path,
) -> None:
    assert set(TRAIN_COLUMNS) <= set(CSV_COLUMNS)
    log = tmp_path / "train_log.csv"
    rows = ["100,1,1,9.0,0.1,1,1", "200,1,1,8.0,0.1,1,1", "300,1,1,7.0,0.1,1,1"]
    resumed = ["200,1,1,7.5,0.2,1,1", "300,1,1,nan,0.2,1,1", "400,1,1,6.0,0.2,1,1"]
    log.write_text("\n".join([LOG, *rows, *resumed]), encoding="utf-8")
    evaluations = tmp_path / "eval_log.csv"
    lines = ["100,1,1,svt,0.5,0.7,9", "100,1,1,ic13,0.6,0.7,9", "200,1,1,svt,0.7,0.8,9"]
    header = "step,epoch,images_seen,dataset,word_accuracy,ned,total"
    assert set(EVAL_COLUMNS) <= set(header.split(","))
    evaluations.write_text("\n".join([header, *lines]), encoding="utf-8")
    curves = read_curves([log, evaluations])
    assert curves.loss == {str(log): [(100, 9.0), (200, 7.5), (400, 6.0)]}
    assert curves.learning_rate == {str(log): [(100, 0.1), (200, 0.2), (300, 0.2), (400, 0.2)]}
    assert curves.accuracy == {"svt": [(100, 0.5), (200, 0.7)], "ic13": [(100, 0.6)]}
    assert curves.left_out == 1


def test_a_long_curve_is_thinned_to_means_of_neighbours(tmp_path: Path) -> None:
    log = tmp_path / "train_log.csv"
    rows = [f"{k},1,1,{k % 2},0.1,1,1" for k in range(800)]
    log.write_text("\n".join([LOG, *rows]), encoding="utf-8")
    (points,) = read_curves([log]).loss.values()
    assert points == [(2 * k + 0.5, 0.5) for k in range(400)]


def test_logs_are_found_beside_the_model_or_one_folder_up(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    model = str(folder / "crnn.ckpt")
    assert find_logs("auto", model) == []
    (tmp_path / "train_log.csv").touch()
    assert find_logs("auto", model) == [tmp_path / "train_log.csv"]
    (folder / "train_log.csv").touch()
    (folder / "eval_log.csv").touch()
    assert find_logs("auto", model) == [folder / "train_log.csv", folder / "eval_log.csv"]
    assert find_logs("", model) == []
    assert find_logs("a.csv, b.csv", model) == [Path("a.csv"), Path("b.csv")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "log.csv: is no training log; it needs the columns step, loss"),
        (b"", "log.csv: is no training log"),
        (f"{LOG}\n100,1,1,high,0.1,1,1\n".encode(), "log.csv, line 2: loss is 'high', must be a number"),
        (f"{LOG}\n100,1,1,9,0.1,1,1\n200,1".encode(), "log.csv, line 3: loss is '', must be a number"),
        (b"\xff\xfe", "train_log"),
        (None, "log.csv: No such file"),
    ],
)
def test_a_file_that_is_no_log_is_refused_and_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "log.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_curves([path])
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_axes_have_round_numbers_and_place_values() -> None:
    assert Axis("", 0, 1).ticks() == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert Axis("", 0.7, 1).ticks() == [0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
    assert Axis("", 0, 2300).ticks() == [0, 500, 1000, 1500, 2000]
    assert Axis("", 0, 0.00105).ticks() == [0, 0.0002, 0.0004, 0.0006, 0.0008, 0.001]
    assert (Axis("", 2, 4).place(3), Axis("", 2, 4).place(4)) == (0.5, 1)
    log = Axis.log_around("", [0.3, 25])
    assert (log.low, log.high) == (0.1, 100)
    assert log.ticks() == pytest.approx([0.1, 1, 10, 100])
    assert log.place(1) == pytest.approx(1 / 3)
    assert Axis.log_around("", [2, 3]).ticks() == [1, 2, 5, 10]
    assert not Axis.log_around("", [0, 3]).is_log
    assert (Axis.around("", [4]).low, Axis.around("", [4]).high) == (2, 6)
    assert Axis.around("", [0]).ticks() != []
