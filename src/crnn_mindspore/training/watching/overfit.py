"""A self-check: can the network learn a few batches by heart?"""

from collections.abc import Sequence
from dataclasses import dataclass

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.loading.loader import Batch
from crnn_mindspore.evaluation.evaluator import Evaluation, Forward, LossOf, evaluate
from crnn_mindspore.evaluation.metric import create_protocol

DEFAULT_STEPS = 2000  # updates; a network that has not learnt a batch by then will not
_SHOWN = 10


@dataclass(frozen=True)
class Verdict:
    """How the self-check ended.

    Attributes:
        right: Images that are read right.
        images: All images; one that occurs in several places counts once.
        lines: The outcome in plain words, and what to check.
    """

    right: int
    images: int
    lines: list[str]

    @property
    def works(self) -> bool:
        """Whether every image is read right."""
        return self.right == self.images


class OverfitCheck:
    """Evaluates on the very batches that are trained on, and says what the outcome means.

    Args:
        batches: All that are trained on.
        model: What is trained.
    """

    measured_on = "the first batches"

    def __init__(self, batches: Sequence[Batch], model: Artifact) -> None:
        self._batches = batches
        self.batch_size = max(map(len, batches))
        self._decoder = model.decoder()
        # Everything the charset can write counts: the loss sees it too.
        self._protocol = create_protocol("charset", model.codec)

    def __call__(self, forward: Forward, loss_of: LossOf | None = None) -> dict[str, Evaluation]:
        """Evaluates images (N, 3, H, W) -> logits (T, N, C) on the batches, which count as one data set."""
        found = evaluate(forward, self._decoder, self._batches, self._protocol, loss_of=loss_of)
        return {self.measured_on: found}

    def verdict(self, evaluation: Evaluation, steps: int) -> Verdict:
        """What an evaluation of these batches means after `steps` updates."""
        predictions = {(p.path, p.truth): p for p in evaluation.predictions}  # few samples fill a batch twice
        wrong = [
            f"  {p.path}: {p.truth!r}, read as {p.prediction!r}"
            for p in predictions.values()
            if not p.correct
        ]
        right, images = len(predictions) - len(wrong), len(predictions)
        if not wrong:
            outcome = (
                f"the network has learnt {right} of {images} images by heart in {steps} steps: data, labels, "
                "charset and loss fit together"
            )
            return Verdict(right, images, [outcome])
        more = [f"  and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        outcome = (
            f"the network has learnt only {right} of {images} images by heart in {steps} steps; wrong are"
        )
        lines = [outcome, *wrong[:_SHOWN], *more, *self._same_pictures(), _advice(right)]
        return Verdict(right, images, lines)

    def _same_pictures(self) -> list[str]:
        """A line for each two equal pictures with different labels: no network can read both right."""
        first: dict[bytes, tuple[str, str]] = {}
        lines = []
        for batch in self._batches:
            for image, name, text in zip(batch.images, batch.names, batch.texts, strict=True):
                other, label = first.setdefault(image.tobytes(), (name, text))
                if self._protocol.normalize(label) != self._protocol.normalize(text):
                    lines.append(f"the same picture with two labels: {other} {label!r}, {name} {text!r}")
        return list(dict.fromkeys(lines))[:_SHOWN]


def _advice(right: int) -> str:
    if right == 0:
        return (
            "not one image is learnt: try a --learning_rate 3 times lower or higher, a larger --max_steps, "
            "a smaller --batch_size; look at images and labels with `crnn check --html`"
        )
    return (
        "the others are learnt, so the training itself works: look at these images and labels (a wrong "
        "label, a picture too small to read or of something else); a larger --max_steps may be enough"
    )
