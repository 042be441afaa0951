"""The self-description every checkpoint and exported model carries, and what it is checked against."""

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.description_schema import MOST_CHARACTERS, check_fields
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import load_json, parse_json
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.shown import around_difference, shortened
from crnn_mindspore.tasks.finding import kind_of
from crnn_mindspore.tasks.interface import FORMAT_VERSION, Kind
from crnn_mindspore.text.codec import Codec
from crnn_mindspore.text.decoder import Decoder
from crnn_mindspore.text.decoding import GREEDY, GREEDY_DECODING, Decoding

BATCH_NORM_EPSILON = 1e-4  # of every network but those of PyTorch's projects
PYTORCH_EPSILON = 1e-5
METADATA_KEY = "crnn_artifact"  # name of the JSON text inside checkpoints and ONNX metadata
PRECISIONS = ("fp32", "fp16", "int8")
WIDEST = 4096  # pixels of an image that keeps its ratio; a longer one is squeezed
_A = {str: "a text", int: "a whole number"}
_FORMER = "former"  # in a description: the one that it takes the place of


@dataclass(frozen=True)
class Artifact:
    """What a model needs to be used right, and where it comes from.

    Attributes:
        codec: The classes; of CTC an alphabet, whose last class is followed by the blank.
        preprocessing: Sizes, channel order, interpolation and normalisation of the input.
        network: What the network is built from, a frozen dataclass of its kind.
        step: Optimiser updates behind the weights.
        weights_sha256: Hash of the parameters, see `hash_weights`; empty when unknown.
        versions: Package name -> version that wrote it.
        training: Free facts about the run (data set, seed, accuracy), for people.
        task: The kind of output, see `kind_of`.
        reading: How it is read where nobody says otherwise: `decoder` and `prior` of a `Decoding`, and
            `widest`, pixels up to which an image keeps its ratio of width to height.
        precision: What the file keeps its weights in, one of `PRECISIONS`; `weights_sha256` is that of the
            weights it was made from.
        graph_sha256: Of a MINDIR or AIR the hash of the whole file; empty when unknown.
    """

    codec: Codec
    preprocessing: Preprocessing
    network: Any
    step: int = 0
    weights_sha256: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    task: str = "ctc"
    precision: str = "fp32"
    reading: Mapping[str, Any] = field(default_factory=dict)
    graph_sha256: str = field(default="", compare=False)

    @property
    def kind(self) -> Kind:
        """What the frame asks about everything that is not the same for all kinds of output."""
        return kind_of(self.task)

    @property
    def widest(self) -> int:
        """Pixels up to which an image keeps its ratio where nobody says otherwise; 0: up to the width of the
        training where images keep it there, else none does."""
        return 0 if self.kind.has_one_size else int(self.reading.get("widest", 0))

    @property
    def as_read(self) -> "Artifact":
        """The same with the widths of its images as they are read."""
        return replace(self, preprocessing=replace(self.preprocessing, widest=self.widest))

    def decoder(self, decoding: Decoding = GREEDY_DECODING) -> Decoder:
        """Scores -> readings.

        Raises:
            UserError: If the decoding is not one of this kind of output, or contradicts itself.
        """
        return self.kind.decoder(self, decoding.settled(self.reading))

    def to_json(self, indent: int | None = None) -> str:
        """JSON text, readable by people, that `from_json` turns back into an equal description.

        Format 1 is that of CTC with a string for a charset; everything else is format 2.
        """
        return json.dumps(
            {
                "format_version": self.kind.format_version(self.codec),
                "task": self.task,
                **self.kind.describe(self.codec),
                "preprocessing": self.preprocessing.as_dict(),
                "network": self.kind.describe_network(self.network),
                "step": self.step,
                "weights_sha256": self.weights_sha256,
                "precision": self.precision,
                "versions": dict(self.versions),
                "training": dict(self.training),
                **({"reading": dict(self.reading)} if self.reading else {}),
                **({"graph_sha256": self.graph_sha256} if self.graph_sha256 else {}),
            },
            ensure_ascii=False,
            indent=indent,
        )

    def check_same_model(self, other: "Artifact", origin: str, free: Collection[str] = ()) -> None:
        """Compares what both are used with: charset, preprocessing, network.

        Args:
            other: What is asked for.
            origin: The file that this one describes.
            free: Names of options that may differ.

        Raises:
            UserError: Naming both values of the first that differs.
        """
        if self.task != other.task:
            raise UserError(f"{origin}: was made for task {self.task!r}, but {other.task!r} was asked for")
        own, given = self._identity(), other._identity()
        for name, value in own.items():
            if name not in free and value != given[name]:
                made, wanted = around_difference(repr(value), repr(given[name]))
                raise UserError(f"{origin}: was made with {name} {made}, but {name} {wanted} was given")

    def _identity(self) -> dict[str, Any]:
        sizes = {f"image_{name}": value for name, value in asdict(self.preprocessing).items()}
        return {**self.kind.classes_of(self.codec), **sizes, **self.kind.sizes_of(self.network)}

    @classmethod
    def from_json(cls, text: str, origin: str) -> "Artifact":
        """Reads a description.

        Args:
            text: What `to_json` wrote.
            origin: The file it came from, for messages.

        Raises:
            UserError: If it is not JSON, lacks a field, comes from a newer format or contradicts itself.
        """
        try:
            if len(text) > MOST_CHARACTERS:
                raise UserError(f"its description has more than {MOST_CHARACTERS:,} characters")
            values = parse_json(text)
            version = values["format_version"]
            if isinstance(version, int) and version > FORMAT_VERSION:
                raise UserError(
                    f"its description has format {version}; this program reads up to {FORMAT_VERSION}"
                )
            check_fields(values)
            kind = kind_of(values["task"])
            artifact = cls(
                codec=kind.codec_of(values),
                preprocessing=Preprocessing.from_dict(values["preprocessing"]),
                network=kind.network_of(values["network"]),
                step=int(values["step"]),
                weights_sha256=str(values["weights_sha256"]),
                versions=values["versions"],
                training=values["training"],
                task=kind.name,
                precision=values.get("precision", "fp32"),  # earlier versions wrote none
                reading=checked_reading(values.get("reading", {})),
                graph_sha256=values.get("graph_sha256", ""),
            )
            if artifact.precision not in PRECISIONS:
                raise UserError(f"precision {artifact.precision!r} is none of {', '.join(PRECISIONS)}")
        except UserError as error:
            raise UserError(f"{origin}: {shortened(str(error))}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{origin}: its description is damaged ({shortened(repr(error))})") from None
        return artifact


