"""What the frame asks of a kind of output: everything that is not the same for all of them.

A kind is stateless; what it says depends on the description of a model, or on options.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.checking.findings import Hint
from crnn_mindspore.data.preprocess import STEP_OFFSET, Preprocessing
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.common import ModelOptions
from crnn_mindspore.synth.render_loader import ImageRenderer
from crnn_mindspore.tasks.channels import ChannelGroup
from crnn_mindspore.text.codec import Codec
from crnn_mindspore.text.decoder import Decoded, Decoder
from crnn_mindspore.text.decoding import Decoding
from crnn_mindspore.text.interval import Share
from crnn_mindspore.text.strip import Strip

Arrays = Mapping[str, npt.NDArray[np.generic]]

FORMAT_VERSION = 2  # of descriptions


class Model(Protocol):
    """What a kind needs of the description of a model."""

    @property
    def codec(self) -> Codec:
        """Its classes."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """The transform of its images."""
        ...

    @property
    def network(self) -> Any:
        """What its network is built from."""
        ...

    def to_json(self) -> str:
        """The description itself."""
        ...


class Learner(Protocol):
    """What training and MindSpore's engine need of a kind: networks and losses, cells of MindSpore."""

    def create_network(self, artifact: Model, use_dropout: bool) -> Any:
        """The network, freshly initialised: images (N, C, H, W) -> scores (T, N, K), float32."""
        ...

    def create_loss(self, artifact: Model, options: Any) -> Any:
        """(scores, targets, target_lengths) -> the loss, a float32 scalar."""
        ...

    def create_losses(self, artifact: Model, options: Any) -> Any:
        """(scores, targets, target_lengths) -> the loss of each image (N,), as evaluation computes it.

        What the loss of a training remembers is set from outside, by the names of its parameters.
        """
        ...

    def create_unread(self, artifact: Model) -> Any:
        """Scores -> the share of images of which nothing is read, a float32 scalar."""
        ...

    def create_accuracy(self, artifact: Model) -> Any | None:
        """(scores, targets) -> the share of images that are read right, a float32 scalar.

        None where that takes too long to be done with every batch.
        """
        ...

    def load_pretrained(self, network: Any, checkpoint: Any, wanted: Model, origin: str) -> None:
        """Loads the weights of another model into the network, as far as they can be carried over."""
        ...


@dataclass(frozen=True)
class PartMistake:
    """A class of a part that was read as another, and how often; "" is none."""

    part: str
    true: str
    read: str
    count: int


class Details(Protocol):
    """Counts what is right in the parts of readings, beside whole texts."""

    def update(self, reading: Decoded | None, label: str) -> None:
        """Counts one image; None where it could not be read."""
        ...

    def figures(self) -> dict[str, Share]:
        """Name of each part -> how often it is right."""
        ...

    def mistakes(self) -> list[PartMistake]:
        """What was confused, part by part, the most frequent first."""
        ...


