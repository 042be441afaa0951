"""Fitting a calibration on an evaluation."""

from collections.abc import Callable, Sequence

import numpy as np

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluator import Evaluation
from crnn_mindspore.reading.calibration import Calibration, Quality
from crnn_mindspore.text.ctc import Floats
from crnn_mindspore.text.decoder import Decoded, Decoder, ImageLexicons, Part
from crnn_mindspore.text.temperature import LOG_TEMPERATURES, fit_temperature


class ConfidenceRecorder(Decoder):
    """Another decoder's readings; keeps of each image how sure its reading is at 25 temperatures.

    What lies between is interpolated by a cubic spline, of log-odds over the logarithm of the temperature.
    So the scores of a data set, megabytes an image with thousands of classes, are not kept.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__(decoder.codec)
        self.name = decoder.name
        self.decoder = decoder
        self._odds: list[Floats] = []

    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """Readings of N images from logits (T, N, C)."""
        readings = self.decoder.best(logits, count, lexicons)
        confidences_at = self.decoder.confidences(logits, [self.decoder.target(own[0]) for own in readings])
        self._odds.append(_log_odds(np.stack([confidences_at(t) for t in np.exp(LOG_TEMPERATURES)], axis=1)))
        return readings

    def probabilities(self, logits: Floats, targets: Sequence[Sequence[int]]) -> Floats:
        """Those of the decoder that reads."""
        return self.decoder.probabilities(logits, targets)

    def confidences(self, logits: Floats, targets: Sequence[Sequence[int]]) -> Callable[[float], Floats]:
        """Those of the decoder that reads."""
        return self.decoder.confidences(logits, targets)

    def parts(self, logits: Floats, target: Sequence[int]) -> list[Part]:
        """Those of the decoder that reads."""
        return self.decoder.parts(logits, target)

    def notes(self) -> list[str]:
        """What the decoder that reads noticed."""
        return self.decoder.notes()

    def of_images(self, places: Sequence[int]) -> Callable[[float], Floats]:
        """Temperature -> confidences of the readings of images, by their places in the order of reading."""
        from scipy.interpolate import CubicSpline  # not needed to read

        spline = CubicSpline(LOG_TEMPERATURES, np.concatenate(self._odds)[list(places)], axis=1)
        return lambda temperature: 1 / (1 + np.exp(-np.clip(spline(np.log(temperature)), *_log_odds(_RANGE))))


_RANGE = np.array([1e-26, 1 - 2.0**-53])  # of confidences: what keeps log-odds finite


def _log_odds(confidences: Floats) -> Floats:
    kept = np.clip(confidences, *_RANGE)
    return np.log(kept) - np.log1p(-kept)


def fit_calibration(
    recorder: ConfidenceRecorder, evaluation: Evaluation, artifact: Artifact, dataset: str, target: float
) -> Calibration:
    """Fits the temperature on an evaluation that `recorder` decoded.

    Images that cannot be read and those whose label does not fit the model do not count: none of them can be
    read right.

    Args:
        recorder: The decoder of the evaluation.
        evaluation: Without calibration.
        artifact: Of the model.
        dataset: Name and path, for the record.
        target: Accuracy that readings above the threshold are to have.

    Raises:
        UserError: If all readings are right or all wrong, or the model has no hash.
    """
    if not artifact.weights_sha256:
        raise UserError(
            "the model's description holds no hash of its weights: a calibration could not be tied to it"
        )
    predictions = [p for p in evaluation.predictions if p.readable and p.fits]
    correct = np.array([p.correct for p in predictions], dtype=bool)
    places = {index: place for place, index in enumerate(evaluation.order)}
    confidences_at = recorder.of_images([places[p.index] for p in predictions])
    temperature = fit_temperature(confidences_at, correct)
    before, after = (Quality.measure(confidences_at(t), correct, target) for t in (1.0, temperature))
    return Calibration(
        temperature=temperature,
        decoder=recorder.name,
        weights_sha256=artifact.weights_sha256,
        words=len(predictions),
        dataset=dataset,
        before=before,
        after=after,
    )
