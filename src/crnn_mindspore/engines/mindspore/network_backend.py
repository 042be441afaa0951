"""MindSpore as the engine: a checkpoint or a MINDIR that runs on any batch size and width."""

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import nn

from crnn_mindspore.artifacts.artifact import Artifact, description_path, hash_weights, read_descriptions
from crnn_mindspore.artifacts.checkpoint_file import as_computed, read_checkpoint_file
from crnn_mindspore.artifacts.mindir_digest import own_description
from crnn_mindspore.artifacts.weights import require_finite
from crnn_mindspore.engines.backend import Foreign
from crnn_mindspore.engines.mindspore.parameters import load_weights
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.half_precision import FULL, set_precision


class MindSporeBackend:
    """A network or loaded graph with its self-description."""

    def __init__(self, network: nn.Cell, artifact: Artifact, name: str) -> None:
        self.artifact = artifact
        self.name = name
        self.network = network

    def forward(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Images (N, 3, H, W) -> logits (T, N, C)."""
        logits: npt.NDArray[np.float32] = self.network(ms.Tensor(images)).asnumpy()
        return logits


def create_network(artifact: Artifact, use_dropout: bool = True, amp_level: str = FULL) -> nn.Cell:
    """The network an artifact describes, freshly initialised, computing in O0 or O2."""
    network = artifact.kind.learner().create_network(artifact, use_dropout)
    set_precision(network, amp_level)
    return network


def evaluation_backend(artifact: Artifact) -> MindSporeBackend:
    """A backend whose network is to be filled with `load_weights`."""
    network = create_network(artifact)
    network.set_train(False)
    return MindSporeBackend(network.accept_any_shape(), artifact, "MindSpore checkpoint")


def load_checkpoint_backend(path: str, foreign: Foreign) -> MindSporeBackend:
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
    backend = evaluation_backend(artifact)
    load_weights(backend.network, checkpoint.weights, path)
    backend.artifact = as_computed(artifact, checkpoint.weights)
    return backend


def load_mindir_backend(path: str) -> MindSporeBackend:
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
    return MindSporeBackend(graph, own_description(path, of_weights), "MindSpore MINDIR")
