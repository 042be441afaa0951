"""The calibration of a model: fitted on a data set, kept in a small file beside the model."""

import json
import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import load_json
from crnn_mindspore.text.ctc import Floats
from crnn_mindspore.text.decoder import Decoder
from crnn_mindspore.text.temperature import (
    Booleans,
    CalibratedDecoder,
    coverage_at_accuracy,
    expected_calibration_error,
    negative_log_likelihood,
)
from crnn_mindspore.whole_file import whole_file

FORMAT_VERSION = 1
TARGET_ACCURACY = 0.99

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Quality:
    """How well confidences tell right from wrong.

    Attributes:
        ece: Expected calibration error, ten bins of equal mass.
        nll: Negative log-likelihood of right and wrong.
        coverage: Share of the most confident words that has the accuracy `target`.
        threshold: Lowest confidence in that share; None where there is none.
        target: The accuracy that accepted readings are to have.
    """

    ece: float
    nll: float
    coverage: float
    threshold: float | None
    target: float = TARGET_ACCURACY

    @classmethod
    def measure(cls, confidences: Floats, correct: Booleans, target: float = TARGET_ACCURACY) -> "Quality":
        """The quality of confidences, given which readings are right."""
        coverage, threshold = coverage_at_accuracy(confidences, correct, target)
        return cls(
            ece=expected_calibration_error(confidences, correct),
            nll=negative_log_likelihood(confidences, correct),
            coverage=coverage,
            threshold=threshold if math.isfinite(threshold) else None,
            target=target,
        )

    def line(self) -> str:
        """For people."""
        text = f"ECE {self.ece:.4f}, NLL {self.nll:.4f}"
        if self.threshold is None:
            return f"{text}, no share of the words is right {self.target * 100:g}% of the time"
        return (
            f"{text}, {self.target * 100:g}% accuracy on {self.coverage:.2%} of the words "
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


def calibration_path(model_path: str) -> Path:
    """The file beside a model that holds its calibration."""
    return Path(f"{model_path}.calibration.json")


def save_calibration(calibration: Calibration, model_path: str) -> Path:
    """Writes the file beside the model, whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    path = calibration_path(model_path)
    record = {"format_version": FORMAT_VERSION, **asdict(calibration)}
    try:
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    return path


def load_calibration(model_path: str, artifact: Artifact) -> Calibration | None:
    """The calibration beside a model, None if there is none.

    Raises:
        UserError: If the file is damaged or belongs to other weights; the message names it.
    """
    path = calibration_path(model_path)
    try:
        values = load_json(path, is_finite=False)
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
            "remove it, or fit it anew with `crnn eval --calibrate=True`"
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
    temperature = float(calibration.temperature)
    return decoder.at_temperature(temperature) or CalibratedDecoder(decoder, temperature)
