"""MindSpore as the engine: a checkpoint or a MINDIR that takes batches of any size."""

import logging

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import nn

from crnn_mindspore.artifacts.artifact import Artifact, description_path, hash_weights, read_descriptions
from crnn_mindspore.artifacts.checkpoint_file import as_computed, read_checkpoint_file
from crnn_mindspore.artifacts.mindir_digest import own_description
from crnn_mindspore.artifacts.weights import require_finite
from crnn_mindspore.engines.backend import Foreign
from crnn_mindspore.engines.fixed_sizes import check_width, in_batches
from crnn_mindspore.engines.mindspore.ascend import INACTIVE, Profile
from crnn_mindspore.engines.mindspore.mindir_shape import input_shape
from crnn_mindspore.engines.mindspore.parameters import load_weights
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.half_precision import FULL, set_precision
from crnn_mindspore.networks.lstm import set_lstm_kernel

Floats = npt.NDArray[np.float32]

_logger = logging.getLogger(__name__)


class MindSporeBackend:
    """A network or loaded graph with its self-description.

    Args:
        network: Images -> logits, in evaluation mode.
        artifact: Its self-description.
        name: For messages.
        profile: Where it has fixed shapes, every batch is filled up to one size, so that there is one graph
            for each width, and what is real is read back.
        batch_size: That size; 0: that of the largest batch so far, a new graph for each larger one.
        width: The one width that the graph takes; 0: any.
    """

    def __init__(
        self,
        network: nn.Cell,
        artifact: Artifact,
        name: str,
        profile: Profile = INACTIVE,
        batch_size: int = 0,
        width: int = 0,
    ) -> None:
        self.artifact = artifact
        self.name = name
        self.network = network
        self.profile = profile
        self._is_fixed = profile.has_fixed_shapes or bool(width)
        self._size = batch_size
        self._may_grow = batch_size == 0
        self._width = width
        self._compiled: set[tuple[int, ...]] = set()

    def forward(self, images: Floats) -> Floats:
        """Images (N, 3, H, W) -> logits (T, N, C).

        Raises:
            UserError: If the graph takes another width alone.
        """
        check_width(images, self._width, self.name)
        if not self._is_fixed:
            return self._run(images)
        if self._may_grow:
            self._size = max(self._size, len(images))
        return in_batches(self._run, images, self._size)

    def _run(self, images: Floats) -> Floats:
        if self._is_fixed and images.shape not in self._compiled:
            self._compiled.add(images.shape)
            self.profile.announce(f"evaluation of images {images.shape}")
        logits: Floats = self.network(ms.Tensor(images)).asnumpy()
        return logits


def create_network(
    artifact: Artifact, use_dropout: bool = True, amp_level: str = FULL, lstm_kernel: str = "operator"
) -> nn.Cell:
    """The network an artifact describes, freshly initialised, computing in O0 or O2."""
    network = artifact.kind.learner().create_network(artifact, use_dropout)
    set_lstm_kernel(network, lstm_kernel)
    set_precision(network, amp_level)
    return network


def evaluation_backend(
    artifact: Artifact, profile: Profile = INACTIVE, batch_size: int = 0
) -> MindSporeBackend:
    """A backend whose network is to be filled with `load_weights`; see `MindSporeBackend`."""
    network = create_network(artifact, lstm_kernel=profile.lstm_kernel)
    network.set_train(False)
    if not profile.has_fixed_shapes:
        network.accept_any_shape()
    return MindSporeBackend(network, artifact, "MindSpore checkpoint", profile, batch_size)


def load_checkpoint_backend(
    path: str, foreign: Foreign, profile: Profile = INACTIVE, batch_size: int = 0
) -> MindSporeBackend:
    """Opens a checkpoint; classes and transform are asked for where it does not describe itself.

    Raises:
        UserError: If it cannot be read or does not fit; see `read_checkpoint_file` and `describe_foreign`.
    """
    checkpoint = read_checkpoint_file(path)
    artifact = checkpoint.artifact
    if artifact is None:
        # What does not describe itself is a CRNN.
        from crnn_mindspore.tasks.ctc.foreign import describe_foreign

        artifact = describe_foreign(checkpoint.weights, checkpoint.others, *foreign(), path)
    backend = evaluation_backend(artifact, profile, batch_size)
    load_weights(backend.network, checkpoint.weights, path)
    backend.artifact = as_computed(artifact, checkpoint.weights)
    return backend


def load_mindir_backend(path: str, profile: Profile = INACTIVE, batch_size: int = 0) -> MindSporeBackend:
    """Opens a MINDIR with its self-description in the .json beside it.

    Raises:
        UserError: If either file is missing or damaged, or they do not belong together.
    """
    described = read_descriptions(path)
    try:
        graph = nn.GraphCell(ms.load(path))
    except (RuntimeError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not a whole MINDIR: {str(error).strip().splitlines()[0]}") from None
    weights = {p.name: p.asnumpy() for p in graph.get_parameters()}
    digest = hash_weights(weights)
    of_weights = [artifact for artifact in described if artifact.weights_sha256 == digest]
    if not of_weights:
        raise UserError(
            f"{path}: its parameters do not have the hash in {description_path(path)}: damaged, "
            "or of another model"
        )
    require_finite(weights, path)
    batch, _, _, width = input_shape(path)
    if profile.has_fixed_shapes and not (batch and width):
        _logger.warning(
            "%s: takes any batch and width, which compilation for Ascend refuses; export it again on "
            "Ascend, or with --for",
            path,
        )
    artifact = own_description(path, of_weights)
    return MindSporeBackend(graph, artifact, "MindSpore MINDIR", profile, batch or batch_size, width)
