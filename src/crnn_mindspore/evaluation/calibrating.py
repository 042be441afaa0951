"""Fitting a calibration on an evaluation."""

from collections.abc import Callable, Sequence

import numpy as np

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluator import Evaluation
from crnn_mindspore.reading.calibration import Calibration, Quality
from crnn_mindspore.text.ctc import Floats
from crnn_mindspore.text.decoder import Decoded, Decoder, ImageLexicons, Part
from crnn_mindspore.text.temperature import fit_temperature


class LogitRecorder(Decoder):
    """Another decoder's readings; keeps the logits and class ids of all images that passed, in order."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__(decoder.codec)
        self.name = decoder.name
        self.decoder = decoder
        self._batches: list[Floats] = []
        self._targets: list[list[int]] = []

    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """Readings of N images from logits (T, N, C)."""
        self._batches.append(logits)
        readings = self.decoder.best(logits, count, lexicons)
        self._targets += [self.decoder.target(own[0]) for own in readings]
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

    def logits(self, images: Sequence[int]) -> Floats:
        """(T, n, C) of the images at some positions."""
        return np.concatenate(self._batches, axis=1)[:, list(images)]

    def targets(self, images: Sequence[int]) -> list[list[int]]:
        """Class ids of the readings of the images at some positions."""
        return [self._targets[i] for i in images]


def fit_calibration(
    recorder: LogitRecorder, evaluation: Evaluation, artifact: Artifact, dataset: str, target: float
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
    images = [p.index for p in predictions]
    targets, logits = recorder.targets(images), recorder.logits(images)

    confidences_at = recorder.confidences(logits, targets)
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
