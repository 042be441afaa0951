"""What is wanted of an image, and what was read: the results of the Python API."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.text.decoder import Attribute
from crnn_mindspore.text.strip import Strip


@dataclass(frozen=True)
class Wanted:
    """What is wanted of an image beside its text and confidence.

    Attributes:
        top_k: Texts: the reading and `top_k - 1` alternatives.
        characters: Whether confidence and position of each character are.
        strip: Whether the class probabilities over time are.
        greedy: Whether the greedy reading is: what the network alone says.

    Raises:
        UserError: If `top_k` is below 1.
    """

    top_k: int = 1
    characters: bool = False
    strip: bool = False
    greedy: bool = False

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise UserError(f"top_k is {self.top_k}, must be at least 1")


@dataclass(frozen=True)
class Alternative:
    """Another text the image may show, its probability, and its class where an image shows one class."""

    text: str
    confidence: float
    class_id: int | None = None


@dataclass(frozen=True)
class Character:
    """One character of a reading, on the most probable path that spells it.

    Attributes:
        text: The character.
        confidence: Its probability at the step where it is highest.
        first_step: Its first time step, from 0.
        last_step: Its last time step, included.
        start: Where the first of its time steps begins, in pixels from the left of the image as given; from
            the top of a column of text that was turned.
        end: Where the last of its time steps ends. The network often needs one step for a character that is
            wider than that.
    """

    text: str
    confidence: float
    first_step: int
    last_step: int
    start: float
    end: float


@dataclass(frozen=True)
class Recognition:
    """One image read.

    Attributes:
        name: Path or number of the image.
        text: What was read; "" where the image could not be read.
        confidence: Probability of the text, by the model's calibration where it has one.
        error: Why the image could not be read, or "".
        rejected: Whether the confidence is below the recogniser's threshold.
        alternatives: The next most probable texts, as many as were asked for.
        characters: The characters of the text, if they were asked for.
        strip: The class probabilities over time, if they were asked for.
        attributes: What is read beside the text, where the model has such.
        class_id: Number of the class, of a model that reads one class an image, such as a character.
        decoder: Name of the decoder that chose the text; "" where the image could not be read.
        greedy: What the network alone says, if it was asked for and the decoder is another; its confidence
            is not calibrated.
    """

    name: str
    text: str
    confidence: float
    error: str = ""
    rejected: bool = False
    alternatives: tuple[Alternative, ...] = ()
    characters: tuple[Character, ...] = ()
    strip: Strip | None = None
    attributes: tuple[Attribute, ...] = ()
    class_id: int | None = None
    decoder: str = ""
    greedy: Alternative | None = None


@dataclass(frozen=True)
class PreparedImage:
    """An image ready for the network.

    Attributes:
        name: What its result is called.
        pixels: (3, H, W) float32, the network's input.
        width: Of the image as given, in pixels; the height of one that was turned.
        wanted: What is wanted of it.
    """

    name: str
    pixels: npt.NDArray[np.float32]
    width: int
    wanted: Wanted