class Kind(ABC):
    """A kind of output.

    Attributes:
        name: What descriptions call it.
        step_name: What the first axis of the scores counts, in plural.
        has_one_size: Whether images must have the size that the model was trained on; else a longer image
            may keep its ratio of width to height.
    """

    name: str
    step_name = "steps"
    has_one_size = False

    # --- Descriptions ---

    @abstractmethod
    def describe(self, codec: Codec) -> dict[str, Any]:
        """The classes as a description keeps them, values of JSON."""

    @abstractmethod
    def codec_of(self, values: Mapping[str, Any]) -> Codec:
        """The inverse of `describe`.

        Raises:
            UserError: If the values contradict each other.
        """

    @abstractmethod
    def network_of(self, values: Mapping[str, Any]) -> Any:
        """What the network is built from, a frozen dataclass, from its fields."""

    def describe_network(self, network: Any) -> dict[str, Any]:
        """What `network_of` takes, values of JSON."""
        return asdict(network)

    def format_version(self, codec: Codec) -> int:
        """The oldest format of descriptions that can say it."""
        return FORMAT_VERSION

    @abstractmethod
    def classes_of(self, codec: Codec) -> dict[str, Any]:
        """Option name -> value, of what makes the classes."""

    @abstractmethod
    def sizes_of(self, network: Any) -> dict[str, Any]:
        """Option name -> value, of what makes the network."""

    def derived(self, options: ModelOptions) -> dict[str, int]:
        """Option name -> value, of the model zoo's options that follow from the others."""
        return {}

    # --- Options ---

    def step_offset(self, model_version: str) -> int:
        """Of the image transform, see `Preprocessing`; says something where steps are time steps."""
        del model_version
        return STEP_OFFSET

    @abstractmethod
    def codec_from(self, options: ModelOptions) -> Codec:
        """The classes that options ask for."""

    @abstractmethod
    def network_from(self, options: ModelOptions) -> Any:
        """The network that options ask for."""

    def agreement(self, options: ModelOptions, artifact: Model) -> dict[str, tuple[Any, Any]]:
        """Option name -> the value a model has, and the value given in the same form.

        By default those of `classes_of`, `sizes_of` and `derived` that are options, as they are.
        """
        parts = (
            (self.classes_of(artifact.codec), lambda: self.classes_of(self.codec_from(options))),
            (self.sizes_of(artifact.network), lambda: self.sizes_of(self.network_from(options))),
        )
        pairs: dict[str, tuple[Any, Any]] = {}
        for own, asked in parts:
            if options.given & own.keys():
                given = asked()
                pairs |= {name: (value, given[name]) for name, value in own.items() if name in options.given}
        return pairs

    @abstractmethod
    def adoptable(self, artifact: Model) -> dict[str, Any]:
        """Option name -> value, of what a model to start from decides where options leave it open."""

    # --- Labels ---

    def dropped_label_hints(
        self, source: SampleSource, codec: Codec, preprocessing: Preprocessing, longest: int
    ) -> list[Hint]:
        """Why a large share of the labels will not be trained on, and what would keep it."""
        return []

    def kept_label_hints(self, source: SampleSource, codec: Codec) -> list[Hint]:
        """What cannot be learnt from the labels that are left."""
        return []

    def classes_to_balance(self, source: SampleSource, codec: Codec, position: str) -> npt.NDArray[np.int32]:
        """The class of each sample at a position, (n,), of which an epoch is to have equally many.

        Raises:
            UserError: If there is no such position.
        """
        raise UserError(f"balance is {position!r}, but task {self.name!r} has no positions to balance")

    # --- Images made while training ---

    def renderer(self, options: Any) -> ImageRenderer:
        """Makes images with their labels, as the options of training say.

        Raises:
            UserError: If this kind has none, or an option cannot be used.
        """
        raise UserError(
            f"render: output {self.name!r} has no renderer, so no images can be made for it; use a data set"
        )

    # --- Reading ---

    @abstractmethod
    def decoder(self, artifact: Model, decoding: Decoding) -> Decoder:
        """Scores -> readings.

        Raises:
            UserError: If the decoding is not one of this kind, or contradicts itself.
        """

    def details(self, artifact: Model) -> Details | None:
        """Counts the parts of readings in an evaluation; None where a text is all there is."""
        return None

    def reads_one_class(self, artifact: Model) -> bool:
        """Whether an image shows one thing of a list, as a single character: its number is a result then."""
        del artifact
        return False

    def step_centres(self, width: int, step_offset: int) -> npt.NDArray[np.float64] | None:
        """Where each of `width // 4 + step_offset` steps looks, as a share of the width; None: no places."""
        return None

    def strip(
        self, artifact: Model, probabilities: npt.NDArray[np.float64], truth: Sequence[int]
    ) -> Strip | None:
        """The probabilities (T, K) of one image, to be drawn over its width; None where that says nothing."""
        return None

    def facts(self, artifact: Model) -> dict[str, str]:
        """Name -> value, of what people should know of a model's network, classes and input."""
        return {}

    @abstractmethod
    def score_shape(self, artifact: Model) -> tuple[int, int]:
        """(T, K) of the scores of one image at the model's own size."""

    @abstractmethod
    def onnx(self, weights: Arrays, artifact: Model) -> Any:
        """The network as an ONNX model: `images` (N, C, H, W) -> `logits` (T, N, K).

        Raises:
            UserError: If a parameter is missing.
        """

    def channel_groups(self, artifact: Model) -> Sequence[ChannelGroup]:
        """The channels of the network that can be cut, in the order of its field `channels`.

        Raises:
            UserError: If none can.
        """
        raise UserError(f"the networks of output {self.name!r} cannot be cut")

    # --- Training: the door to MindSpore ---

    @abstractmethod
    def learner(self) -> Learner:
        """Network and loss."""
