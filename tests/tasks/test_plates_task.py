"""The task plates: labels and rules of form, with plates written out by hand."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.cli import check as check_program
from crnn_mindspore.cli import eval as eval_program
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.shipped import shipped
from crnn_mindspore.synth.plates.plate_layout import plate_layout_of
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.decoder import PositionsDecoder
from crnn_mindspore.tasks.positions.forms import load_forms
from crnn_mindspore.tasks.positions.kind import KIND
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoding import Decoding

FILE = "configs/tasks/plates.yaml"
KINDS = {
    "blue": "京A12345 colour=blue rows=single",
    "yellow": "浙L11921 colour=yellow rows=single",
    "yellow, two rows": "粤BAQ286 colour=yellow rows=double",
    "learner": "渝B3587学 colour=yellow rows=single",
    "trailer": "冀D1234挂 colour=yellow rows=double",
    "green": "沪AF71017 colour=green rows=single",
    "green, large": "川A12345D colour=green rows=single",
    "police": "京O1234警 colour=white rows=single",
    "army": "军A12345 colour=white rows=single",
    "black": "粤Z1234港 colour=black rows=single",
    "motorcycle": "豫A12345 colour=blue rows=double",
    "motorcycle, yellow": "闽D3B521 colour=yellow rows=double",
    "tractor": "皖1946673 colour=green rows=double",
    "airport": "民航B9016 colour=green rows=single",
}


def codec() -> PositionsCodec:
    return PositionsCodec(layout_of(read_yaml(shipped(FILE))["positions"]))


def test_every_kind_that_is_drawn_has_a_plate_here() -> None:
    kinds = plate_layout_of(read_yaml(shipped(FILE))["plates"]).kinds
    assert [kind.name for kind in kinds] == list(KINDS)
    for kind in kinds:
        assert KINDS[kind.name].endswith(kind.labels)
        assert len(KINDS[kind.name].split()[0]) == len(kind.boxes)


@pytest.mark.parametrize("label", KINDS.values())
def test_a_plate_of_each_kind_is_a_label_and_has_an_allowed_form(label: str) -> None:
    own = codec()
    ids = own.encode(label)
    assert own.label(ids) == label
    text = label.split(maxsplit=1)[0]
    assert (ids[7] == own.layout.text[7].none) == (len(text) == 7)
    assert load_forms(FILE)([p.classes[i] for p, i in zip(own.layout.text, ids, strict=False)])


def test_ids_and_texts_say_the_same_and_open_positions_stay_open() -> None:
    own = codec()
    # 鲁 is the 15th province; letters without I and O, then digits: C is 2, 6 is 30; none is 12 at the end.
    ids = own.encode("鲁BC6T76 colour=blue rows=single")
    assert ids.tolist() == [14, 1, 2, 30, 17, 31, 30, 12, 0, 0]
    assert own.encode("14 1 2 30 17 31 30 12 0 0").tolist() == ids.tolist()
    assert own.encode("14 1 2 30 17 31 30 -1 -1 0").tolist() == [14, 1, 2, 30, 17, 31, 30, -1, -1, 0]
    assert own.encode("鲁BC?T76").tolist() == [14, 1, 2, -1, 17, 31, 30, 12, -1, -1]


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("京AI2345", "character not allowed at its position"),  # no I
        ("京A1O345", "character not allowed at its position"),  # O only at the second
        ("A京12345", "character not allowed at its position"),
        ("京A12345A", "character not allowed at its position"),  # the eighth: a digit, D or F
        ("京A1学345", "character not allowed at its position"),  # 学 only at the seventh
        ("京A123456D", "more characters than positions"),
        ("京A1234", "fewer characters than positions"),
        ("京A12345 colour=red", "unknown attribute or value"),
        ("0 0 0 0 0 0 0", "wrong number of ids"),
        ("40 0 0 0 0 0 0 0 0 0", "unknown id"),
        ("-1 -1 -1 -1 -1 -1 -1 -1 -1 -1", "empty label"),
    ],
)
def test_a_label_that_breaks_a_rule_has_its_reason(label: str, reason: str) -> None:
    refused = codec().refusal(label)
    assert refused is not None
    assert refused.reason == reason


ALLOWED = [
    *("京A12345", "京AB2345", "京A1B345", "京A12B45", "京A123B5", "京A1234B"),
    *("京ABC345", "京AB2C45", "京AB23C5", "京AB234C", "京A1BC45", "京A1B3C5", "京A1B34C"),
    *("京A12BC5", "京A12B4C", "京A123BC"),
    *("京AD12345", "京AFA2345", "京A12345F", "京AB123学", "粤ZA123澳", "沪A0023领", "使014578", "京O1234警"),
]
# One of each form that kinds of their own have, in the order of the yaml.
OF_KINDS = [
    *("京A1234学", "沪BC123学", "粤C1D34学", "川D12E4学"),
    *("冀A1234挂", "鲁BC123挂", "豫C1D34挂", "苏D123E挂"),
    *("浙AD12345", "浙AFA1345", "闽A12345D", "赣C12345F"),
    *("京A1234警", "津AB123警", "晋A1B34警", "辽O1234警", "吉A123B警"),
    *("军K12345", "粤Z1234港", "粤ZF123港", "粤ZA123澳", "粤Z1234澳", "沪A1234领", "使123456"),
    *("皖1946673", "民航A1234", "民航12345"),
]
NOT_ALLOWED = [
    *("京ABCD45", "京NAPAF8", "京ABCDEF"),  # three letters and more
    *("京AA12345", "京ADAB345", "京A1234DD", "京A1234D", "京A123456"),  # not of new energy
    *("军AB2345", "使A14578", "民B12345", "粤A1234港", "京AB1C3学"),
]


def test_texts_of_no_form_are_refused_by_the_rule() -> None:
    rule = load_forms(FILE)
    assert [text for text in [*ALLOWED, *OF_KINDS] if not rule(list(text))] == []
    not_allowed = [text for text in NOT_ALLOWED if rule(list(text))]
    assert not_allowed == ["京A1234D"]  # of seven characters: a blue plate
    assert rule([*"京A12345", ""])
    with pytest.raises(UserError, match=r"forms 'configs/tasks/words\.yaml': holds no kinds of plates"):
        load_forms("configs/tasks/words.yaml")


def test_every_form_of_every_kind_has_a_plate_here() -> None:
    layout = plate_layout_of(read_yaml(shipped(FILE))["plates"])
    plates = [*(label.split()[0] for label in KINDS.values()), *ALLOWED, *OF_KINDS]
    for kind in layout.kinds:
        for form in kind.texts:
            choices = [layout.alphabets.get(c, c) for c in form]
            assert any(
                len(plate) == len(choices) and all(c in of for c, of in zip(plate, choices, strict=True))
                for plate in plates
            ), (kind.name, form)


def test_each_form_of_a_label_is_read_and_bad_plates_are_counted_by_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (48, 144, 3), dtype=np.uint8)
    labels = {
        "text.png": "京A12345",
        "attributes.png": "粤BAQ286 colour=yellow rows=double",
        "ids.png": "14 1 2 30 17 31 30 12 0 0",
        "open.png": "14 1 2 30 17 31 30 -1 -1 0",
        "corners.png": "沪AF71017 corners=60,5,130,9,128,40,58,33",
        "i.png": "京AI2345",
        "late.png": "京A1学345",
        "long.png": "京A123456D",
        "short.png": "京A1234",
        "red.png": "京A12345 colour=red",
        "point.png": "京A12345 corners=1,2,3",
    }
    folder = tmp_path / "plates"
    folder.mkdir()
    for name in labels:
        cv2.imwrite(str(folder / name), picture)
    written = "".join(f"{name}\t{label}\n" for name, label in labels.items())
    (folder / "labels.tsv").write_text(written, encoding="utf-8")
    report = tmp_path / "report.json"
    check = ["--task=plates", "--json", str(report)]
    data = ["--train_dataset=folder", f"--train_dataset_path={folder}"]
    assert check_program.main([*check, *data]) == 0, capsys.readouterr().err
    (checked,) = json.loads(report.read_text(encoding="utf-8"))["sets"]
    assert checked["kept"] == 5
    assert checked["labels"]["refused"] == {
        "character not allowed at its position": 2,
        "more characters than positions": 1,
        "fewer characters than positions": 1,
        "unknown attribute or value": 1,
    }
    # The text in the name of the file.
    named = tmp_path / "named"
    named.mkdir()
    for name in ("京A12345_1.jpg", "军A12345_7.jpg", "京AO2345_2.jpg", "京A123_3.jpg"):
        (named / name).write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    data = ["--train_dataset=folder:{text}_*.jpg|{text}.jpg", f"--train_dataset_path={named}"]
    assert check_program.main([*check, *data]) == 0, capsys.readouterr().err
    (checked,) = json.loads(report.read_text(encoding="utf-8"))["sets"]
    assert (checked["kept"], checked["labels"]["refused"]) == (
        2,
        {"character not allowed at its position": 1, "fewer characters than positions": 1},
    )


def model(own: PositionsCodec) -> Artifact:
    return Artifact(own, Preprocessing(48, 144), PositionsNetwork("resnet18"), task="positions")


def test_decoding_with_forms_takes_the_most_probable_text_that_has_one() -> None:
    own = codec()
    logits = np.zeros((10, 1, own.num_classes), np.float32)
    for t, i in enumerate(own.encode("京ABCD45 colour=blue rows=single")):
        logits[t, 0, i] = 8
    logits[5, 0, own.encode("京ABC445 colour=blue rows=single")[5]] = 9  # 4 was right all along
    logits[3, 0, own.encode("京AB8D45 colour=blue rows=single")[3]] = 7  # 8, less probable than C
    logits[4, 0, own.encode("京ABC345 colour=blue rows=single")[4]] = 6  # 3, still less
    plain = model(own).decoder(Decoding()).best(logits, 1)[0][0]
    ruled = model(own).decoder(Decoding(forms=FILE)).best(logits, 1)[0][0]
    assert plain.text == "京ABCD45"
    assert ruled.text == "京AB8D45"
    assert ruled.confidence < plain.confidence


def test_the_weakest_position_decides_over_a_plate() -> None:
    own = PositionsCodec(layout_of({"text": ["AB", "AB", "AB"], "attributes": [["x", "y"]]}))
    shares = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.5, 0.5]])
    logits = np.log(shares)[:, None].astype(np.float32)
    product, weakest = (PositionsDecoder(own, by_weakest=flag) for flag in (False, True))
    assert product.best(logits, 1)[0][0].confidence == pytest.approx(0.9 * 0.6 * 0.8)
    (reading,) = weakest.best(logits, 1)[0]
    assert (reading.text, reading.confidence) == ("ABB", pytest.approx(0.6))
    # At another temperature, as calibration asks for it.
    half = np.sqrt(shares[1]) / np.sqrt(shares[1]).sum()
    found = weakest.probabilities(logits / 2, [[0, 1, 1, 0]])
    assert found.tolist() == pytest.approx([half[1]])
    assert "weakest" in weakest.name and "weakest" not in product.name


def test_ctc_knows_neither_forms_nor_positions() -> None:
    words = Artifact(Charset("ab"), Preprocessing(32, 100), _crnn(), task="ctc")
    for decoding, message in (
        (Decoding(forms=FILE), "forms 'configs/tasks/plates.yaml' is for output positions"),
        (Decoding(confidence="weakest"), "confidence 'weakest' is for output positions"),
    ):
        with pytest.raises(UserError, match=message):
            words.decoder(decoding)


def _crnn() -> object:
    from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec

    return NetworkSpec("V2")


def test_the_task_s_own_renderer_takes_every_label() -> None:
    options = load_options(TrainOptions, ["--task=plates", "--train_dataset=render"])
    assert options.renderer == "plates"
    own = KIND.codec_from(options)
    layout = plate_layout_of(options.plates)
    for kind in layout.kinds:
        for form in kind.drawn:
            text = "".join(layout.alphabets.get(c, c)[0] for c in form)
            assert own.refusal(text + kind.labels) is None, text


def test_wrong_labels_are_written_the_most_confident_first(tmp_path: Path) -> None:
    from crnn_mindspore.evaluation.evaluator import ImageReading, compare_readings
    from crnn_mindspore.evaluation.metric import create_protocol
    from crnn_mindspore.evaluation.prediction_file import save_suspects
    from crnn_mindspore.text.decoder import Decoded

    read = [("京A1", "京A1", 0.9), ("京A2", "京A7", 0.5), ("京A3", "京B3", 0.8), ("京A4", None, 0.0)]
    readings = [
        ImageReading(i, f"{i}.jpg", truth, None if text is None else Decoded(text, confidence, text))
        for i, (truth, text, confidence) in enumerate(read)
    ]
    evaluation = compare_readings(readings, "positions", create_protocol("charset", Charset("京AB12347")))
    path = tmp_path / "suspects.tsv"
    assert save_suspects(evaluation, str(path)) == 2
    assert path.read_text(encoding="utf-8").splitlines() == [
        "path\tlabel\treading\tconfidence",
        "2.jpg\t京A3\t京B3\t0.800000",
        "1.jpg\t京A2\t京A7\t0.500000",
    ]
    assert eval_program.main([f"--suspects={path}", "--eval_dataset=all", "--eval_dataset_path=x"]) == 2
