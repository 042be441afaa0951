"""Whether several models compute the same: logits, texts and accuracy side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from src.data.loader import Batch
from src.errors import UserError
from src.inference.backend import Backend
from src.metric import CRNNAccuracy, Protocol
from src.text.greedy import GreedyDecoder


@dataclass(frozen=True)
class Parity:
    """One model beside the reference.

    Attributes:
        engine: What runs the model.
        max_difference: Largest absolute difference of a logit.
        differing_texts: Images that the two read differently.
        images: Images compared.
        word_accuracy: Of this model, on the words that count under the protocol.
    """

    engine: str
    max_difference: float
    differing_texts: int
    images: int
    word_accuracy: float

    def is_within(self, tolerance: float) -> bool:
        """Whether logits differ by at most `tolerance` and all texts are equal."""
        return self.max_difference <= tolerance and self.differing_texts == 0


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
        other.artifact.check_same_model(reference.artifact, other.name)
    metrics = [CRNNAccuracy(protocol) for _ in backends]
    largest, differing, images = [0.0] * len(backends), [0] * len(backends), 0
    decoder = GreedyDecoder(reference.artifact.charset)
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
            largest[k] = max(largest[k], float(np.abs(output - outputs[0]).max()))
            differing[k] += sum(a != b for a, b in zip(read, texts[0], strict=True))
            metrics[k].update([read[i] for i in counted], [batch.texts[i] for i in counted])
    return [
        Parity(backend.name, largest[k], differing[k], images, metrics[k].eval().word_accuracy)
        for k, backend in enumerate(backends)
    ]
