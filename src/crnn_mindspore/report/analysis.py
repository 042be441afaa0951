"""Everything a report shows, worked out from one evaluation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.engines.backend import Backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluator import Evaluation, Prediction
from crnn_mindspore.evaluation.metric import create_protocol
from crnn_mindspore.report import statistics
from crnn_mindspore.report.edits import Confusions, count_confusions
from crnn_mindspore.report.shown_images import (
    Normalize,
    Sample,
    Selection,
    is_writable,
    load_samples,
    original_image,
    select,
)
from crnn_mindspore.report.training_log import TrainingCurves
from crnn_mindspore.text.codec import TOO_LONG_FOR_STEPS, Refusal
from crnn_mindspore.text.temperature import expected_calibration_error


@dataclass(frozen=True)
class Subject:
    """What a report is about."""

    model_path: str
    engine: str
    artifact: Artifact
    dataset_name: str
    dataset_path: str


@dataclass(frozen=True)
class Findings:
    """What a report shows.

    Attributes:
        subject: Model and data.
        evaluation: Figures and predictions, as `crnn eval` finds them.
        normalize: The protocol's.
        lengths: Accuracy by word length.
        aspects: Accuracy by width / height; readable images only.
        confusions: Of the characters; readable images only.
        coverage: Accuracy of the readings kept, unreadable images at confidence 0.
        reliability: Confidence against accuracy; only of images that can be read right.
        calibration_error: As `crnn eval --calibrate` prints it, of the same images.
        groups: The images to show.
        unwritable: Words that the charset cannot write.
        too_long: Words that need more time steps than the model has.
        curves: Of the training; empty without a log.
    """

    subject: Subject
    evaluation: Evaluation
    normalize: Normalize
    lengths: list[statistics.Group]
    aspects: list[statistics.Group]
    confusions: Confusions
    coverage: list[statistics.CoveragePoint]
    reliability: list[statistics.ConfidenceBin]
    calibration_error: float
    groups: list[tuple[Selection, list[Sample]]]
    unwritable: int
    too_long: int
    curves: TrainingCurves

    @property
    def unreadable(self) -> list[Prediction]:
        """The predictions of images that could not be read."""
        return [p for p in self.evaluation.predictions if not p.readable]


def work_out(
    subject: Subject,
    backend: Backend,
    dataset: WordDataset,
    evaluation: Evaluation,
    curves: TrainingCurves,
    *,
    images: int,
    batch_size: int,
) -> Findings:
    """Computes the statistics, chooses the images and runs the model on them again.

    Args:
        subject: Model and data.
        backend: The model.
        dataset: What it was evaluated on.
        evaluation: What that found.
        curves: Of the training.
        images: Images in each group.
        batch_size: Images a batch.

    Raises:
        UserError: If the model gives no finite numbers.
    """
    codec, predictions = dataset.codec, evaluation.predictions
    normalize = create_protocol(evaluation.protocol, codec).normalize
    _check_finite(predictions, subject.model_path)
    readable = [p for p in predictions if p.readable]
    fitting = [p for p in readable if p.fits]
    truths = [normalize(p.truth) for p in predictions]
    steps = dataset.preprocessing.time_steps
    return Findings(
        subject=subject,
        evaluation=evaluation,
        normalize=normalize,
        lengths=statistics.by_length([len(t) for t in truths], [p.correct for p in predictions]),
        aspects=statistics.by_aspect(
            [_aspect(dataset, p.index) for p in readable], [p.correct for p in readable]
        ),
        confusions=count_confusions((normalize(p.truth), normalize(p.prediction)) for p in readable),
        coverage=statistics.coverage_curve(
            [p.confidence for p in predictions], [p.correct for p in predictions]
        ),
        reliability=statistics.reliability([p.confidence for p in fitting], [p.correct for p in fitting]),
        calibration_error=_calibration_error(fitting),
        groups=[
            (chosen, load_samples(chosen.predictions, backend, dataset, normalize, batch_size))
            for chosen in select(predictions, normalize, images)
        ],
        unwritable=sum(not is_writable(p.truth, codec, normalize) for p in predictions),
        too_long=sum(_is_too_long(codec.refusal(truth, steps, None)) for truth in truths),
        curves=curves,
    )


def _is_too_long(refusal: Refusal | None) -> bool:
    return refusal is not None and refusal.reason == TOO_LONG_FOR_STEPS


def _calibration_error(predictions: Sequence[Prediction]) -> float:
    if not predictions:
        return 0.0
    confidences = np.array([p.confidence for p in predictions])
    return expected_calibration_error(confidences, np.array([p.correct for p in predictions]))


def _check_finite(predictions: Sequence[Prediction], model_path: str) -> None:
    broken = sum(not math.isfinite(p.confidence) for p in predictions)
    if broken:
        raise UserError(
            f"{model_path}: {broken:,} of {len(predictions):,} readings have no finite confidence: "
            "its weights are damaged"
        )


def _aspect(dataset: WordDataset, index: int) -> float:
    height, width = original_image(dataset, index).shape[:2]
    return width / height
