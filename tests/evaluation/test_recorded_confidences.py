"""Calibration without the scores of a data set: what is kept of each image, and that it says the same."""

import numpy as np
import pytest

from crnn_mindspore.evaluation.calibrating import ConfidenceRecorder
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.decoders.greedy import GreedyDecoder

TEMPERATURES = (0.3, 0.83, 1.0, 1.37, 2.9)


def logits_of(steps: int, images: int, classes: int, seed: int) -> np.ndarray:
    """(T, N, C), sure of most steps."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (steps, images, classes)).astype(np.float32)
    best = rng.integers(0, classes, (steps, images))
    np.put_along_axis(
        logits, best[..., None], rng.uniform(3, 9, (steps, images, 1)).astype(np.float32), axis=2
    )
    return logits


def test_confidences_at_any_temperature_of_batches_of_several_widths() -> None:
    decoder = GreedyDecoder(Charset("abcdefgh"))
    recorder = ConfidenceRecorder(decoder)
    batches = [logits_of(steps, images, 9, steps) for steps, images in ((11, 5), (5, 3), (11, 2))]
    for logits in batches:
        assert recorder(logits) == decoder(logits)
    places = [9, 0, 6, 5]
    confidences_at = recorder.of_images(places)
    for temperature in TEMPERATURES:
        exact = np.concatenate(
            [decoder.probabilities(b / temperature, [r.ids for r in decoder(b)]) for b in batches]  # type: ignore[misc]
        )
        np.testing.assert_allclose(confidences_at(temperature), exact[places], rtol=0, atol=1e-4)
    assert sum(odds.nbytes for odds in recorder._odds) == 10 * 25 * 8  # whatever T and C


@pytest.mark.parametrize(("classes", "tolerance"), [(9, 1e-12), (5990, 1e-5)])
def test_a_text_needs_the_scores_of_few_classes(classes: int, tolerance: float) -> None:
    """As computed from all of them; with thousands of classes in single precision."""
    charset = Charset([chr(0x4E00 + i) for i in range(classes - 1)])
    decoder = GreedyDecoder(charset)
    logits = logits_of(13, 4, classes, 1)
    targets = [list(r.ids or ()) for r in decoder(logits)]
    targets[1], targets[2] = [], [3, 3, 1]  # nothing, and a repeated class
    at = decoder.confidences(logits, targets)
    for temperature in TEMPERATURES:
        exact = decoder.probabilities(logits.astype(np.float64) / temperature, targets)
        np.testing.assert_allclose(at(temperature), exact, rtol=tolerance, atol=1e-300)
