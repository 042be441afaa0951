"""What the server answers, as models: they make the JSON and its description under /docs."""

import math
from dataclasses import asdict

from pydantic import BaseModel, Field

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import width_of_steps
from crnn_mindspore.engines.backend import Backend
from crnn_mindspore.reading.recognition import Recognition, Wanted
from crnn_mindspore.text.strip import Strip

_DIGITS = 6  # of a probability


class Alternative(BaseModel):
    """A text that the image could say."""

    text: str
    confidence: float = Field(description="probability of the text, 0 to 1")


class Attribute(BaseModel):
    """What is read beside the text."""

    name: str
    value: str
    confidence: float = Field(description="its probability, 0 to 1")


class Character(BaseModel):
    """One character of the reading."""

    text: str
    confidence: float = Field(description="probability of the character at its clearest step, 0 to 1")
    first_step: int = Field(description="first time step, from 0")
    last_step: int = Field(description="last time step, included")
    start: float = Field(description="where its steps begin, in pixels from the left of the image")
    end: float = Field(description="where they end")


class Row(BaseModel):
    """The probabilities of one class over time."""

    character: str = Field(description="empty for the blank")
    probabilities: list[float]


class Step(BaseModel):
    """The most probable class of one time step."""

    character: str = Field(description="empty for the blank")
    probability: float
    emits: bool = Field(description="whether a new character begins here")


class Alignment(BaseModel):
    """What the network saw at every time step."""

    centres: list[float] = Field(description="middle of each step, as a share of the image's width")
    rows: list[Row] = Field(description="the classes that matter: the blank, then others as they come up")
    steps: list[Step]


class ImageResult(BaseModel):
    """One image: its reading, or why there is none."""

    name: str = Field(description="file name of the part of the form; 'image' for a body that is an image")
    text: str
    confidence: float = Field(description="probability of the text, 0 to 1")
    rejected: bool = Field(description="whether the confidence is below the server's reject_below")
    error: str | None = Field(default=None, description="why the image could not be read")
    decoder: str | None = Field(default=None, description="what chose the text")
    greedy: Alternative | None = Field(default=None, description="with greedy, where the decoder is another")
    attributes: list[Attribute] | None = Field(default=None, description="where the model has such")
    alternatives: list[Alternative] | None = Field(
        default=None, description="with top_k: the next most probable texts"
    )
    characters: list[Character] | None = Field(default=None, description="with positions=true")
    alignment: Alignment | None = Field(default=None, description="with alignment=true")


class Answer(BaseModel):
    """The images of a request, in their order."""

    results: list[ImageResult]


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class Health(BaseModel):
    """The model that answers."""

    status: str
    model: str = Field(description="file name")
    weights_sha256: str = Field(description="hash of its parameters; empty where its file states none")
    version: str = Field(description="of the network")
    precision: str
    charset_size: int = Field(description="characters it can write")
    image_width: int = Field(description="pixels that it sees")
    image_height: int
    time_steps: int
    decoder: str


class NamedHealth(Health):
    """A model and its name, which stands in its paths."""

    name: str


class Models(BaseModel):
    """All models that answer, the one of the plain paths first."""

    models: list[NamedHealth]


def health(backend: Backend, model_name: str, decoder_name: str) -> Health:
    """The description of a model that is ready."""
    artifact = backend.artifact
    return Health(
        status="ready",
        model=model_name,
        weights_sha256=artifact.weights_sha256,
        version=str(getattr(artifact.network, "version", artifact.task)),
        precision=artifact.precision,
        charset_size=len(artifact.codec.classes),
        image_width=artifact.preprocessing.width,
        image_height=artifact.preprocessing.height,
        time_steps=artifact.kind.score_shape(artifact)[0],
        decoder=decoder_name,
    )


def image_result(reading: Recognition, wanted: Wanted, artifact: Artifact) -> ImageResult:
    """The JSON form of a result.

    Args:
        reading: Of one image.
        wanted: What was asked for.
        artifact: Of the model.
    """
    answer = ImageResult(
        name=reading.name,
        text=reading.text,
        confidence=_rounded(reading.confidence),
        rejected=reading.rejected,
        error=reading.error or None,
    )
    if reading.error:
        return answer
    answer.decoder = reading.decoder
    if reading.greedy is not None:
        answer.greedy = Alternative(text=reading.greedy.text, confidence=_rounded(reading.greedy.confidence))
    if reading.attributes:
        answer.attributes = [
            Attribute(name=a.name, value=a.value, confidence=_rounded(a.confidence))
            for a in reading.attributes
        ]
    if wanted.top_k > 1:
        answer.alternatives = [
            Alternative(text=a.text, confidence=_rounded(a.confidence)) for a in reading.alternatives
        ]
    if wanted.characters:
        answer.characters = [
            Character(**{**asdict(c), "confidence": _rounded(c.confidence)}) for c in reading.characters
        ]
    if reading.strip is not None:
        answer.alignment = _alignment(reading.strip, artifact)
    return answer


def _alignment(strip: Strip, artifact: Artifact) -> Alignment:
    names = [*artifact.codec.classes, ""]
    p = artifact.preprocessing
    centres = artifact.kind.step_centres(width_of_steps(p, len(strip.path)), p.step_offset)
    return Alignment(
        centres=[] if centres is None else [_rounded(c) for c in centres],
        rows=[
            Row(character=names[c], probabilities=[_rounded(p) for p in row])
            for c, row in zip(strip.classes, strip.probabilities, strict=True)
        ],
        steps=[
            Step(character=names[c], probability=_rounded(p), emits=emits)
            for c, p, emits in zip(strip.path, strip.peaks, strip.emits, strict=True)
        ],
    )


def _rounded(value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"the model gives {number} for a probability: its weights are damaged")
    return round(number, _DIGITS)
