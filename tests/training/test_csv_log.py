"""Tables of a run: continued, cut back to a checkpoint, put aside, mended."""

from pathlib import Path

import pytest

from crnn_mindspore.training.watching.csv_log import CsvLog

COLUMNS = ("step", "images_seen", "loss")


def log_of(path: Path, *rows: tuple[int, int, float]) -> CsvLog:
    table = CsvLog(path, COLUMNS)
    table.append(rows)
    return table


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_rows_beyond_the_checkpoint_go_by_images_however_steps_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log_of(path, (20, 100, 0.5), (21, 105, 0.4), (22, 110, 0.3))
    CsvLog(path, COLUMNS).begin(105)  # resumed with twice the batch: its steps begin at 11
    assert lines(path) == ["step,images_seen,loss", "20,100,0.5", "21,105,0.4"]
    CsvLog(path, COLUMNS).begin(105, is_included=False)
    assert lines(path) == ["step,images_seen,loss", "20,100,0.5"]


def test_a_new_run_puts_the_table_of_an_earlier_one_aside(tmp_path: Path, log: list[str]) -> None:
    path = tmp_path / "log.csv"
    for loss in (0.5, 0.25):
        table = log_of(path)
        table.begin(0)
        table.append([(1, 5, loss)])
    assert lines(path) == ["step,images_seen,loss", "1,5,0.25"]
    assert lines(tmp_path / "log_1.csv") == ["step,images_seen,loss", "1,5,0.5"]
    assert log == [f"{path}: of another run, kept as log_1.csv"]
    log_of(path).begin(0)
    assert (tmp_path / "log_2.csv").exists()


@pytest.mark.parametrize(
    ("content", "left", "dropped"),
    [
        ("", [], 0),
        ("step,ima", [], 0),
        ("step,images_seen,loss\n1,5,0.5\n2,1", ["1,5,0.5"], 1),
        ("step,images_seen,loss\n1,5,0.5\n2,10,0.", ["1,5,0.5"], 1),
        ("step,images_seen,loss\n\x00\x00\n\xff,5\n1,5,0.5\n", ["1,5,0.5"], 2),
    ],
)
def test_an_empty_or_half_written_table_is_continued(
    tmp_path: Path, log: list[str], content: str, left: list[str], dropped: int
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(content, encoding="latin-1")
    table = CsvLog(path, COLUMNS)
    table.begin(10)
    table.append([(3, 15, 0.25)])
    assert lines(path) == ["step,images_seen,loss", *left, "3,15,0.25"]
    assert [line for line in log if "not whole" in line] == (
        [f"{path}: {dropped} rows were not whole, dropped"] if dropped else []
    )


def test_a_table_of_other_columns_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("step,loss\n1,0.5\n")
    CsvLog(path, COLUMNS).begin(10)
    assert lines(tmp_path / "log_1.csv") == ["step,loss", "1,0.5"]
    assert not path.exists()


def test_dropped_rows_are_kept_under_another_name_where_they_are_more_than_a_killed_runs(
    tmp_path: Path, log: list[str]
) -> None:
    path = tmp_path / "log.csv"
    log_of(path, (20, 100, 0.5), (21, 105, 0.4), (22, 110, 0.3))
    CsvLog(path, COLUMNS).begin(105, keeps_dropped=True)
    assert lines(path) == ["step,images_seen,loss", "20,100,0.5", "21,105,0.4"]
    assert lines(tmp_path / "log_1.csv") == [
        "step,images_seen,loss",
        "20,100,0.5",
        "21,105,0.4",
        "22,110,0.3",
    ]
    assert log == [f"{path}: 1 rows beyond the start are kept in log_1.csv"]
    CsvLog(path, COLUMNS).begin(105, keeps_dropped=True)  # none to drop
    assert not (tmp_path / "log_2.csv").exists()
