"""What every decoder is: logits in, readings out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crnn_mindspore.text.codec import Codec
from crnn_mindspore.text.ctc import Floats

ImageLexicons = Sequence[Sequence[str] | None]


@dataclass(frozen=True)
class Attribute:
    """What is read beside the text, and its probability."""

    name: str
    value: str
    confidence: float


@dataclass(frozen=True)
class Decoded:
    """A reading.

    Attributes:
        text: The text.
        confidence: The probability of the text.
        raw: The network's best path before collapsing.
        ids: The classes that the text was read as; None: those that it is encoded as.
        attributes: What is read beside the text.
    """

    text: str
    confidence: float
    raw: str
    ids: tuple[int, ...] | None = None
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True)
class Part:
    """A character of a reading, and where the scores show it.

    Attributes:
        text: The character.
        confidence: Its probability at its clearest step.
        first: The first step that shows it.
        last: The last one.
    """

    text: str
    confidence: float
    first: int
    last: int


class Decoder(ABC):
    """Turns the network's output into texts.

    Attributes:
        codec: The classes of the network.
        name: The kind and what it was set to; printed beside every figure.
        temperature: The logits are divided by it before confidences are computed.
    """

    name: str
    temperature: float = 1.0

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    @abstractmethod
    def best(self, logits: Floats, count: int, lexicons: ImageLexicons | None = None) -> list[list[Decoded]]:
        """The up to `count` best readings of each of N images, the best first; at least one each.

        Args:
            logits: (T, N, K) logits or log-probabilities.
            count: Readings wanted, at least 1.
            lexicons: The words each of the N images may be read as; only lexicon decoding looks at them.
        """

    @abstractmethod
    def probabilities(self, logits: Floats, targets: Sequence[Sequence[int]]) -> Floats:
        """(N k,) probabilities of targets, k for each of the N images of logits (T, N, K), side by side."""

    @abstractmethod
    def parts(self, logits: Floats, target: Sequence[int]) -> list[Part]:
        """The characters of a target in the scores of one image, logits (T, K)."""

    def __call__(self, logits: Floats, lexicons: ImageLexicons | None = None) -> list[Decoded]:
        """The best reading of each of N images; the arguments are those of `best`."""
        return [readings[0] for readings in self.best(logits, 1, lexicons)]

    def confidences(self, logits: Floats, targets: Sequence[Sequence[int]]) -> Callable[[float], Floats]:
        """Temperature -> (N,) the confidences of readings, one target each of N images."""
        return lambda temperature: self.probabilities(logits / temperature, targets)

    def at_temperature(self, temperature: float) -> "Decoder | None":
        """The same readings with confidences at a temperature; None where it divides the logits."""
        del temperature
        return None

    def target(self, reading: Decoded) -> list[int]:
        """Class ids of a reading."""
        return self.codec.encode(reading.text).tolist() if reading.ids is None else list(reading.ids)

    def notes(self) -> list[str]:
        """What the decoder noticed so far and a reader of its figures should know."""
        return []
