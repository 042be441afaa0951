"""Whether several models compute the same: logits, texts and accuracy side by side."""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from crnn_mindspore.data.loading.datasets import create_dataset
from crnn_mindspore.data.loading.loader import Batch, EvalLoader
from crnn_mindspore.engines.backend import Backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.metric import CRNNAccuracy, Protocol, create_protocol
from crnn_mindspore.progress_bar import progress_bar


@dataclass(frozen=True)
class Tolerance:
    """How far a model may be from the reference.

    Attributes:
        logit: Largest difference of a logit; infinite where logits are not compared.
        texts: Share of the texts that may differ.
        accuracy: Loss of word accuracy, as a share.
    """

    logit: float
    texts: float = 0.0
    accuracy: float = 0.0

    def __str__(self) -> str:
        parts = [f"{self.logit:g}"] if math.isfinite(self.logit) else []
        if self.texts:
            parts += [f"{self.texts:.1%} of the texts", f"{100 * self.accuracy:g} points of word accuracy"]
        return ", ".join(parts)


# By precision. Measured on the shipped weights and 2,257 photographed words, logits from -26 to 22: fp32 is
# off by up to 1.2e-3, one image by more than 5e-4, and reads all alike; so does fp16, off by up to 0.6; int8
# reads 0.6 % otherwise, nearly as often for the better as not.
TOLERANCES = {
    "fp32": Tolerance(2e-3),
    "fp16": Tolerance(1.0, 0.005, 0.005),
    "int8": Tolerance(math.inf, 0.1, 0.01),
}


@dataclass(frozen=True)
class Parity:
    """One model beside the reference.

    Attributes:
        engine: What runs the model.
        precision: What its file keeps the weights in.
        max_difference: Largest absolute difference of a logit.
        differing_texts: Images that the two read differently.
        images: Images compared.
        word_accuracy: Of this model, on the words that count under the protocol.
        accuracy_loss: Word accuracy of the reference less this one.
    """

    engine: str
    precision: str
    max_difference: float
    differing_texts: int
    images: int
    word_accuracy: float
    accuracy_loss: float

    def tolerance(self, logit: float | None = None) -> Tolerance:
        """That of the precision; with another limit on the logits if one is given."""
        own = TOLERANCES[self.precision]
        return own if logit is None else replace(own, logit=logit)

    def is_within(self, tolerance: Tolerance) -> bool:
        """Whether logits, texts and accuracy keep the limits."""
        return (
            self.max_difference <= tolerance.logit
            and self.differing_texts <= tolerance.texts * self.images
            and self.accuracy_loss <= tolerance.accuracy
        )

    def line(self, path: str) -> str:
        """The figures, for people."""
        return (
            f"{path}: largest logit difference {self.max_difference:.2e}, "
            f"{self.differing_texts} of {self.images} texts differ, "
            f"word accuracy {self.word_accuracy:.2%}"
        )


def compare_on(
    backends: Sequence[Backend], dataset_name: str, dataset_path: str, batch_size: int
) -> list[Parity]:
    """Runs all models on a data set with a progress bar; the first is the reference.

    Raises:
        UserError: If the data set cannot be read, or as `compare` does.
    """
    artifact = backends[0].artifact
    dataset = create_dataset(
        dataset_name,
        dataset_path,
        split="test",
        codec=artifact.codec,
        preprocessing=artifact.preprocessing,
        for_training=False,
    )
    loader = EvalLoader(dataset, batch_size)
    protocol = create_protocol("auto", artifact.codec)
    with progress_bar(loader, total=len(loader), unit="batch", desc="comparing", leave=False) as batches:
        return compare(backends[0], backends[1:], batches, protocol)


def compare(
    reference: Backend, others: Sequence[Backend], batches: Iterable[Batch], protocol: Protocol
) -> list[Parity]:
    """Runs all models on the same images; the reference itself is the first of the results.

    Raises:
        UserError: If a model has another charset, preprocessing or network than the reference, or if there
            is no word to compare.
    """
    backends = [reference, *others]
    for other in others:
        # A network that `crnn prune` has cut may be compared with the one it was cut from.
        other.artifact.check_same_model(reference.artifact, other.name, free=("channels",))
    metrics = [CRNNAccuracy(protocol) for _ in backends]
    largest, differing, images = [0.0] * len(backends), [0] * len(backends), 0
    decoder = reference.artifact.decoder()
    for batch in batches:
        outputs = [backend.forward(batch.images) for backend in backends]
        texts = [[reading.text for reading in decoder(output)] for output in outputs]
        images += len(batch)
        counted = [i for i, truth in enumerate(batch.texts) if protocol.normalize(truth)]
        for k, (output, read) in enumerate(zip(outputs, texts, strict=True)):
            if output.shape != outputs[0].shape:
                raise UserError(
                    f"{backends[k].name}: logits {output.shape}, the reference's are {outputs[0].shape}"
                )
            difference = float(np.abs(output - outputs[0]).max())
            largest[k] = max(largest[k], math.inf if math.isnan(difference) else difference)
            differing[k] += sum(a != b for a, b in zip(read, texts[0], strict=True))
            metrics[k].update([read[i] for i in counted], [batch.texts[i] for i in counted])
    accuracies = [metric.eval().word_accuracy for metric in metrics]
    return [
        Parity(
            engine=backend.name,
            precision=backend.artifact.precision,
            max_difference=largest[k],
            differing_texts=differing[k],
            images=images,
            word_accuracy=accuracies[k],
            accuracy_loss=accuracies[0] - accuracies[k],
        )
        for k, backend in enumerate(backends)
    ]


def print_parity(paths: Sequence[str], results: Sequence[Parity], logit: float | None = None) -> int:
    """Prints a line a model and whether all keep their limits; 0 if they do, 1 if not.

    Args:
        paths: The models' files.
        results: One a file, of `compare_on`.
        logit: Largest difference of a logit; None for that of each model's precision.
    """
    for path, result in zip(paths, results, strict=True):
        print(result.line(path))
    limits = [result.tolerance(logit) for result in results]
    outside = [
        (path, limit)
        for path, result, limit in zip(paths, results, limits, strict=True)
        if not result.is_within(limit)
    ]
    for path, limit in outside:
        reads = "" if limit.texts else " or reads differently"
        print(f"error: parity: {path} differs by more than {limit}{reads}", file=sys.stderr)
    if not outside:
        print(f"parity: within {'; '.join(dict.fromkeys(str(limit) for limit in limits[1:]))}")
    return 1 if outside else 0
