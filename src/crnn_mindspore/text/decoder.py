"""What every decoder is: logits in, readings out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.ctc import Floats

ImageLexicons = Sequence[Sequence[str] | None]


@dataclass(frozen=True)
class Decoded:
    """A reading.

    Attributes:
        text: The text.
        confidence: The probability of the text.
        raw: The network's best path before collapsing.
        ids: The classes that the text was read as; None: those that it is encoded as.
    """

    text: str
    confidence: float
    raw: str
    ids: tuple[int, ...] | None = None

    def target(self, charset: Charset) -> list[int]:
        """Class ids of the text."""
        return charset.encode(self.text).tolist() if self.ids is None else list(self.ids)


class Decoder(ABC):
    """Turns the network's output into texts.

    Attributes:
        charset: The alphabet of the network.
        name: The kind and what it was set to; printed beside every figure.
        temperature: The logits are divided by it before confidences are computed.
    """

    name: str
    temperature: float = 1.0

    def __init__(self, charset: Charset) -> None:
        self.charset = charset

    @abstractmethod
    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """The up to `count` best readings of each of N images, the best first; at least one each.

        Args:
            logits: (T, N, C) logits or log-probabilities.
            count: Readings wanted, at least 1.
            lexicons: The words each of the N images may be read as; only lexicon decoding looks at them.
        """

    def __call__(self, logits: Floats, lexicons: ImageLexicons | None = None) -> list[Decoded]:
        """The best reading of each of N images; the arguments are those of `best`."""
        return [readings[0] for readings in self.best(logits, 1, lexicons)]

    def notes(self) -> list[str]:
        """What the decoder noticed so far and a reader of its figures should know."""
        return []


def best_paths(log_probs: Floats, charset: Charset) -> list[str]:
    """The most probable class at every step, '-' for the blank: N strings of T classes."""
    symbols = [*charset.classes, "-"]
    return ["".join(symbols[i] for i in path) for path in log_probs.argmax(axis=2).T]  # (T,N,C) -> (N,T)
