"""What names and labels may do to the terminal, and to a spreadsheet: nothing."""

import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from crnn_mindspore.data.image_io import UnreadableImageError
from crnn_mindspore.data.sources.samples import FilterReport
from crnn_mindspore.evaluation.prediction_file import _cells
from crnn_mindspore.reading.printing import PRINTERS
from crnn_mindspore.reading.recognition import Recognition
from crnn_mindspore.shown import as_cell, shown, shown_lines

ROOT = Path(__file__).resolve().parents[2]
CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"
STEERING = [CLIPBOARD, "\x1b[2J", "\x9b2J", "\r", "\x08", "\u202e", "\u2066", "\u2028", "\x7f", "\0"]


@pytest.mark.parametrize("text", STEERING)
def test_whatever_steers_is_shown_as_its_code(text: str) -> None:
    for found in (shown(f"a{text}b"), shown_lines(f"a{text}b")):
        assert found.isprintable()
        assert json.loads(f'"{found}"') == f"a{text}b"


def test_whatever_is_written_somewhere_stays() -> None:
    for text in ("plain", "中文 、　", "é\u0301", "ک\u200cم", "a\u200fb", "👩\u200d🚒", "കു", "C:\\u001b"):
        assert shown(text) == text == shown_lines(text)
    assert shown("a\nb\tc") == "a\\u000ab\\u0009c"
    assert shown_lines("a\nb\tc") == "a\nb\tc"
    assert shown(os.fsdecode(b"\xff.png")) == "\\udcff.png"


FORMULAS = [
    '=HYPERLINK("http://x")',
    "+A1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    " =1",
    "＝1+1",
    "=",
    "@",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_a_text_in_a_spreadsheet(text: str) -> None:
    assert as_cell(text) == f"'{text}"
    assert _cells(text)[0].startswith("'")


@pytest.mark.parametrize("text", ["", "a=b", "-5", "+49 30 123", "-", "3-4", "'=1", "-1.5", "5:30", "word"])
def test_other_cells_stay(text: str) -> None:
    assert as_cell(text) == text


@pytest.mark.parametrize("form", PRINTERS)
def test_no_form_of_printing_lets_a_name_steer(form: str) -> None:
    name = "".join(STEERING)
    result = Recognition(name=name, text=f"a{name}", confidence=0.5)
    printed = "\n".join(PRINTERS[form]([result], False))
    assert not set("\x1b\x07\r\x08\0") & set(printed)
    if form in ("table", "tsv"):
        assert all(line.replace("\t", "").isprintable() for line in printed.split("\n"))


def test_errors_and_reports_show_names() -> None:
    assert str(UnreadableImageError(f"{CLIPBOARD}\n.png")) == "\\u001b]52;c;ZXZpbA==\\u0007\\u000a.png"
    report = FilterReport()
    report.drop("reason", f"{CLIPBOARD}.png")
    assert "\x1b" not in "\n".join(report.lines())


def on_a_terminal(*arguments: str, cwd: Path) -> bytes:
    """All that a command writes where both of its streams are a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, str(ROOT / "src" / "__main__.py"), *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            written += part
    os.close(ours)
    return written


def test_no_command_lets_a_data_set_steer_the_terminal(tmp_path: Path) -> None:
    png = cv2.imencode(".png", np.zeros((32, 100, 3), np.uint8))[1].tobytes()
    folder = tmp_path / "set"
    folder.mkdir()
    name = f"{CLIPBOARD}\x1b[2J\x9b".replace("/", "")
    (folder / f"{name}.png").write_bytes(b"broken")
    (folder / "good.png").write_bytes(png)
    (folder / "labels.tsv").write_text(
        f"{name}.png\t{name}\ngood.png\t{name}\nmissing{name}.png\tx\n{name}\n"
    )
    (folder / "gt.txt").write_text(f'{name}.png, "{name}"\nmissing{name}.png, "x"\ngood.png, "{name}"\n')
    commands = [
        ["read", str(folder / "good.png"), str(folder / f"{name}.png"), f"missing{name}"],
        ["check", "--train_dataset=folder", f"--train_dataset_path={folder}"],
        ["convert", "ic13", "-d", str(folder), "-g", str(folder / "gt.txt"), "-o", str(tmp_path / "out")],
    ]
    for command in commands:
        written = on_a_terminal(*command, cwd=tmp_path)
        assert b"]52;" in written, command  # the name is shown
        assert b"\x1b]" not in written, command
        assert b"\x1b[2J" not in written, command
        assert "\x9b" not in written.decode(), command


def test_predictions_hold_no_formula(tmp_path: Path) -> None:
    png = cv2.imencode(".png", np.zeros((32, 100, 3), np.uint8))[1].tobytes()
    (tmp_path / "=a.png").write_bytes(png)
    label = '=HYPERLINK("http://x")'
    (tmp_path / "labels.csv").write_text('=a.png,"=HYPERLINK(""http://x"")"\n')
    for name in ("p.tsv", "p.json"):
        subprocess.run(
            [
                *(sys.executable, str(ROOT / "src" / "__main__.py"), "eval", "--checkpoint_path=pretrained"),
                *("--eval_dataset=folder", "--eval_dataset_path=.", f"--save_predictions={name}"),
                *("--protocol=charset", "--device_target=CPU"),
            ],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
    rows = list(csv.reader((tmp_path / "p.tsv").read_text().splitlines(), delimiter="\t"))
    assert rows[1][1] == f"'{label}"
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))]
    assert json.loads((tmp_path / "p.json").read_text())[0]["truth"] == label
