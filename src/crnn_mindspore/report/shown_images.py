"""The images a report shows: which ones, their pictures, and the model's probabilities over time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from crnn_mindspore.data.image_io import decode_image
from crnn_mindspore.data.loading.loader import load_batches
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.engines.backend import Backend
from crnn_mindspore.evaluation.evaluator import Prediction
from crnn_mindspore.text.codec import Codec
from crnn_mindspore.text.ctc import log_softmax
from crnn_mindspore.text.strip import Strip

Normalize = Callable[[str], str]

_MOST_WIDTH, _MOST_HEIGHT = 600, 240  # pixels of an embedded picture
_JPEG_QUALITY = 80


@dataclass(frozen=True)
class Selection:
    """Predictions that are shown together, and why."""

    title: str
    note: str
    predictions: list[Prediction]


@dataclass(frozen=True)
class Sample:
    """One image to show.

    Attributes:
        prediction: What the evaluation found.
        jpeg: The picture, reduced.
        size: Width and height of the original, pixels.
        strip: Probabilities over the steps; None where a kind of output has none to draw.
        truth_probability: What the model gives the transcription; None if it cannot write it.
    """

    prediction: Prediction
    jpeg: bytes
    size: tuple[int, int]
    strip: Strip | None
    truth_probability: float | None


def select(predictions: Sequence[Prediction], normalize: Normalize, count: int) -> list[Selection]:
    """The groups of a report, at most `count` images each, no image twice, unreadable ones never.

    Args:
        predictions: Of the whole evaluation.
        normalize: The protocol's.
        count: Images in each group.
    """
    readable = [p for p in predictions if p.readable]
    wrong = [p for p in readable if not p.correct]
    distance = {p.index: Levenshtein.distance(normalize(p.truth), normalize(p.prediction)) for p in wrong}
    shown: set[int] = set()

    def first(candidates: Sequence[Prediction]) -> list[Prediction]:
        chosen = [p for p in candidates if p.index not in shown][:count]
        shown.update(p.index for p in chosen)
        return chosen

    selections = [
        Selection(
            "Certain and wrong",
            "The most confident mistakes. Wrong labels are found here, too.",
            first(sorted(wrong, key=lambda p: -p.confidence)),
        ),
        Selection(
            "Furthest from the truth",
            "The most edits between truth and reading.",
            first(sorted(wrong, key=lambda p: (-distance[p.index], -p.confidence))),
        ),
        Selection(
            "Least certain",
            "The lowest confidence, whether right or wrong.",
            first(sorted(readable, key=lambda p: p.confidence)),
        ),
    ]
    right = [p for p in readable if p.correct and p.index not in shown]
    spread = [right[k * len(right) // count] for k in range(count)] if len(right) > count else right
    selections.append(
        Selection("Read right", "Spread evenly over the data set, for comparison.", first(spread))
    )
    return [s for s in selections if s.predictions]


def load_samples(
    predictions: Sequence[Prediction],
    backend: Backend,
    dataset: WordDataset,
    normalize: Normalize,
    batch_size: int,
) -> list[Sample]:
    """Runs the model again on the images to show, because an evaluation keeps no probabilities.

    Args:
        predictions: What to show; all of them readable.
        backend: The model.
        dataset: What it was evaluated on.
        normalize: The protocol's.
        batch_size: Images a batch.
    """
    samples: dict[int, Sample] = {}
    artifact = backend.artifact
    decoder = artifact.decoder()
    by_index = {p.index: p for p in predictions}
    for first in range(0, len(predictions), batch_size):
        indices = [p.index for p in predictions[first : first + batch_size]]
        for batch in load_batches(dataset, indices):
            logits = backend.forward(batch.images)  # (T,N,K)
            probabilities = np.exp(log_softmax(logits))
            targets = [dataset.targets(index).tolist() for index in batch.indices.tolist()]
            of_truths = decoder.probabilities(logits, targets)
            for n, index in enumerate(batch.indices.tolist()):
                prediction, image = by_index[index], original_image(dataset, index)
                is_known = is_writable(prediction.truth, dataset.codec, normalize)
                samples[index] = Sample(
                    prediction=prediction,
                    jpeg=_jpeg(image),
                    size=(image.shape[1], image.shape[0]),
                    strip=artifact.kind.strip(artifact, probabilities[:, n], targets[n]),
                    truth_probability=float(of_truths[n]) if is_known else None,
                )
    return [samples[p.index] for p in predictions]


def is_writable(truth: str, codec: Codec, normalize: Normalize) -> bool:
    """Whether the classes can write something that counts as right under the protocol."""
    return normalize(codec.restrict(truth)) == normalize(truth)


def original_image(dataset: WordDataset, index: int) -> npt.NDArray[np.uint8]:
    """The image as the network's preprocessing gets it, (H, W, 3) uint8 BGR.

    Args:
        dataset: Made for evaluation: its positions are those of its source.
        index: Position in it.

    Raises:
        UnreadableImageError: If it cannot be read.
    """
    return decode_image(dataset.source.image_bytes(index), dataset.name(index))


def _jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    height, width = image.shape[:2]
    scale = min(_MOST_WIDTH / width, _MOST_HEIGHT / height, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
