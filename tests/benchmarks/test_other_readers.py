"""The comparison with other readers: what is counted, what the table shows, and the processes' side of it."""

import sys
from pathlib import Path

import pytest

from benchmarks import other_readers, reader_processes
from benchmarks.other_readers import MeasuredSet, Row, count_right, spread, table
from benchmarks.reader_processes import Facts, MissingReaderError, PaddleReader, Tesseract, handlers
from crnn_mindspore.text.interval import Share

# Stands in for the program: an "image" is the text in it. It writes a page of each, as Tesseract does.
TESSERACT = """#!{python}
import pathlib, sys
if sys.argv[1] == "--version":
    print("tesseract 5.9\\n leptonica-1.82")
elif sys.argv[1] == "--list-langs":
    print('List of available languages in "{folder}/" (1):\\neng')
else:
    names, output, *options = sys.argv[1:]
    assert options == ["-l", "eng", "--psm", "8"], options
    texts = [pathlib.Path(name).read_text() for name in pathlib.Path(names).read_text().splitlines()]
    pathlib.Path(output + ".txt").write_text("\\f".join(text + "\\n" for text in texts{dropped}) + "{end}")
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `tesseract` is looked for, alone; the language's data is 3,000 bytes."""
    (tmp_path / "eng.traineddata").write_bytes(bytes(3000))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "tesseract"


def _install(program: Path, end: str = "", dropped: str = "") -> None:
    text = TESSERACT.format(python=sys.executable, folder=program.parent, end=end, dropped=dropped)
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)


@pytest.mark.parametrize("end", ["", "\\f"])
def test_tesseract_reads_in_order_with_as_many_programs_as_threads(program: Path, end: str) -> None:
    _install(program, end)
    reader = Tesseract("eng", 8, threads=2)
    assert reader.facts == Facts("tesseract 5.9", 0.003, 0)
    assert reader.read([b"one", b"two", b"three", b"", b"five"]) == ["one", "two", "three", "", "five"]
    assert reader.read([b"alone"]) == ["alone"]


def test_tesseract_that_leaves_an_image_out_is_not_counted(program: Path) -> None:
    _install(program, dropped="[1:]")
    with pytest.raises(SystemExit, match="2 texts of 3 images"):
        Tesseract("eng", 8, threads=1).read([b"one", b"two", b"three"])


def test_a_reader_that_is_not_there_says_what_to_install(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingReaderError, match=r"^apt-get install tesseract-ocr$"):
        Tesseract("eng", 8, threads=1)
    with pytest.raises(MissingReaderError, match=r"^apt-get install tesseract-ocr tesseract-ocr-chi-sim$"):
        Tesseract("chi_sim", 7, threads=1)
    _install(program)
    with pytest.raises(MissingReaderError, match=r"^apt-get install tesseract-ocr-chi-sim$"):
        Tesseract("chi_sim", 7, threads=1)
    monkeypatch.setattr(reader_processes.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingReaderError, match=r"^pip install rapidocr onnxruntime$"):
        PaddleReader("rapidocr", "any.onnx", True, 1)


class StandIn:
    """Reads the text that stands for an image, backwards."""

    facts = Facts("1.0", 2.5, 26)

    def read(self, images: list[bytes]) -> list[str]:
        return [image.decode()[::-1] for image in images]


def test_a_process_reads_the_images_asked_for_by_number(tmp_path: Path) -> None:
    for number, text in enumerate(["abc", "de", "f"]):
        (tmp_path / f"{number:06d}").write_bytes(text.encode())
    served = handlers(StandIn, tmp_path)
    assert served["prepare"]() == {"version": "1.0", "megabytes": 2.5, "classes": 26}
    answer = served["read"]([2, 0])
    assert answer["texts"] == ["f", "cba"]
    assert answer["seconds"] >= 0


def test_a_process_without_its_reader_says_so(tmp_path: Path) -> None:
    def create() -> StandIn:
        raise MissingReaderError("apt-get install it")

    assert handlers(create, tmp_path)["prepare"]() == {"missing": "apt-get install it"}


def test_words_are_compared_by_letters_and_digits_and_lines_by_all_but_width_and_spaces() -> None:
    truths, texts = ["Don't", "R2-D2", "naive"], ["DONT ", "r2d2!", "native"]
    assert count_right(texts, truths, "words") == Share(2, 3)
    assert count_right(["ＡＢ，1 元"], ["AB,１元"], "lines") == Share(1, 1)
    assert count_right(["ab"], ["AB"], "lines") == Share(0, 1)


def test_images_for_the_speed_are_spread_evenly() -> None:
    assert spread(10, 4) == [0, 2, 5, 7]
    assert spread(3, 300) == [0, 1, 2]


def test_a_row_shows_share_and_interval_median_and_range() -> None:
    row = Row("ours", [Share(8, 10)], images=100, seconds=[2.0, 1.0, 4.0], megabytes=7.25, classes=5990)
    # Wilson's interval of 8 in 10: (0.8 + 0.19207 -+ 1.96 sqrt(0.016 + 0.0096036)) / 1.38415
    assert row.cells() == ["ours", "80.00 (49.02 to 94.33)", "50 (25 to 100)", "7.2", "5,990"]
    assert table([row], [MeasuredSet("signs", 0, ["a"] * 1500)], "lines").splitlines() == [
        "| reader | signs, 1,500 | lines/s | model, MB | characters |",
        "| --- | --- | --- | --- | --- |",
        "| ours | 80.00 (49.02 to 94.33) | 50 (25 to 100) | 7.2 | 5,990 |",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["IIIT5K"], "'IIIT5K' is not NAME=FOLDER"),
        (["IIIT5K=here", "--repeats=0"], "--repeats is 0, must be at least 1"),
        (["IIIT5K=here", "--others_python=/no/python"], "no such interpreter: /no/python"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        other_readers.main(arguments)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_labels_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^error: .*holds neither labels.tsv nor labels.csv"):
        other_readers.main([f"SVT={tmp_path}"])
