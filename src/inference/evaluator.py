"""Evaluation of a model on a data set: in order, every word counted."""

import csv
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from src.data.loader import Batch, EvalLoader
from src.data.word_dataset import WordDataset
from src.inference.backend import Backend
from src.metric import Accuracy, CRNNAccuracy, Protocol, create_protocol
from src.progress_bar import progress_bar
from src.text.greedy import Decoded, GreedyDecoder

_logger = logging.getLogger(__name__)

Forward = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
Decoder = Callable[[npt.NDArray[np.floating]], list[Decoded]]


_UNREADABLE = Decoded(text="", confidence=0.0, raw="")


@dataclass(frozen=True)
class ImageReading:
    """What was made of one image; `reading` is None where the image could not be read."""

    name: str
    truth: str
    reading: Decoded | None


@dataclass(frozen=True)
class Prediction:
    """One evaluated image; `raw` is the best path before collapsing, '-' for the blank."""

    path: str
    truth: str
    prediction: str
    confidence: float
    correct: bool
    readable: bool
    raw: str


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        accuracy: Words right and total, rates, 95 % interval, 1-NED.
        protocol: Name of the protocol the words were compared under.
        unreadable: Images that could not be read; they count as wrong.
        empty_truths: Words without a character the protocol compares; left out of `accuracy`.
        words_per_second: From image bytes to texts; 0 where the reading was not timed.
        predictions: Every counted image, in the order of the data set.
    """

    accuracy: Accuracy
    protocol: str
    unreadable: int
    empty_truths: int
    words_per_second: float
    predictions: list[Prediction] = field(repr=False)

    def lines(self) -> list[str]:
        """The contract's two lines, then one that says how the figure came about."""
        a = self.accuracy
        notes = [
            f"word accuracy {a.word_accuracy:.2%} "
            f"(95 % interval {a.interval_low:.2%} to {a.interval_high:.2%})",
            f"1-NED {a.ned:.4f}",
            f"protocol {self.protocol}",
        ]
        if self.words_per_second:
            notes.append(f"{self.words_per_second:.0f} words/s")
        if self.unreadable:
            notes.append(f"{self.unreadable} unreadable images counted as wrong")
        if self.empty_truths:
            notes.append(f"{self.empty_truths} words left out: nothing to compare under this protocol")
        return [
            f"correct num: {a.correct} , total num: {a.total}",
            f"result: {{'CRNNAccuracy': {a.word_accuracy}}}",
            ", ".join(notes),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The figures without the predictions, for JSON."""
        return {
            **self.accuracy.as_dict(),
            "protocol": self.protocol,
            "unreadable": self.unreadable,
            "empty_truths": self.empty_truths,
            "words_per_second": self.words_per_second,
        }


def evaluate(
    forward: Forward,
    decoder: Decoder,
    batches: Iterable[Batch],
    protocol: Protocol,
    on_batch: Callable[[int], None] | None = None,
) -> Evaluation:
    """Reads every batch and compares.

    Args:
        forward: Images (N, 3, H, W) -> logits (T, N, C).
        decoder: Logits -> readings.
        batches: In order; the last may be smaller.
        protocol: What counts as equal.
        on_batch: Called with the number of images after each batch, for progress.

    Raises:
        UserError: If there is no word to count.
    """

    def readings() -> Iterator[ImageReading]:
        for batch in batches:
            decoded = decoder(forward(batch.images))
            for name, truth, reading, readable in zip(
                batch.names, batch.texts, decoded, batch.readable, strict=True
            ):
                # An unreadable image is wrong whatever the network makes of its blank stand-in.
                yield ImageReading(name, truth, reading if readable else None)
            if on_batch is not None:
                on_batch(len(batch))

    start = time.perf_counter()
    evaluation = compare_readings(readings(), protocol)
    seconds = time.perf_counter() - start
    words = len(evaluation.predictions) + evaluation.empty_truths
    return replace(evaluation, words_per_second=words / seconds)


def compare_readings(readings: Iterable[ImageReading], protocol: Protocol) -> Evaluation:
    """Counts what was read right, whoever read it; the speed is left open.

    Raises:
        UserError: If there is no word to count.
    """
    metric = CRNNAccuracy(protocol)
    predictions: list[Prediction] = []
    empty = 0
    for image in readings:
        if not protocol.normalize(image.truth):
            empty += 1
            continue
        reading = image.reading or _UNREADABLE
        (correct,) = metric.update([reading.text], [image.truth])
        readable = image.reading is not None
        predictions.append(
            Prediction(
                image.name, image.truth, reading.text, reading.confidence, correct, readable, reading.raw
            )
        )
    return Evaluation(
        accuracy=metric.eval(),
        protocol=protocol.name,
        unreadable=sum(not p.readable for p in predictions),
        empty_truths=empty,
        words_per_second=0.0,
        predictions=predictions,
    )


def evaluate_dataset(
    backend: Backend, dataset: WordDataset, batch_size: int, protocol_name: str = "auto", num_workers: int = 2
) -> Evaluation:
    """Evaluates a model on a data set with greedy decoding and a progress bar.

    Args:
        backend: The model.
        dataset: Made with `for_training=False` and the model's own charset and preprocessing.
        batch_size: Images a batch; the result does not depend on it.
        protocol_name: See `create_protocol`.
        num_workers: Background threads that prepare images.

    Raises:
        UserError: If the protocol is unknown or there is no word to count.
    """
    charset = backend.artifact.charset
    loader = EvalLoader(dataset, batch_size, num_workers=num_workers)
    with progress_bar(total=len(dataset), unit="word", desc="evaluating", leave=False) as bar:
        return evaluate(
            backend.forward,
            GreedyDecoder(charset),
            loader,
            create_protocol(protocol_name, charset),
            bar.update,
        )


def save_predictions(evaluation: Evaluation, path: str) -> None:
    """Writes every prediction: a .json file as a list of objects, any other as TSV with a header."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix.lower() == ".json":
        rows = [asdict(p) for p in evaluation.predictions]
        file.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
        return
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, delimiter="\t", lineterminator="\n")
        writer.writerow(["path", "truth", "prediction", "confidence", "correct"])
        for p in evaluation.predictions:
            writer.writerow([p.path, p.truth, p.prediction, f"{p.confidence:.6f}", int(p.correct)])