def checked_reading(values: object) -> dict[str, Any]:
    """What a description says of reading.

    Raises:
        UserError: If it says something else than `decoder`, `prior` and `widest`, or values that are none.
    """
    if not isinstance(values, dict):
        raise UserError(f"reading {values!r} is not a mapping")
    kinds = {"decoder": str, "prior": str, "widest": int}
    for name, value in values.items():
        if name not in kinds:
            raise UserError(unknown_message("reading", str(name), kinds))
        if not isinstance(value, kinds[name]) or isinstance(value, bool):
            raise UserError(f"reading: {name} is {value!r}, must be {_A[kinds[name]]}")
    if not 0 <= values.get("widest", 0) <= WIDEST:
        raise UserError(f"reading: widest is {values['widest']}, must be 0 to {WIDEST}")
    Decoding(values.get("decoder", GREEDY), prior=values.get("prior", "")).check()
    return values


def description_path(model_path: str) -> Path:
    """Where the self-description of a MINDIR or AIR lies."""
    return Path(model_path).with_suffix(".json")


def read_description(model_path: str) -> Artifact:
    """The self-description beside a MINDIR or AIR; the model itself is not opened.

    Raises:
        UserError: If there is none, or it is damaged; the message names it.
    """
    return read_descriptions(model_path)[0]


def read_descriptions(model_path: str) -> list[Artifact]:
    """The same, and after it those that an export which was killed had not yet removed: see `announcement`.

    Raises:
        UserError: As `read_description` does.
    """
    path = description_path(model_path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; a MINDIR needs its description beside it") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: its description is damaged ({error})") from None
    found = [Artifact.from_json(text, str(path))]
    while former := parse_json(text).get(_FORMER):
        text = json.dumps(former)
        found.append(Artifact.from_json(text, str(path)))
    return found


def announcement(artifact: Artifact, model_path: str) -> str:
    """The description of a model that is about to take the place of another, with the other's in it.

    Two files cannot be replaced at once. While this one lies beside either model, it describes both.
    """
    values = json.loads(artifact.to_json())
    with suppress(OSError, ValueError, AttributeError):  # there is none, or it is of no use
        former = load_json(description_path(model_path))
        former.pop(_FORMER, None)  # of an export before, which was killed
        values[_FORMER] = former
    return json.dumps(values, ensure_ascii=False, indent=2)


def hash_weights(weights: Mapping[str, npt.NDArray[np.generic]]) -> str:
    """SHA-256 over the names, types, shapes and bytes of the parameters, in order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
