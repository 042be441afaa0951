"""Confidences that mean what they say: how far they are off, and the temperature that puts them right."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.ctc import Floats
from crnn_mindspore.text.decoder import Decoded, Decoder, ImageLexicons, Part

Booleans = npt.NDArray[np.bool_]

LOG_TEMPERATURES = np.linspace(np.log(0.05), np.log(20), 25)
_LEAST_PROBABILITY = 1e-12


def expected_calibration_error(confidences: Floats, correct: Booleans, bins: int = 10) -> float:
    """Mean distance between confidence and accuracy, over bins of equally many words.

    Args:
        confidences: (n,) between 0 and 1, n at least 1.
        correct: (n,) whether each reading is right.
        bins: Number of bins; as many as words where there are fewer words.

    Source: Naeini et al. 2015, with the bins of equal mass of Nguyen and O'Connor 2015.
    """
    order = np.argsort(confidences, kind="stable")
    total = 0.0
    for members in np.array_split(order, min(bins, len(order))):
        total += len(members) * abs(float(confidences[members].mean() - correct[members].mean()))
    return total / len(order)


def coverage_at_accuracy(
    confidences: Floats, correct: Booleans, accuracy: float = 0.99
) -> tuple[float, float]:
    """The largest share of words, the most confident ones, that is right with the given accuracy.

    Words of equal confidence are accepted together or not at all.

    Returns:
        The share and the lowest confidence in it; (0, inf) where no share is that accurate.
    """
    order = np.argsort(-confidences, kind="stable")
    ranked = confidences[order]
    counts = np.arange(1, len(order) + 1)
    right = np.cumsum(correct[order])
    # Compared as counts of errors: 99 right of 100 must not fail by the rounding of a quotient.
    is_accurate = counts - right <= (1 - accuracy) * counts + 1e-9
    is_cut = np.append(ranked[1:] < ranked[:-1], True)
    cuts = np.flatnonzero(is_accurate & is_cut)
    if not len(cuts):
        return 0.0, float("inf")
    return float(counts[cuts[-1]] / len(order)), float(ranked[cuts[-1]])


def negative_log_likelihood(confidences: Floats, correct: Booleans) -> float:
    """Mean of -log of the probability that the confidences give to what happened, right or wrong."""
    likely = np.where(correct, confidences, 1 - confidences)
    return float(-np.log(np.maximum(likely, _LEAST_PROBABILITY)).mean())


def fit_temperature(confidences_at: Callable[[float], Floats], correct: Booleans) -> float:
    """The temperature that makes the probability of a reading the probability that it is right.

    It minimises the negative log-likelihood of right and wrong. The likelihood of the true texts, which one
    would minimise to calibrate the whole distribution, is not used: confidence is asked about the reading
    alone, and a truth outside the charset has no likelihood at all.

    Args:
        confidences_at: Temperature -> (N,) the probabilities of the N readings, logits divided by it.
        correct: (N,) whether each is right.

    Raises:
        UserError: If all readings are right, or all wrong: then no temperature is best.

    Source: Guo et al. 2017, section 4.2, for one temperature; the likelihood is that of Platt 1999.
    """
    if correct.all() or not correct.any():
        kind = "right" if len(correct) and correct.all() else "wrong"
        raise UserError(
            f"calibration needs right and wrong readings, but all {len(correct):,} of this data set "
            f"are {kind}"
        )

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(confidences_at(float(np.exp(log_temperature))), correct)

    nearest = int(np.argmin([loss(t) for t in LOG_TEMPERATURES]))
    low = LOG_TEMPERATURES[max(nearest - 1, 0)]
    high = LOG_TEMPERATURES[min(nearest + 1, len(LOG_TEMPERATURES) - 1)]
    from scipy.optimize import minimize_scalar  # not needed to read

    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


class CalibratedDecoder(Decoder):
    """Another decoder's readings with the confidence at a temperature; the texts stay the same.

    Args:
        decoder: Reads.
        temperature: Divides the logits before the probability of each reading is computed.
    """

    def __init__(self, decoder: Decoder, temperature: float) -> None:
        super().__init__(decoder.codec)
        self.name = decoder.name
        self.decoder = decoder
        self.temperature = temperature

    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """Readings of N images from logits (T, N, C), in the other decoder's order."""
        readings = self.decoder.best(logits, count, lexicons)
        images = [n for n, own in enumerate(readings) for _ in own]
        targets = [self.decoder.target(reading) for own in readings for reading in own]
        repeated = logits if count == 1 else logits[:, images]
        confidences = iter(self.decoder.probabilities(repeated / self.temperature, targets))

        def cooled(reading: Decoded) -> Decoded:
            confidence = float(next(confidences))
            is_none = not reading.text and reading.confidence == 0  # no word of a lexicon could be read
            return reading if is_none else replace(reading, confidence=confidence)

        return [[cooled(reading) for reading in own] for own in readings]

    def probabilities(self, logits: Floats, targets: Sequence[Sequence[int]]) -> Floats:
        """Those of the decoder that reads."""
        return self.decoder.probabilities(logits, targets)

    def parts(self, logits: Floats, target: Sequence[int]) -> list[Part]:
        """Those of the decoder that reads."""
        return self.decoder.parts(logits, target)

    def notes(self) -> list[str]:
        """What the decoder that reads noticed."""
        return self.decoder.notes()
