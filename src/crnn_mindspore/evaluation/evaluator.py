"""Evaluation of a model on a data set: in order, every word counted."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.loading.loader import Batch, EvalLoader
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.sources.samples import FilterReport
from crnn_mindspore.engines.backend import Backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.metric import Accuracy, CRNNAccuracy, Protocol, create_protocol
from crnn_mindspore.progress_bar import progress_bar
from crnn_mindspore.tasks.interface import Details, PartMistake
from crnn_mindspore.text.decoder import Attribute, Decoded, Decoder
from crnn_mindspore.text.interval import Share

_logger = logging.getLogger(__name__)

Forward = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
LossOf = Callable[[npt.NDArray[np.float32], Batch], npt.NDArray[np.float32]]


_UNREADABLE = Decoded(text="", confidence=0.0, raw="")


@dataclass(frozen=True)
class ImageReading:
    """What was made of one image; `reading` is None where the image could not be read.

    `index` is the position in the data set, `others` the next most probable readings, where asked for.
    """

    index: int
    name: str
    truth: str
    reading: Decoded | None
    others: Sequence[Decoded] = ()


@dataclass(frozen=True)
class Alternative:
    """Another text the image may show, and its probability."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Prediction:
    """One evaluated image.

    Attributes:
        path: What is printed for the image.
        truth: The transcription as the annotation gives it.
        prediction: What was read; empty for an unreadable image.
        confidence: Probability of the reading, between 0 and 1; 0 for an unreadable image.
        correct: Whether both are equal under the protocol.
        readable: Whether the image could be read.
        raw: The network's best path before collapsing, '-' for the blank.
        index: Position in the data set.
        rejected: Whether the confidence is below the threshold of the evaluation.
        fits: Whether a reading can be right at all: the label is one of the model's.
        attributes: What was read beside the text.
        alternatives: The next most probable texts, where they were asked for.
    """

    path: str
    truth: str
    prediction: str
    confidence: float
    correct: bool
    readable: bool
    raw: str
    index: int
    rejected: bool = False
    fits: bool = True
    attributes: tuple[Attribute, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        accuracy: Words right and total, rates, 95 % intervals, 1-NED.
        protocol: Name of the protocol the words were compared under.
        decoder: Name of the decoder.
        unreadable: Images that could not be read; they count as wrong.
        empty_truths: Words without a character the protocol compares; left out of `accuracy`.
        words_per_second: From image bytes to texts; 0 where the reading was not timed.
        predictions: Every counted image, in the order of the data set.
        not_counted: The images of `empty_truths`, in the order of the data set.
        reject_below: Readings with a lower confidence are rejected; `accuracy` counts them all the same.
        part_of: Images of the data set where only some of them were read; 0: all were.
        loss: Mean over the images whose label can be learnt; None where it was not computed.
        parts: Name of each part of a reading -> how often it is right; none of a kind that has no parts.
        part_mistakes: What was confused in these parts, the most frequent first.
        misfits: The labels that do not fit the model and count as wrong, by reason.
        top: Truths among the texts that were asked for of each image; None where one alone was.
        top_k: How many those are at most.
        order: Positions in the data set in the order in which they were read: batches may go by width.
    """

    accuracy: Accuracy
    protocol: str
    decoder: str
    unreadable: int
    empty_truths: int
    words_per_second: float
    predictions: list[Prediction] = field(repr=False)
    reject_below: float = 0.0
    part_of: int = 0
    not_counted: list[Prediction] = field(default_factory=list, repr=False)
    loss: float | None = None
    parts: Mapping[str, Share] = field(default_factory=dict)
    part_mistakes: Sequence[PartMistake] = field(default=(), repr=False)
    misfits: FilterReport = field(default_factory=FilterReport, repr=False)
    top: Share | None = None
    top_k: int = 1
    order: Sequence[int] = field(default=(), repr=False)

    def lines(self) -> list[str]:
        """The contract's two lines, one that says how the figure came about, one about rejection if asked.

        What was read of a part of the data set is not its accuracy and does not get the contract's lines.
        """
        a = self.accuracy
        what = f"right of this part {a.correct} of {a.total}," if self.part_of else "word accuracy"
        notes = [
            f"{what} {a.word_accuracy:.2%} (95 % interval {a.interval_low:.2%} to {a.interval_high:.2%})",
            f"1-CER {a.character_accuracy:.2%} ({a.character_low:.2%} to {a.character_high:.2%})",
            f"1-NED {a.ned:.4f}",
            f"protocol {self.protocol}",
            f"decoder {self.decoder}",
        ]
        if self.loss is not None:
            notes.insert(3, f"loss {self.loss:.6f}")
        if self.words_per_second:
            notes.append(f"{self.words_per_second:.0f} words/s")
        if self.unreadable:
            notes.append(f"{self.unreadable} unreadable images counted as wrong")
        if self.empty_truths:
            notes.append(f"{self.empty_truths} words left out: nothing to compare under this protocol")
        if self.part_of:
            images = a.total + self.empty_truths
            notes.insert(0, f"partial evaluation, {images:,} of {self.part_of:,} images")
            return [", ".join(notes), *self.misfit_lines()]
        return [
            f"correct num: {a.correct} , total num: {a.total}",
            f"result: {{'CRNNAccuracy': {a.word_accuracy}}}",
            ", ".join(notes),
            *([self.top_line(self.top)] if self.top else []),
            *([self.parts_line()] if self.parts else []),
            *([self.rejection_line()] if self.reject_below else []),
            *self.misfit_lines(),
        ]

    def misfit_lines(self) -> list[str]:
        """The labels that do not fit the model: for each reason how many, with examples."""
        wrong = "counted as wrong, the label does not fit the model"
        return [f"{count:,} {wrong}: {reason}" for count, reason in self.misfits.reasons()]

    def top_line(self, top: Share) -> str:
        """How often the truth is among the most probable texts."""
        low, high = top.interval
        found = f"among the {self.top_k} most probable {top.rate:.2%}"
        return f"{found} (95 % interval {low:.2%} to {high:.2%})"

    def parts_line(self) -> str:
        """How often each part of a reading is right."""
        return ", ".join(f"{name} {share.rate:.2%}" for name, share in self.parts.items())

    def rejection_line(self) -> str:
        """How many words are accepted, and how accurate those are."""
        accepted, right = self._accepted()
        text = (
            f"accepted (confidence at least {self.reject_below:g}): "
            f"{accepted} of {self.accuracy.total} words, coverage {accepted / self.accuracy.total:.2%}"
        )
        return f"{text}, word accuracy of these {right / accepted:.2%}" if accepted else text

    def _accepted(self) -> tuple[int, int]:
        """Words that are not rejected, and how many of them are right."""
        accepted = [p.correct for p in self.predictions if not p.rejected]
        return len(accepted), sum(accepted)

    def as_dict(self) -> dict[str, Any]:
        """The figures without the predictions, for JSON."""
        rejection: dict[str, Any] = {}
        if self.reject_below:
            accepted, right = self._accepted()
            rejection = {
                "reject_below": self.reject_below,
                "accepted": accepted,
                "accepted_correct": right,
                "coverage": accepted / self.accuracy.total,
            }
        return {
            **self.accuracy.as_dict(),
            "protocol": self.protocol,
            "decoder": self.decoder,
            "unreadable": self.unreadable,
            "empty_truths": self.empty_truths,
            "words_per_second": self.words_per_second,
            **({"part_of": self.part_of} if self.part_of else {}),
            **({"misfits": self.misfits.dropped} if self.misfits.dropped else {}),
            **({"top_k": self.top_k, "top": self.top.as_dict()} if self.top else {}),
            **({"parts": {name: s.as_dict() for name, s in self.parts.items()}} if self.parts else {}),
            **rejection,
        }


def evaluate(
    forward: Forward,
    decoder: Decoder,
    batches: Iterable[Batch],
    protocol: Protocol,
    on_batch: Callable[[int], None] | None = None,
    reject_below: float = 0.0,
    loss_of: LossOf | None = None,
    details: Details | None = None,
    top_k: int = 1,
) -> Evaluation:
    """Reads every batch and compares.

    Args:
        forward: Images (N, 3, H, W) -> logits (T, N, C).
        decoder: Logits -> readings.
        batches: In order; the last may be smaller.
        protocol: What counts as equal.
        on_batch: Called with the number of images after each batch, for progress.
        reject_below: Readings with a lower confidence are marked as rejected.
        loss_of: Logits and their batch -> the losses of the images that have one.
        details: Counts the parts of readings; new.
        top_k: Texts wanted of each image: the reading and `top_k - 1` alternatives.

    Raises:
        UserError: If there is no word to count.
    """
    losses: list[npt.NDArray[np.float32]] = []
    order: list[int] = []

    def readings() -> Iterator[ImageReading]:
        for batch in batches:
            logits = forward(batch.images)
            order.extend(batch.indices.tolist())
            if loss_of is not None:
                losses.append(loss_of(logits, batch))
            for i, (reading, *others) in enumerate(decoder.best(logits, top_k, batch.lexicons)):
                image = int(batch.indices[i]), batch.names[i], batch.texts[i]
                # An unreadable image is wrong whatever the network makes of its blank stand-in.
                yield (
                    ImageReading(*image, reading, others) if batch.readable[i] else ImageReading(*image, None)
                )
            if on_batch is not None:
                on_batch(len(batch))

    start = time.perf_counter()
    evaluation = compare_readings(readings(), decoder.name, protocol, reject_below, details)
    seconds = time.perf_counter() - start
    evaluation.predictions.sort(key=lambda prediction: prediction.index)  # batches may go by width
    words = len(evaluation.predictions) + evaluation.empty_truths
    every = np.concatenate(losses) if losses else np.zeros(0)
    loss = float(every.mean(dtype=np.float64)) if every.size else None
    top = _top(evaluation, protocol) if top_k > 1 else None
    return replace(evaluation, words_per_second=words / seconds, loss=loss, top=top, top_k=top_k, order=order)


def _top(evaluation: Evaluation, protocol: Protocol) -> Share:
    """How often one of the texts of an image is right."""

    def is_among(p: Prediction) -> bool:
        truth = protocol.normalize(p.truth)
        return any(protocol.agrees(protocol.normalize(other.text), truth) for other in p.alternatives)

    found = [p.correct or (p.readable and is_among(p)) for p in evaluation.predictions]
    return Share(sum(found), len(found))


def compare_readings(
    readings: Iterable[ImageReading],
    decoder_name: str,
    protocol: Protocol,
    reject_below: float = 0.0,
    details: Details | None = None,
) -> Evaluation:
    """Counts what was read right, whoever read it; the speed is left open.

    Raises:
        UserError: If there is no word to count.
    """
    metric = CRNNAccuracy(protocol)
    predictions: list[Prediction] = []
    not_counted: list[Prediction] = []
    misfits = FilterReport()
    for image in readings:
        reading = image.reading or _UNREADABLE
        if details is not None:
            details.update(image.reading, image.truth)
        is_counted = bool(protocol.normalize(image.truth))
        (correct,) = metric.update([reading.text], [image.truth]) if is_counted else (False,)
        refusal = protocol.refusal(image.truth) if is_counted else None
        if refusal is not None:
            misfits.drop(refusal.reason, f"{image.name} {image.truth!r} {refusal.detail}".rstrip())
        (predictions if is_counted else not_counted).append(
            Prediction(
                path=image.name,
                truth=image.truth,
                prediction=reading.text,
                confidence=reading.confidence,
                correct=correct,
                readable=image.reading is not None,
                raw=reading.raw,
                index=image.index,
                rejected=reading.confidence < reject_below,
                fits=refusal is None,
                attributes=reading.attributes,
                alternatives=tuple(Alternative(other.text, other.confidence) for other in image.others),
            )
        )
    if not predictions:
        example = f", such as {not_counted[0].truth!r}" if not_counted else ""
        raise UserError(
            f"no word to compute an accuracy from: {len(not_counted):,} have nothing that protocol "
            f"{protocol.name} compares{example}"
        )
    return Evaluation(
        accuracy=metric.eval(),
        protocol=protocol.name,
        decoder=decoder_name,
        unreadable=sum(not p.readable for p in predictions),
        empty_truths=len(not_counted),
        words_per_second=0.0,
        predictions=predictions,
        reject_below=reject_below,
        not_counted=not_counted,
        parts=details.figures() if details is not None else {},
        part_mistakes=details.mistakes() if details is not None else (),
        misfits=misfits,
    )


def evaluate_dataset(
    backend: Backend,
    decoder: Decoder,
    dataset: WordDataset,
    batch_size: int,
    protocol_name: str = "auto",
    num_workers: int = 2,
    reject_below: float = 0.0,
    top_k: int = 1,
) -> Evaluation:
    """Evaluates a model on a data set with a progress bar.

    Args:
        backend: The model.
        decoder: Logits -> readings.
        dataset: Made with `for_training=False` and the model's own charset and preprocessing.
        batch_size: Images a batch; the result does not depend on it.
        protocol_name: See `create_protocol`.
        num_workers: Background threads that prepare images.
        reject_below: Readings with a lower confidence are marked as rejected.
        top_k: Texts wanted of each image.

    Raises:
        UserError: If the protocol is unknown or there is no word to count.
    """
    loader = EvalLoader(dataset, batch_size, num_workers=num_workers)
    with progress_bar(total=len(dataset), unit="word", desc="evaluating", leave=False) as bar:
        return evaluate(
            backend.forward,
            decoder,
            loader,
            create_protocol(protocol_name, backend.artifact.codec),
            bar.update,
            reject_below,
            details=backend.artifact.kind.details(backend.artifact),
            top_k=top_k,
        )
