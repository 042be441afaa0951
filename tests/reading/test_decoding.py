"""Decoders, lexicons, calibration and rejection through eval.py and predict.py; the network is a table."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Outcome, Run, assert_refused, word_image, write_folder
from table_backend import TableBackend

import eval as eval_program
import predict
from crnn_mindspore.data.sources.lexicons import save_lexicons
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation import opened_model
from crnn_mindspore.evaluation.evaluator import ImageReading, compare_readings
from crnn_mindspore.evaluation.metric import create_protocol
from crnn_mindspore.evaluation.prediction_file import save_predictions
from crnn_mindspore.reading import calibration as calibration_file
from crnn_mindspore.reading.calibration import (
    Calibration,
    Quality,
    calibrated,
    load_calibration,
    save_calibration,
)
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.tasks.ctc.decoders import create_decoder
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoder import Decoded
from crnn_mindspore.text.decoders.greedy import GreedyDecoder
from crnn_mindspore.text.decoding import Decoding
from crnn_mindspore.text.temperature import CalibratedDecoder

# What the table makes of each image: "moom" and "rivet" are misreadings, and faint ones.
READINGS = {
    "cat": ("cat", 30.0),
    "moon": ("moom", 6.0),
    "river": ("rivet", 7.0),
    "apple": ("apple", 9.0),
    "sky": ("sky", 6.5),
}
Evaluate = Callable[..., Outcome]


@pytest.fixture
def backend() -> TableBackend:
    return TableBackend(READINGS)


@pytest.fixture
def evaluate(
    backend: TableBackend, run_program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Evaluate:
    """Calls eval.py on images of the words with the table as model."""
    monkeypatch.setattr(opened_model, "open_backend", lambda *_, **__: backend)
    write_folder(tmp_path / "words", list(READINGS))

    def run(*options: object) -> Outcome:
        data = "--eval_dataset=folder", f"--eval_dataset_path={tmp_path / 'words'}"
        model = f"--checkpoint_path={tmp_path / 'm.ckpt'}"
        return run_program(eval_program.main, *data, model, "--num_parallel_workers=0", *options)

    return run


def write_lexicons(folder: Path, name: str, lists: dict[str, tuple[str, ...]]) -> None:
    images = {f"{i}.png": lists.get(word, (word, "other")) for i, word in enumerate(READINGS)}
    save_lexicons(str(folder), name, images)


def test_greedy_is_the_default_and_the_notes_name_the_decoder(evaluate: Evaluate) -> None:
    lines = evaluate().out.splitlines()
    assert lines[1] == "correct num: 3 , total num: 5"
    assert lines[2] == "result: {'CRNNAccuracy': 0.6}"
    assert "protocol classic, decoder greedy, " in lines[3]
    assert len(lines) == 4


@pytest.mark.parametrize("option", ["result_json", "save_predictions"])
def test_a_result_that_cannot_be_written_is_named(evaluate: Evaluate, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("in the way")
    place = tmp_path / "file" / "r.json"
    assert_refused(evaluate(f"--{option}={place}"), f"{place}: ")


@pytest.mark.parametrize("name", ["p.json", "p.tsv"])
def test_predictions_of_a_file_whose_name_is_no_text(tmp_path: Path, name: str) -> None:
    batch = [ImageReading(0, "\udcff.png", "cat", Decoded("cat", 1.0, ""))]
    evaluation = compare_readings(batch, "greedy", create_protocol("classic", Charset()))
    save_predictions(evaluation, str(tmp_path / name))
    assert "\\udcff.png" in (tmp_path / name).read_text(encoding="utf-8")


def test_an_evaluation_without_a_word_to_compare_says_why() -> None:
    batch = [ImageReading(0, "1.png", "你好", None)]
    with pytest.raises(UserError, match="1 have nothing that protocol classic compares, such as '你好'"):
        compare_readings(batch, "greedy", create_protocol("classic", Charset()))


def test_a_beam_reads_and_a_language_model_corrects(evaluate: Evaluate, tmp_path: Path) -> None:
    outcome = evaluate("--decoder=beam", "--beam_width=5")
    assert "correct num: 3 , total num: 5" in outcome.out
    assert "decoder beam 5, " in outcome.out
    words = tmp_path / "words.txt"
    words.write_text("moon\nriver\nx-ray\ncat\napple\nsky\n", encoding="utf-8")
    options = f"--language_model={words}", "--language_weight=3", "--length_bonus=3"
    outcome = evaluate("--decoder=beam", *options)
    assert "language model: 5 words of" in outcome.out
    assert "1 left out: the charset cannot write them" in outcome.out
    assert "decoder beam 10 + words.txt 3 + length 3, " in outcome.out
    assert "correct num: 5 , total num: 5" in outcome.out


def test_a_lexicon_file_for_all_images(evaluate: Evaluate, tmp_path: Path) -> None:
    words = tmp_path / "mine.txt"
    words.write_text("Moon\nriver\ncat\napple\nskies\nx-ray\n" + "o" * 13 + "\n", encoding="utf-8")
    outcome = evaluate("--decoder=lexicon", f"--lexicon={words}", f"--result_json={tmp_path / 'r.json'}")
    assert "correct num: 4 , total num: 5" in outcome.out
    assert "decoder lexicon mine.txt, " in outcome.out
    note = "words left out: 1 the charset cannot write (e.g. 'x-ray'), 1 need more than 24 time steps"
    assert outcome.out.count(note) == 1
    assert json.loads((tmp_path / "r.json").read_text())["decoder"] == "lexicon mine.txt"


@pytest.mark.parametrize(
    ("option", "name"), [("50", "50"), ("1k", "1000"), ("1000", "1000"), ("full", "full")]
)
def test_the_lexicons_that_a_data_set_gives_with_its_images(
    evaluate: Evaluate, tmp_path: Path, option: str, name: str
) -> None:
    # The misread "moom" is nearest to its truth; "rivet" is a distractor in its image's list.
    write_lexicons(tmp_path / "words", name, {"moon": ("MOON", "sky"), "river": ("rivet", "river")})
    outcome = evaluate("--decoder=lexicon", f"--lexicon={option}", "--batch_size=2")
    assert "correct num: 4 , total num: 5" in outcome.out
    assert f"decoder lexicon {option}, " in outcome.out


def test_a_missing_lexicon_names_the_data_set_and_what_it_has(evaluate: Evaluate, tmp_path: Path) -> None:
    folder = tmp_path / "words"
    assert_refused(evaluate("--decoder=lexicon", "--lexicon=50"), "'50'", folder, "(there: none)")
    write_lexicons(folder, "50", {})
    assert_refused(evaluate("--decoder=lexicon", "--lexicon=1k"), "'1000'", folder, "(there: 50)")
    save_lexicons(str(folder), "1000", {"0.png": ("cat",)})
    assert_refused(evaluate("--decoder=lexicon", "--lexicon=1k"), "lexicon_1000.json: no list for", "1.png")
    pattern = "--eval_dataset=folder:{text}.png"
    assert_refused(evaluate(pattern, "--decoder=lexicon", "--lexicon=50"), pattern[15:], "has no lexicons")


def test_every_set_of_a_folder_is_read_with_its_lexicons(evaluate: Evaluate, tmp_path: Path) -> None:
    write_lexicons(tmp_path / "words", "50", {})
    options = "--eval_dataset=all", "--decoder=lexicon"
    outcome = evaluate(*options, "--lexicon=50", f"--eval_dataset_path={tmp_path}")
    assert outcome.status == 0, outcome
    assert "100.00%" in outcome.out
    assert "note: read by decoder lexicon 50" in outcome.out
    outcome = evaluate(*options, "--lexicon=full", f"--eval_dataset_path={tmp_path}")
    assert_refused(outcome, tmp_path / "words", "'full'", "(there: 50)")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--decoder=bean"], ["decoder is 'bean'", "greedy, beam, lexicon"]),
        (["--decoder=lexicon"], ["--lexicon: 50, 1k, full"]),
        (["--lexicon=50"], ["lexicon '50' needs --decoder=lexicon, but decoder is auto"]),
        (["--decoder=lexicon", "--lexicon=/no/such.txt"], ["/no/such.txt"]),
        (["--language_model=w.txt"], ["language_model 'w.txt' needs --decoder=beam"]),
        (["--decoder=beam", "--language_model=/no/such.txt"], ["/no/such.txt"]),
        (["--decoder=beam", "--beam_width=0"], ["beam_width is 0"]),
        (["--reject_below=1.5"], ["reject_below is 1.5, must be between 0 and 1"]),
        (["--calibrate=True", "--reject_below=0.5"], ["not with reject_below"]),
        (["--calibrate=True", "--eval_dataset=all"], ["not with eval_dataset all"]),
    ],
)
def test_options_that_do_not_fit_are_refused(
    evaluate: Evaluate, options: list[str], parts: list[str]
) -> None:
    assert_refused(evaluate(*options), *parts)


def test_a_word_file_without_a_usable_word_is_named(evaluate: Evaluate, tmp_path: Path) -> None:
    words = tmp_path / "chinese.txt"
    words.write_text("中文\n", encoding="utf-8")
    assert_refused(evaluate("--decoder=beam", f"--language_model={words}"), words, "no word")
    assert_refused(evaluate("--decoder=lexicon", f"--lexicon={words}"), "chinese.txt", "中文")


def test_an_unknown_decoder_is_refused_without_the_command_line(backend: TableBackend) -> None:
    with pytest.raises(UserError, match="decoder is 'best', must be one of"):
        create_decoder(Decoding("best"), backend.artifact)


def path_probability(peak: float) -> float:
    """Of a path whose class has the logit `peak` at every step, the others 0; other paths add a little."""
    return float((np.exp(peak) / (np.exp(peak) + 36)) ** 24)


def test_readings_below_the_threshold_are_marked_and_the_others_counted(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    assert path_probability(6.5) < 0.4  # "sky" is right but faint
    assert path_probability(9.0) > 0.5
    predictions = tmp_path / "p.tsv"
    outcome = evaluate(
        "--reject_below=0.5", f"--save_predictions={predictions}", f"--result_json={tmp_path / 'r.json'}"
    )
    assert "correct num: 3 , total num: 5" in outcome.out
    assert (
        "accepted (confidence at least 0.5): 2 of 5 words, coverage 40.00%, word accuracy of these 100.00%"
        in outcome.out
    )
    with predictions.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["rejected"] for row in rows] == ["0", "1", "1", "0", "1"]
    record = json.loads((tmp_path / "r.json").read_text())
    assert (record["accepted"], record["accepted_correct"], record["coverage"]) == (2, 2, 0.4)
    assert "coverage 0.00%" in evaluate("--reject_below=1").out.splitlines()[-1]


def test_calibrating_writes_a_temperature_that_reading_uses(
    evaluate: Evaluate, backend: TableBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = evaluate("--calibrate=True")
    assert outcome.status == 0, outcome
    path = tmp_path / "m.ckpt.calibration.json"
    assert f"written: {path}" in outcome.out
    assert "fitted on 5 words, decoder greedy" in outcome.out
    record = json.loads(path.read_text())
    assert (record["words"], record["weights_sha256"], record["decoder"]) == (5, "aa", "greedy")
    assert record["after"]["nll"] < record["before"]["nll"]
    temperature = record["temperature"]
    assert temperature != pytest.approx(1, abs=0.01)

    predictions = tmp_path / "p.json"
    evaluate(f"--save_predictions={predictions}")
    found = json.loads(predictions.read_text())
    images = {word: word_image(word) for word in READINGS}
    monkeypatch.setattr("crnn_mindspore.reading.recognizer.open_reader", lambda *_: backend)
    recognizer = Recognizer.load(str(tmp_path / "m.ckpt"))
    read = recognizer(list(images.values()))
    plain = Recognizer(backend)(list(images.values()))
    for prediction, calibrated_reading, plain_reading in zip(found, read, plain, strict=True):
        assert prediction["confidence"] == pytest.approx(calibrated_reading.confidence)
        assert calibrated_reading.text == plain_reading.text
    assert read[1].confidence != pytest.approx(plain[1].confidence)
    # One class of logit `peak` a step: at a temperature its logit is peak / temperature.
    assert read[0].confidence == pytest.approx(path_probability(30 / temperature), rel=0.2)


def test_calibration_counts_readable_images_only(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "words" / "0.png").write_bytes(b"no image")
    with (tmp_path / "words" / "labels.tsv").open("a") as file:
        file.write("1.png\t!?\n4.png\tsky\n")  # the first has nothing to compare
    outcome = evaluate("--calibrate=True")
    assert "fitted on 5 words, decoder greedy" in outcome.out


def test_calibration_needs_right_and_wrong_readings(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "words" / "labels.tsv").write_text("0.png\tcat\n4.png\tsky\n")
    assert_refused(evaluate("--calibrate=True"), "all 2 of this data set are right")
    assert not list(tmp_path.glob("*.json"))


def example(decoder: str = "greedy", weights: str = "aa") -> Calibration:
    quality = Quality(0.1, 0.2, 0.0, None)
    return Calibration(2.0, decoder, weights, 5, "folder x", quality, Quality(0.01, 0.1, 0.5, 0.9))


def test_a_calibration_is_read_back_equal_and_says_what_it_did(backend: TableBackend, tmp_path: Path) -> None:
    model = str(tmp_path / "m.onnx")
    assert load_calibration(model, backend.artifact) is None
    path = save_calibration(example(), model)
    assert path.name == "m.onnx.calibration.json"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert load_calibration(model, backend.artifact) == example()
    assert example().lines()[1:] == [
        "confidence before: ECE 0.1000, NLL 0.2000, no share of the words is right 99% of the time",
        "confidence after: ECE 0.0100, NLL 0.1000, 99% accuracy on 50.00% of the words "
        "(confidence at least 0.9000)",
    ]


def test_a_calibration_of_other_weights_is_refused(
    evaluate: Evaluate,
    run_program: Run,
    backend: TableBackend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = save_calibration(example(weights="bb"), str(tmp_path / "m.ckpt"))
    assert_refused(evaluate(), path, "other weights", "--calibrate=True")
    monkeypatch.setattr("crnn_mindspore.reading.recognizer.open_reader", lambda *_: backend)
    outcome = run_program(predict.main, tmp_path / "words", f"--model={tmp_path / 'm.ckpt'}")
    assert_refused(outcome, path, "other weights")
    assert evaluate("--calibrate=True").status == 0  # takes its place
    assert evaluate().status == 0


def test_a_calibration_is_for_one_decoder(backend: TableBackend, tmp_path: Path, log: list[str]) -> None:
    model = str(tmp_path / "m.onnx")
    save_calibration(example(decoder="lexicon 50"), model)
    decoder = GreedyDecoder(backend.artifact.codec)
    assert calibrated(decoder, model, backend.artifact) is decoder
    assert "is for the decoder lexicon 50: the confidences of greedy are not calibrated" in log[0]
    save_calibration(example(), model)
    found = calibrated(decoder, model, backend.artifact)
    assert isinstance(found, CalibratedDecoder)
    assert found.temperature == 2.0


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: "{",
        lambda values: "[]",
        lambda values: json.dumps(values | {"temperature": 0}),
        lambda values: json.dumps(values | {"temperature": "hot"}),
        lambda values: json.dumps(values | {"before": None}),
        lambda values: json.dumps(values | {"more": 1}),
        lambda values: json.dumps({k: v for k, v in values.items() if k != "decoder"}),
        lambda values: json.dumps(values | {"format_version": 2}),
    ],
)
def test_a_damaged_calibration_is_named(
    backend: TableBackend, tmp_path: Path, damage: Callable[[dict], str]
) -> None:
    model = str(tmp_path / "m.onnx")
    path = save_calibration(example(), model)
    path.write_text(damage(json.loads(path.read_text())))
    with pytest.raises(UserError, match=r"m\.onnx\.calibration\.json: (not a calibration|has format 2)"):
        load_calibration(model, backend.artifact)


def test_a_calibration_that_cannot_be_written_or_tied_to_weights_is_refused(
    evaluate: Evaluate, backend: TableBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"m\.onnx\.calibration\.json: cannot be written: Not a directory"):
        save_calibration(example(), str(tmp_path / "file" / "a" / "m.onnx"))
    monkeypatch.setattr(backend, "artifact", TableBackend([], weights_sha256="").artifact)
    assert_refused(evaluate("--calibrate=True"), "no hash of its weights")
    assert calibration_file.calibration_path("a/m.mindir") == Path("a/m.mindir.calibration.json")


def test_predict_marks_readings_below_the_threshold(
    run_program: Run, backend: TableBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crnn_mindspore.reading.recognizer.open_reader", lambda *_: backend)
    folder = tmp_path / "images"
    folder.mkdir()
    for word in ("cat", "sky"):
        cv2.imwrite(str(folder / f"{word}.png"), word_image(word))
    model = f"--model={tmp_path / 'm.onnx'}"
    table = run_program(predict.main, folder, model, "--reject_below=0.5").out.splitlines()
    assert [line.endswith("  rejected") for line in table] == [False, False, True]
    lines = run_program(predict.main, folder, model, "--reject_below=0.5", "--format=tsv").out.splitlines()
    assert [line.split("\t")[3] for line in lines] == ["0", "1"]
    lines = run_program(predict.main, folder, model, "--format=tsv").out.splitlines()
    assert [line.count("\t") for line in lines] == [2, 2]
    found = json.loads(run_program(predict.main, folder, model, "--format=json").out)
    assert [entry["rejected"] for entry in found] == [False, False]
    (folder / "zzz.png").write_bytes(b"no image")
    outcome = run_program(predict.main, folder, model, "--reject_below=0.5", "--format=tsv")
    assert [line.split("\t")[3] for line in outcome.out.splitlines()] == ["0", "1", "1"]
    assert_refused(run_program(predict.main, folder, model, "--reject_below=-1"), "reject_below is -1")


def test_the_recognizer_takes_a_decoder(backend: TableBackend, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("moon\nriver\n", encoding="utf-8")
    decoder = create_decoder(Decoding("lexicon", lexicon=str(words)), backend.artifact)
    readings = Recognizer(backend, decoder=decoder)([word_image("moon"), word_image("river")])
    assert [r.text for r in readings] == ["moon", "river"]
