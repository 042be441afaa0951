"""The calibration of a model: fitted on a data set, kept in a small file beside the model."""

import json
import logging
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from src.errors import UserError
from src.inference.artifact import Artifact
from src.inference.evaluator import Evaluation
from src.text.calibration import (
    Booleans,
    CalibratedDecoder,
    coverage_at_accuracy,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    tempered_confidences,
)
from src.text.ctc import Floats
from src.text.decoder import Decoded, Decoder, ImageLexicons

FORMAT_VERSION = 1
TARGET_ACCURACY = 0.99

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Quality:
    """How well confidences tell right from wrong.

    Attributes:
        ece: Expected calibration error, ten bins of equal mass.
        nll: Negative log-likelihood of right and wrong.
        coverage: Share of the most confident words that is right 99 % of the time.
        threshold: Lowest confidence in that share; None where there is none.
    """

    ece: float
    nll: float
    coverage: float
    threshold: float | None

    @classmethod
    def measure(cls, confidences: Floats, correct: Booleans) -> "Quality":
        """The quality of confidences, given which readings are right."""
        coverage, threshold = coverage_at_accuracy(confidences, correct, TARGET_ACCURACY)
        return cls(
            ece=expected_calibration_error(confidences, correct),
            nll=negative_log_likelihood(confidences, correct),
            coverage=coverage,
            threshold=threshold if math.isfinite(threshold) else None,
        )

    def line(self) -> str:
        """For people."""
        text = f"ECE {self.ece:.4f}, NLL {self.nll:.4f}"
        if self.threshold is None:
            return f"{text}, no share of the words is right {TARGET_ACCURACY:.0%} of the time"
        return (
            f"{text}, {TARGET_ACCURACY:.0%} accuracy on {self.coverage:.2%} of the words "
            f"(confidence at least {self.threshold:.4f})"
        )


@dataclass(frozen=True)
class Calibration:
    """A temperature, and what it is good for.

    Attributes:
        temperature: Divides the logits before the probability of a reading is computed.
        decoder: Name of the decoder whose readings it was fitted on.
        weights_sha256: Hash of the model's parameters.
        words: Readings it was fitted on.
        dataset: Name and path of the data set.
        before: Quality of the confidences as they were.
        after: Quality of the confidences at the temperature, on the same words.
    """

    temperature: float
    decoder: str
    weights_sha256: str
    words: int
    dataset: str
    before: Quality
    after: Quality

    def lines(self) -> list[str]:
        """For the log."""
        return [
            f"calibration: temperature {self.temperature:.4f}, fitted on {self.words:,} words, "
            f"decoder {self.decoder}",
            f"confidence before: {self.before.line()}",
            f"confidence after: {self.after.line()}",
        ]


class LogitRecorder(Decoder):
    """Another decoder's readings; keeps the logits of all the images that passed through, in order."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__(decoder.charset)
        self.name = decoder.name
        self.decoder = decoder
        self._batches: list[Floats] = []

    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """Readings of N images from logits (T, N, C)."""
        self._batches.append(logits)
        return self.decoder.best(logits, count, lexicons)

    def notes(self) -> list[str]:
        """What the decoder that reads noticed."""
        return self.decoder.notes()

    def logits(self, images: Sequence[int]) -> Floats:
        """(T, n, C) of the images at some positions."""
        return np.concatenate(self._batches, axis=1)[:, list(images)]


def calibration_path(model_path: str) -> Path:
    """The file beside a model that holds its calibration."""
    return Path(f"{model_path}.calibration.json")


def fit_calibration(
    recorder: LogitRecorder, evaluation: Evaluation, artifact: Artifact, dataset: str
) -> Calibration:
    """Fits the temperature on an evaluation that `recorder` decoded; unreadable images do not count.

    Raises:
        UserError: If all readings are right or all wrong, or the model has no hash.
    """
    if not artifact.weights_sha256:
        raise UserError(
            "the model's description holds no hash of its weights: a calibration could not be tied to it"
        )
    predictions = [p for p in evaluation.predictions if p.readable]
    correct = np.array([p.correct for p in predictions], dtype=bool)
    charset = artifact.charset
    targets = [charset.encode(p.prediction).tolist() for p in predictions]
    logits = recorder.logits([p.index for p in predictions])
    temperature = fit_temperature(logits, targets, correct, charset.blank)
    before, after = (
        Quality.measure(tempered_confidences(logits, targets, charset.blank, t), correct)
        for t in (1.0, temperature)
    )
    return Calibration(
        temperature=temperature,
        decoder=recorder.name,
        weights_sha256=artifact.weights_sha256,
        words=len(predictions),
        dataset=dataset,
        before=before,
        after=after,
    )


def save_calibration(calibration: Calibration, model_path: str) -> Path:
    """Writes the file beside the model, whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    path = calibration_path(model_path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    record = {"format_version": FORMAT_VERSION, **asdict(calibration)}
    try:
        temporary.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    return path


def load_calibration(model_path: str, artifact: Artifact) -> Calibration | None:
    """The calibration beside a model, None if there is none.

    Raises:
        UserError: If the file is damaged or belongs to other weights; the message names it.
    """
    path = calibration_path(model_path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values.pop("format_version")
        if version != FORMAT_VERSION:
            raise UserError(f"{path}: has format {version!r}; this program reads {FORMAT_VERSION}")
        before, after = Quality(**values.pop("before")), Quality(**values.pop("after"))
        calibration = Calibration(**values, before=before, after=after)
        if not 0 < float(calibration.temperature) < math.inf:
            raise ValueError(f"temperature {calibration.temperature!r}")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a calibration file ({error})") from None
    if calibration.weights_sha256 != artifact.weights_sha256:
        raise UserError(
            f"{path}: was fitted for other weights than those of {model_path}; "
            "remove it, or fit it anew with eval.py --calibrate=True"
        )
    return calibration


def calibrated(decoder: Decoder, model_path: str, artifact: Artifact) -> Decoder:
    """The decoder with the confidences of the calibration beside the model, if there is one for it.

    A temperature is used for the decoder it was fitted for and for no other: the probability of a word chosen
    from a lexicon and that of a free reading are right by different temperatures.

    Raises:
        UserError: See `load_calibration`.
    """
    calibration = load_calibration(model_path, artifact)
    if calibration is None:
        return decoder
    if calibration.decoder != decoder.name:
        _logger.info(
            "%s is for the decoder %s: the confidences of %s are not calibrated",
            calibration_path(model_path),
            calibration.decoder,
            decoder.name,
        )
        return decoder
    return CalibratedDecoder(decoder, float(calibration.temperature))
