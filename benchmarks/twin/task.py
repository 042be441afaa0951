"""What a training in PyTorch learns: network, targets, loss, and when a reading is right.

A further kind of output is a further class with these methods; nothing else knows of CTC or of positions.
"""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_projects import ProjectCRNN
from benchmarks.torch_twin import TorchCRNN
from benchmarks.twin.worker import Targets
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.charset_in import charset_in
from crnn_mindspore.tasks.ctc.network_spec import PyTorchSpec

Ints = npt.NDArray[np.int32]


class Task(Protocol):
    """What the training asks."""

    artifact: Artifact
    targets: Targets
    may_be_inverted: bool  # whether the negative of an image has the same label

    def create_network(self) -> nn.Module:
        """The network with initial weights; its modules carry the names of ours."""

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Mean over the batch; targets lie where the scores are, lengths on the CPU."""

    def is_right(self, scores: torch.Tensor, targets: Ints, lengths: Ints) -> npt.NDArray[np.bool_]:
        """Which images are read without a mistake, (N,)."""


class CtcTask:
    """Words and lines: CRNN V1, V2, paper or vgg with the CTC loss, blank last.

    Args:
        artifact: Alphabet, image size, version and sizes of the network.
        use_dropout: Of V1.
    """

    name = "ctc"
    may_be_inverted = True

    def __init__(self, artifact: Artifact, use_dropout: bool = True) -> None:
        self.artifact = artifact
        self.use_dropout = use_dropout
        self.targets = Targets(artifact.codec, artifact.preprocessing.time_steps)
        self._blank = charset_in(artifact).blank

    def create_network(self) -> TorchCRNN | ProjectCRNN:
        """Initial weights of the same distributions as ours."""
        spec = self.artifact.network
        published = (64, 128, 256, 256, 512, 512, 512)
        channels = list(spec.channels) or [round(c * spec.channel_scale) for c in published]
        sizes = channels, spec.hidden_size, self.artifact.codec.num_classes, spec.version
        in_channels = self.artifact.preprocessing.channels
        network: TorchCRNN | ProjectCRNN
        if isinstance(spec, PyTorchSpec):
            network = ProjectCRNN(*sizes, in_channels, spec.leaky_slope, spec.rnn_type)
        else:
            network = TorchCRNN(*sizes, in_channels)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, nn.Dropout) and not self.use_dropout:
                module.p = 0.0
        return network

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """CTC in float32; scores (T,N,C), not normalised. A target that T steps cannot hold adds 0."""
        log_probs = scores.float().log_softmax(-1)
        time_steps, batch_size, _ = log_probs.shape
        losses = functional.ctc_loss(
            log_probs,
            targets,
            torch.full((batch_size,), time_steps, dtype=torch.int32),
            lengths,
            blank=self._blank,
            reduction="none",
            zero_infinity=True,
        )
        return losses.mean()

    def is_right(self, scores: torch.Tensor, targets: Ints, lengths: Ints) -> npt.NDArray[np.bool_]:
        """Greedy readings, compared by class: case as the alphabet has it."""
        paths = scores.argmax(-1).T.cpu().numpy()  # (T,N,C) -> (N,T)
        right = np.zeros(len(paths), dtype=np.bool_)
        for row, (path, target, length) in enumerate(zip(paths, targets, lengths, strict=True)):
            changes = np.append(True, path[1:] != path[:-1])
            read = path[changes & (path != self._blank)]
            right[row] = np.array_equal(read, target[:length])
        return right


def create_task(artifact: Artifact, options: Any) -> Task:
    """What a description asks to learn.

    Args:
        artifact: The description.
        options: Those of training: dropout and the loss.

    Raises:
        UserError: If PyTorch's side does not have it.
    """
    if artifact.task == CtcTask.name:
        return CtcTask(artifact, options.use_dropout)
    from benchmarks.twin.positions import PositionsTask

    if artifact.task == PositionsTask.name:
        return PositionsTask(artifact, options)
    known = f"{CtcTask.name} and {PositionsTask.name}"
    raise UserError(f"the training in PyTorch knows the outputs {known}, not {artifact.task}")
