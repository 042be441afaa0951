"""The self-description every checkpoint and exported model carries, and what it is checked against."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.text.charset import Charset

FORMAT_VERSION = 2
BATCH_NORM_EPSILON = 1e-4  # of every network
METADATA_KEY = "crnn_artifact"  # name of the JSON text inside checkpoints and ONNX metadata
PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class NetworkSpec:
    """What `crnn_mindspore.networks.crnn.CRNN` is built from, apart from the number of classes."""

    version: str = "V2"
    hidden_size: int = 256
    channel_scale: float = 1.0


@dataclass(frozen=True)
class Artifact:
    """What a model needs to be used right, and where it comes from.

    Attributes:
        charset: The alphabet; the blank is its last class.
        preprocessing: Sizes, channel order, interpolation and normalisation of the input.
        network: Version and sizes.
        step: Optimiser updates behind the weights.
        weights_sha256: Hash of the parameters, see `hash_weights`; empty when unknown.
        versions: Package name -> version that wrote it.
        training: Free facts about the run (data set, seed, accuracy), for people.
        task: The decoder family; only "ctc" so far.
        precision: What the file keeps its weights in, one of `PRECISIONS`; `weights_sha256` is that of the
            weights it was made from.
    """

    charset: Charset
    preprocessing: Preprocessing
    network: NetworkSpec
    step: int = 0
    weights_sha256: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    task: str = "ctc"
    precision: str = "fp32"

    def to_json(self, indent: int | None = None) -> str:
        """JSON text, readable by people, that `from_json` turns back into an equal description.

        The charset is a string in format 1, and a list of classes in format 2, which is written where a class
        has several characters or comes twice.
        """
        return json.dumps(
            {
                "format_version": 1 if self.charset.is_plain else FORMAT_VERSION,
                "task": self.task,
                "charset": self.charset.description,
                "case_sensitive": self.charset.case_sensitive,
                "blank": self.charset.blank,
                "num_classes": self.charset.num_classes,
                "preprocessing": self.preprocessing.as_dict(),
                "network": asdict(self.network),
                "step": self.step,
                "weights_sha256": self.weights_sha256,
                "precision": self.precision,
                "versions": dict(self.versions),
                "training": dict(self.training),
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
        own, given = self._identity(), other._identity()
        for name, value in own.items():
            if name not in free and value != given[name]:
                raise UserError(
                    f"{origin}: was made with {name} {value!r}, but {name} {given[name]!r} was given"
                )

    def _identity(self) -> dict[str, Any]:
        sizes = {f"image_{name}": value for name, value in self.preprocessing.as_dict().items()}
        names = {"label_dict": self.charset.description, "case_sensitive": self.charset.case_sensitive}
        return {**names, **sizes, "model_version": self.network.version, **asdict(self.network)}

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
            values = json.loads(text)
            version = values["format_version"]
            if version > FORMAT_VERSION:
                raise UserError(
                    f"its description has format {version}; this program reads up to {FORMAT_VERSION}"
                )
            artifact = cls(
                charset=_charset(values["charset"], values["case_sensitive"], version),
                preprocessing=Preprocessing.from_dict(values["preprocessing"]),
                network=NetworkSpec(**values["network"]),
                step=int(values["step"]),
                weights_sha256=str(values["weights_sha256"]),
                versions=values["versions"],
                training=values["training"],
                task=values["task"],
                precision=values.get("precision", "fp32"),  # earlier versions wrote none
            )
            if artifact.precision not in PRECISIONS:
                raise UserError(f"precision {artifact.precision!r} is none of {', '.join(PRECISIONS)}")
            blank, classes = values["blank"], values["num_classes"]
            if (blank, classes) != (artifact.charset.blank, artifact.charset.num_classes):
                raise UserError(
                    f"blank {blank} of {classes} classes contradicts its charset of "
                    f"{len(artifact.charset)} characters"
                )
        except UserError as error:
            raise UserError(f"{origin}: {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{origin}: its description is damaged ({error!r})") from None
        return artifact


def _charset(classes: object, case_sensitive: bool, version: int) -> Charset:
    """The charset of a description of some format version."""
    if version == 1:
        if not isinstance(classes, str):
            raise TypeError("charset is not a string")
        if len(set(classes)) < len(classes):
            twice = "".join(dict.fromkeys(c for c in classes if classes.count(c) > 1))
            raise UserError(f"the charset (label_dict) repeats {twice!r}")
        return Charset(classes, case_sensitive)
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise TypeError("charset is not a list of strings")
    return Charset(classes, case_sensitive)


def description_path(model_path: str) -> Path:
    """Where the self-description of a MINDIR or AIR lies."""
    return Path(model_path).with_suffix(".json")


def read_description(model_path: str) -> Artifact:
    """The self-description beside a MINDIR or AIR; the model itself is not opened.

    Raises:
        UserError: If there is none, or it is damaged; the message names it.
    """
    path = description_path(model_path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; a MINDIR needs its description beside it") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: its description is damaged ({error})") from None
    return Artifact.from_json(text, str(path))


def hash_weights(weights: Mapping[str, npt.NDArray[np.generic]]) -> str:
    """SHA-256 over the names, types, shapes and bytes of the parameters, in order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
