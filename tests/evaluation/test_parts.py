"""An evaluation of positions: parts, mistakes, attributes, alternatives, calibration; counted by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.loading.loader import Batch
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.calibrating import ConfidenceRecorder, fit_calibration
from crnn_mindspore.evaluation.evaluator import Evaluation, evaluate
from crnn_mindspore.evaluation.metric import create_protocol
from crnn_mindspore.evaluation.prediction_file import save_predictions
from crnn_mindspore.tasks.interface import PartMistake
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork
from crnn_mindspore.text.decoder import Decoder
from crnn_mindspore.text.temperature import CalibratedDecoder

LAYOUT = layout_of(
    {
        "text": [{"name": "letter", "classes": "ABC"}, {"name": "digit", "classes": ["0", "1", ""]}],
        "attributes": [{"name": "colour", "classes": ["red", "blue"]}],
    }
)
CODEC = PositionsCodec(LAYOUT)
ARTIFACT = Artifact(
    CODEC, Preprocessing(32, 32), PositionsNetwork("resnet18"), task="positions", weights_sha256="ab"
)
READ = [(0, 0, 0), (1, 1, 0), (1, 2, 1), (2, 0, 1), (0, 1, 1), (2, 2, 0)]  # A0 B1 B C0 A1 C
# right; letter wrong; open and right; attribute wrong, text right; refused; attributes alone
LABELS = ["A0 colour=red", "A1", "1 -1 -1", "C0 colour=red", "Z9", "?? colour=blue"]


def logits_of(read: list[tuple[int, ...]]) -> np.ndarray:
    """(T,N,K) whose best classes are `read`, by 2 and more."""
    found = np.random.default_rng(0).uniform(0, 1, (3, len(read), 3)).astype(np.float32)
    for n, ids in enumerate(read):
        for t, i in enumerate(ids):
            found[t, n, i] += 3
    return found


def batch_of(labels: list[str]) -> Batch:
    n = len(labels)
    return Batch(
        np.zeros((n, 3, 32, 32), np.float32),
        np.zeros((n, 3), np.int32),
        np.full(n, 3, np.int32),
        labels,
        [f"{i}.png" for i in range(n)],
        np.ones(n, bool),
        np.arange(n, dtype=np.int32),
    )


def evaluated(decoder: Decoder | None = None, top_k: int = 1) -> Evaluation:
    return evaluate(
        lambda _: logits_of(READ),
        decoder or ARTIFACT.decoder(),
        [batch_of(LABELS)],
        create_protocol("auto", CODEC),
        details=ARTIFACT.kind.details(ARTIFACT),
        top_k=top_k,
    )


def test_parts_are_counted_as_far_as_they_are_known() -> None:
    found = evaluated()
    assert (found.accuracy.correct, found.accuracy.total) == (3, 5)  # the last label is of no text
    assert [p.index for p in found.not_counted] == [5]
    parts = {name: (share.correct, share.total) for name, share in found.parts.items()}
    assert parts == {
        "positions of the text": (6, 7),
        "position letter": (3, 4),
        "position digit": (3, 3),
        "attribute colour": (1, 3),
    }
    assert found.part_mistakes == [
        PartMistake("letter", "A", "B", 1),
        PartMistake("colour", "red", "blue", 1),
        PartMistake("colour", "blue", "red", 1),
    ]
    assert "position letter 75.00%, position digit 100.00%, attribute colour 33.33%" in found.lines()[3]
    assert found.as_dict()["parts"]["attribute colour"]["total"] == 3


def test_labels_that_do_not_fit_are_named_and_count_as_wrong(tmp_path: Path) -> None:
    found = evaluated()
    assert found.lines()[-1] == (
        "1 counted as wrong, the label does not fit the model: character not allowed at its position "
        "(e.g. 4.png 'Z9' 'Z' at position 'letter', which has ABC)"
    )
    assert found.as_dict()["misfits"] == {"character not allowed at its position": 1}
    assert [p.fits for p in found.predictions] == [True, True, True, True, False]
    save_predictions(found, str(tmp_path / "p.json"))
    rows = json.loads((tmp_path / "p.json").read_text())
    assert [row.get("fits", True) for row in rows] == [True, True, True, True, False, True]


def test_a_file_of_predictions_holds_attributes_and_the_next_texts(tmp_path: Path) -> None:
    found = evaluated(top_k=3)
    save_predictions(found, str(tmp_path / "p.json"))
    rows = json.loads((tmp_path / "p.json").read_text())
    best = ARTIFACT.decoder().best(logits_of(READ)[:, :1], 3)[0]
    assert [a["text"] for a in rows[0]["alternatives"]] == [reading.text for reading in best[1:]]
    assert rows[0]["alternatives"][0]["confidence"] == pytest.approx(best[1].confidence)
    assert rows[2]["attributes"][0]["value"] == "blue"
    save_predictions(found, str(tmp_path / "p.tsv"))
    head, first, *_ = (line.split("\t") for line in (tmp_path / "p.tsv").read_text().splitlines())
    assert head[5:] == ["colour", "prediction_2", "confidence_2", "prediction_3", "confidence_3"]
    assert first[5:7] == ["red", best[1].text]
    assert len(first) == len(head)
    save_predictions(evaluated(), str(tmp_path / "plain.tsv"))
    assert (tmp_path / "plain.tsv").read_text().splitlines()[0].split("\t")[5:] == ["colour"]


def test_a_temperature_is_fitted_on_the_probability_of_the_positions_of_the_text() -> None:
    recorder = ConfidenceRecorder(ARTIFACT.decoder())
    found = evaluated(recorder)
    calibration = fit_calibration(recorder, found, ARTIFACT, "tags", 0.99)
    # Of the label that does not fit the model no reading can be right: it says nothing of confidences.
    assert calibration.words == 4
    logits, correct = logits_of(READ)[:, :5].astype(np.float64), [p.correct for p in found.predictions]

    def confidences_at(temperature: float) -> list[float]:
        values = []
        for n, ids in enumerate(READ[:5]):
            product = 1.0
            for t in range(2):
                row = np.exp(logits[t, n] / temperature)
                product *= row[ids[t]] / row.sum()
            values.append(product)
        return values

    def loss(temperature: float) -> float:
        pairs = zip(confidences_at(temperature)[:4], correct[:4], strict=True)
        return -sum(np.log(p if is_right else 1 - p) for p, is_right in pairs)

    # No temperature nearby is better.
    best = calibration.temperature
    assert best != pytest.approx(1, abs=0.05)
    assert loss(best) <= min(loss(best * 0.99), loss(best * 1.01))
    after = evaluated(CalibratedDecoder(ARTIFACT.decoder(), best))
    assert [p.confidence for p in after.predictions] == pytest.approx(confidences_at(best), rel=1e-4)
    assert [p.prediction for p in after.predictions] == [p.prediction for p in found.predictions]


def test_labels_that_are_more_than_texts_are_compared_by_the_charset() -> None:
    digits = PositionsCodec(layout_of({"text": ["01", "01"]}))
    protocol = create_protocol("auto", digits)
    assert protocol.name == "charset"
    assert protocol.agrees("01", protocol.normalize("0?"))
    with pytest.raises(UserError, match="classic"):
        create_protocol("classic", digits)
