"""Offline inference: the list of images, the result files, and the accuracy from them."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import WORDS, Run, assert_refused, word_image, write_folder, write_synth

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.cli import offline
from crnn_mindspore.data.image_formats import TAKEN
from crnn_mindspore.data.preprocess import Preprocessing, preprocess
from crnn_mindspore.data.readers.annotated import load_annotated
from crnn_mindspore.data.readers.lmdb_io import LmdbWriter
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.samples import ListSource, WordSample
from crnn_mindspore.errors import UserError
from crnn_mindspore.offline.input_list import InputList, read_inputs, result_names, write_inputs
from crnn_mindspore.offline.result_files import infer as infer_offline
from crnn_mindspore.offline.result_files import judge
from crnn_mindspore.reading.calibration import Calibration, Quality, save_calibration
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoders.greedy import GreedyDecoder

ARTIFACT = Artifact(Charset(), Preprocessing(), NetworkSpec())


def source_of(*names: str) -> ListSource:
    return ListSource([WordSample(name, "x") for name in names], "here")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a/1_x.jpg", "b/2.y.png"], ["1_x_0.bin", "2.y_0.bin"]),
        (["a/1.jpg", "b/1.jpg"], ["0000000_0.bin", "0000001_0.bin"]),
        (["a/1.jpg", "a/tab\there.jpg"], ["0000000_0.bin", "0000001_0.bin"]),
        (["a/1.jpg", "l" * 251 + ".jpg"], ["0000000_0.bin", "0000001_0.bin"]),
        (["l" * 249 + ".jpg"], ["l" * 249 + "_0.bin"]),
    ],
)
def test_results_have_the_model_zoos_names_unless_two_were_equal(
    names: list[str], expected: list[str]
) -> None:
    assert result_names(source_of(*names)) == expected
    assert all(len(name) <= 255 for name in expected)


def test_the_list_in_words(words_folder: Path, tmp_path: Path) -> None:
    artifact = Artifact(Charset("aÄ中", True), Preprocessing(48, 60, "RGB", "area", 1.5, 2.0), NetworkSpec())
    written = write_inputs(str(tmp_path / "in"), load_samples("folder", str(words_folder)), artifact)
    assert (tmp_path / "in" / "inputs.txt").read_text().splitlines() == [
        "crnn_inputs 1",
        "height 48",
        "width 60",
        "channel_order RGB",
        "interpolation area",
        "mean 1.5",
        "std 2.0",
        "time_steps 14",
        "characters 97 196 20013",
        "images 8",
        *(f"{i}_0.bin\t{words_folder / f'{i}.png'}" for i in range(8)),
    ]
    assert read_inputs(str(tmp_path / "in")) == written
    assert [p.name for p in (tmp_path / "in").iterdir()] == ["inputs.txt"]


def test_a_list_of_standardised_images_says_so(words_folder: Path, tmp_path: Path) -> None:
    artifact = replace(ARTIFACT, preprocessing=Preprocessing(standardize=True))
    written = write_inputs(str(tmp_path / "in"), load_samples("folder", str(words_folder)), artifact)
    path = tmp_path / "in" / "inputs.txt"
    assert path.read_text().splitlines()[6:8] == ["std 127.5", "standardize True"]
    assert read_inputs(str(tmp_path / "in")) == written
    path.write_text(path.read_text().replace("standardize True", "standardize Yes"))
    with pytest.raises(UserError, match="damaged list of images"):
        read_inputs(str(tmp_path / "in"))


def test_classes_of_several_code_points_are_listed_in_another_form(
    words_folder: Path, tmp_path: Path
) -> None:
    charset = Charset(("dž", "a", "", "\U0001f1e9\U0001f1ea", " "))
    artifact = replace(ARTIFACT, codec=charset)
    written = write_inputs(str(tmp_path / "in"), load_samples("folder", str(words_folder)), artifact)
    lines = (tmp_path / "in" / "inputs.txt").read_text().splitlines()
    assert (lines[0], lines[8]) == ("crnn_inputs 2", "classes 100,382 97 - 127465,127466 32")
    assert written.classes == charset.classes
    assert read_inputs(str(tmp_path / "in")) == written


def test_other_formats_and_odd_names_are_put_beside_the_list_as_the_network_sees_them(tmp_path: Path) -> None:
    pixels = cv2.GaussianBlur(word_image("odd"), (5, 5), 1)
    names = ["plain.png", "other.bmp", "tab\there.png", "broken.bmp", "missing.png"]
    for name in names[:3]:
        encoded = cv2.imencode(Path(name).suffix, pixels)[1].tobytes()
        (tmp_path / name).write_bytes(encoded)
    (tmp_path / "broken.bmp").write_bytes(b"BM")
    source = source_of(*(str(tmp_path / name) for name in names))
    listed = write_inputs(str(tmp_path / "in"), source, ARTIFACT)
    paths = [Path(path) for _, path in listed.images]
    assert (paths[0], paths[3]) == (tmp_path / "plain.png", tmp_path / "broken.bmp")
    assert {paths[k].parent for k in (1, 2, 4)} == {tmp_path / "in" / "images"}
    assert cv2.imread(str(paths[1])).shape == (32, 100, 3)
    assert paths[2].read_bytes() == (tmp_path / "tab\there.png").read_bytes()
    assert paths[4].read_bytes() == b""
    expected = preprocess(pixels, ARTIFACT.preprocessing)
    for path in paths[:3]:
        assert np.array_equal(preprocess(cv2.imread(str(path)), ARTIFACT.preprocessing), expected)


@pytest.mark.parametrize(("interpolation", "resize_here"), [("cubic", False), ("linear", True)])
def test_cubic_images_and_all_on_request_are_resized_by_python(
    words_folder: Path, tmp_path: Path, interpolation: str, resize_here: bool
) -> None:
    p = Preprocessing(interpolation=interpolation)
    source = load_samples("folder", str(words_folder))
    artifact = Artifact(Charset(), p, NetworkSpec())
    listed = write_inputs(str(tmp_path / "in"), source, artifact, resize_here=resize_here)
    for word, (_, path) in zip(WORDS, listed.images, strict=True):
        pixels = cv2.imread(path)
        assert pixels.shape == (32, 100, 3)
        assert np.array_equal(preprocess(pixels, p), preprocess(word_image(word), p))


def test_images_in_an_lmdb_are_copied_out(tmp_path: Path) -> None:
    images = [cv2.imencode(".png", word_image(word))[1].tobytes() for word in WORDS]
    with LmdbWriter(str(tmp_path / "lmdb")) as writer:
        for image, word in zip(images, WORDS, strict=True):
            writer.add(image, word)
    source = load_annotated("lmdb", str(tmp_path / "lmdb"), str(tmp_path / "lmdb"))
    listed = write_inputs(str(tmp_path / "in"), source, ARTIFACT)
    assert [Path(path).read_bytes() for _, path in listed.images] == images
    assert len({name for name, _ in listed.images}) == 8


def test_a_list_is_not_written_into_a_folder_with_files(words_folder: Path) -> None:
    with pytest.raises(UserError, match="is not empty; choose another folder"):
        write_inputs(str(words_folder), load_samples("folder", str(words_folder)), ARTIFACT)
    with pytest.raises(UserError, match="no images in here"):
        write_inputs(str(words_folder), source_of(), ARTIFACT)


@pytest.mark.parametrize(
    "change", [("\n", ""), ("images 8", "images 9"), ("mean 127.5", "mean x"), ("\t", "")]
)
def test_a_damaged_list_is_refused(words_folder: Path, tmp_path: Path, change: tuple[str, str]) -> None:
    write_inputs(str(tmp_path / "in"), load_samples("folder", str(words_folder)), ARTIFACT)
    path = tmp_path / "in" / "inputs.txt"
    text = path.read_text()
    assert text.count(change[0])
    path.write_text(change[1].join(text.rsplit(change[0], 1)))
    with pytest.raises(UserError, match=f"{path}: damaged list of images"):
        read_inputs(str(tmp_path / "in"))


class Speller:
    """Spells the same word whatever it sees."""

    artifact = ARTIFACT
    name = "speller"

    def __init__(self, word: str) -> None:
        self.word = word
        self.batch_sizes: list[int] = []

    def forward(self, images: np.ndarray) -> np.ndarray:
        self.batch_sizes.append(len(images))
        return np.repeat(spelled(self.word)[:, None], len(images), axis=1)


def spelled(word: str) -> np.ndarray:
    """Logits (24, 37) whose best path is the word with a blank behind each character."""
    logits = np.zeros((24, 37), dtype=np.float32)
    path = [36] * 24
    path[: 2 * len(word) : 2] = Charset().encode(word).tolist()
    logits[np.arange(24), path] = 9
    return logits


def test_inference_writes_a_file_an_image_and_the_timings(words_folder: Path, tmp_path: Path) -> None:
    (words_folder / "5.png").write_bytes(b"\x89PNG")
    source = load_samples("folder", str(words_folder))
    listed = write_inputs(str(tmp_path / "in"), source, ARTIFACT)
    backend, unreadable = Speller("moon"), []
    folders = str(tmp_path / "out"), str(tmp_path / "time")
    infer_offline(backend, listed, *folders, batch_size=3, on_unreadable=unreadable.append)
    assert backend.batch_sizes == [3, 3, 1]
    assert unreadable == [f"{words_folder / '5.png'}: not an image (4 bytes); {TAKEN}"]
    for i in range(8):
        data = (tmp_path / "out" / f"{i}_0.bin").read_bytes()
        assert data == (b"" if i == 5 else spelled("moon").tobytes())
    timings = (tmp_path / "time" / "test_perform_static.txt").read_text().splitlines()
    assert timings[0].startswith("NN inference cost average time: ")
    assert timings[0].endswith(" ms of infer_count 7")
    assert timings[1] == "batch size: 3"
    assert timings[3] == "unreadable images: 1"


@pytest.mark.parametrize(
    "other",
    [
        InputList(Preprocessing(width=160), 39, Charset().characters, []),
        InputList(Preprocessing(), 24, "abc", []),
    ],
)
def test_a_list_for_another_model_is_refused(tmp_path: Path, other: InputList) -> None:
    with pytest.raises(UserError, match="the list of images was made for"):
        infer_offline(Speller("x"), other, str(tmp_path), str(tmp_path), batch_size=1, on_unreadable=print)


def test_the_accuracy_from_files_made_by_hand(tmp_path: Path) -> None:
    # Right; right but for its case; wrong; unreadable; nothing to compare.
    truths = ["cat", "Dog7", "moon", "river", "!"]
    source = ListSource([WordSample(f"{i}.png", text) for i, text in enumerate(truths)], "here")
    for i, word in enumerate(["cat", "dog7", "noon", None, "x"]):
        data = b"" if word is None else spelled(word).tobytes()
        (tmp_path / f"{i}_0.bin").write_bytes(data)
    evaluation = judge(source, ARTIFACT, GreedyDecoder(ARTIFACT.codec), str(tmp_path))
    assert evaluation.lines()[:2] == ["correct num: 2 , total num: 4", "result: {'CRNNAccuracy': 0.5}"]
    assert "1 unreadable images counted as wrong" in evaluation.lines()[2]
    assert "1 words left out" in evaluation.lines()[2]
    assert "words/s" not in evaluation.lines()[2]
    assert [(p.prediction, p.readable) for p in evaluation.predictions] == [
        ("cat", True),
        ("dog7", True),
        ("noon", True),
        ("", False),
    ]
    assert evaluation.accuracy.ned == pytest.approx((1 + 1 + 3 / 4 + 0) / 4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "No such file"),
        (b"1234", "4 bytes, but 24 steps of 37 classes need 3552"),
        (np.full((24, 37), np.nan, np.float32).tobytes(), "no numbers"),
    ],
)
def test_a_result_that_is_missing_or_wrong_is_named(tmp_path: Path, data: bytes | None, message: str) -> None:
    if data is not None:
        (tmp_path / "costly_0.bin").write_bytes(data)
    image = Path(__file__).resolve().parents[2] / "examples" / "costly.png"
    with pytest.raises(UserError, match=f"result {tmp_path / 'costly_0.bin'}: .*{message}"):
        judge(source_of(str(image)), ARTIFACT, GreedyDecoder(ARTIFACT.codec), str(tmp_path))


def pairs(source) -> list[tuple[str, str]]:
    return [(source.name(i), source.text(i)) for i in range(len(source))]


@pytest.mark.parametrize(
    ("name", "file", "line"),
    [
        ("ic03", "a.txt", "{image},{word}\n"),
        ("iiit5k", "a.txt", "{image},{word}\n"),
        ("ic13", "gt.txt", '{image}, "{word}"\n'),
        ("ic13", "annotation.txt", "{image},{word}\n"),
        ("ic15", "gt.txt", '{image}, "{word}"\n'),
        ("svt", "labels.tsv", "{image}\t{word}\n"),
        ("folder", "mine.csv", "{image},{word}\n"),
    ],
)
def test_an_annotation_apart_from_its_images(tmp_path: Path, name: str, file: str, line: str) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (tmp_path / file).write_text("".join(line.format(image=f"{i}.png", word=w) for i, w in enumerate(WORDS)))
    source = load_annotated(name, str(images), str(tmp_path / file))
    assert pairs(source) == [(str(images / f"{i}.png"), word) for i, word in enumerate(WORDS)]


def test_mjsynth_finds_the_lexicon_beside_the_annotation(tmp_path: Path) -> None:
    root = write_synth(tmp_path / "synth", WORDS)
    expected = pairs(load_samples("synth", str(root)))
    assert pairs(load_annotated("synth", str(root), str(root / "annotation_test.txt"))) == expected
    assert pairs(load_annotated("synth", str(root), str(root))) == expected


@pytest.mark.parametrize(
    ("name", "image_folder", "ann_file", "message"),
    [
        ("ic03", "words", "gone.txt", "annotation 'gone.txt' does not exist"),
        ("folder", "words", ".", "is a folder, but not that of the images"),
        ("lmdb", "words", "words/labels.tsv", "'lmdb' is not read from an annotation file .*give its folder"),
        ("svt", "words", "words/0.png", "must end in .tsv or .csv"),
        ("folder", "gone", "words/labels.tsv", "data folder 'gone' does not exist"),
    ],
)
def test_an_annotation_that_cannot_be_meant_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, image_folder: str, ann_file: str, message: str
) -> None:
    write_folder(tmp_path / "words", WORDS)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        load_annotated(name, image_folder, ann_file)


def test_the_programs_name_what_is_missing(run_program: Run, words_folder: Path, tmp_path: Path) -> None:
    data = ["--dataset=folder", f"--eval_dataset_path={words_folder}", f"--ann_file={words_folder}"]
    for program in (offline.preprocess, offline.postprocess):
        assert_refused(run_program(program, "--result_path=x"), "option --checkpoint_path is required")
        model = "--checkpoint_path=gone.mindir"
        outcome = run_program(program, model, "--result_path=x", *data)
        assert_refused(outcome, "gone.json: No such file", "needs its description beside it")
    assert_refused(run_program(offline.postprocess, *data), "option --result_path is required")
    outcome = run_program(
        offline.infer_images, "--checkpoint_path=m.mindir", "--result_path=x", f"--inputs_path={tmp_path}"
    )
    assert_refused(outcome, f"{tmp_path / 'inputs.txt'}: No such file", "`crnn offline preprocess` writes it")
    (tmp_path / "m.json").write_text(ARTIFACT.to_json())
    options = f"--checkpoint_path={tmp_path / 'm.mindir'}", "--image_width=160", *data
    assert_refused(run_program(offline.preprocess, *options), "image_width 100, but image_width 160")


def test_a_calibration_beside_the_model_holds_for_result_files(
    run_program: Run, words_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "m.json").write_text(replace(ARTIFACT, weights_sha256="aa").to_json())
    quality = Quality(0.0, 0.0, 1.0, 0.5)
    calibration = Calibration(2.0, "greedy", "aa", 9, "here", quality, quality)
    save_calibration(calibration, str(tmp_path / "m.mindir"))
    for i, word in enumerate(WORDS):
        (tmp_path / f"{i}_0.bin").write_bytes(spelled(word).tobytes())
    data = ["--dataset=folder", f"--eval_dataset_path={words_folder}", f"--ann_file={words_folder}"]
    options = [f"--checkpoint_path={tmp_path / 'm.mindir'}", f"--result_path={tmp_path}", *data]
    predictions = tmp_path / "p.json"
    outcome = run_program(offline.postprocess, *options, f"--save_predictions={predictions}")
    assert outcome.status == 0, outcome
    found = [row["confidence"] for row in json.loads(predictions.read_text())]
    halved = np.stack([spelled(word) / 2 for word in WORDS], axis=1)
    assert found == pytest.approx([r.confidence for r in GreedyDecoder(Charset())(halved)])
    assert_refused(
        run_program(offline.postprocess, *options, "--calibrate=True"), "calibrate: ", "`crnn eval`"
    )


def test_words_that_a_lexicon_lists_in_vain_are_said_with_the_accuracy(
    run_program: Run, words_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "m.json").write_text(ARTIFACT.to_json())
    (tmp_path / "words.txt").write_text("\n".join([*WORDS, "x-ray"]))
    for i, word in enumerate(WORDS):
        (tmp_path / f"{i}_0.bin").write_bytes(spelled(word).tobytes())
    data = ["--dataset=folder", f"--eval_dataset_path={words_folder}", f"--ann_file={words_folder}"]
    model = f"--checkpoint_path={tmp_path / 'm.mindir'}", f"--result_path={tmp_path}"
    lexicon = "--decoder=lexicon", f"--lexicon={tmp_path / 'words.txt'}"
    lines = run_program(offline.postprocess, *model, *data, *lexicon).out.splitlines()
    assert lines[-1] == "lexicon words.txt: words left out: 1 the charset cannot write (e.g. 'x-ray')"
