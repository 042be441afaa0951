"""The loss on the images that a training is evaluated on."""

from collections.abc import Mapping
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.loading.loader import Batch

Memory = Mapping[str, npt.NDArray[np.generic]]


class EvaluationLoss:
    """Scores (T, N, K) and their batch -> the losses of its images, (n,) float32.

    An image that cannot be read, and one whose label cannot be learnt, has none. All batches are brought to
    one size, so that one graph is compiled for each width.

    Args:
        artifact: The model.
        options: What the loss is built from.
    """

    def __init__(self, artifact: Artifact, options: Any) -> None:
        self._losses = artifact.kind.learner().create_losses(artifact, options).set_train(False)
        self._artifact = artifact
        self._size = 0

    def remember(self, memory: Memory) -> None:
        """Takes over what the loss of the training has learnt from its batches, by the parameters' names."""
        for parameter in self._losses.get_parameters():
            if parameter.name in memory:
                parameter.set_data(ms.Tensor(memory[parameter.name], parameter.dtype))

    def __call__(self, scores: npt.NDArray[np.float32], batch: Batch) -> npt.NDArray[np.float32]:
        """The losses of the images that have one."""
        steps = scores.shape[0]
        kept = [n for n in range(len(batch)) if batch.readable[n] and self._is_learnt(batch.texts[n], steps)]
        self._size = max(self._size, len(batch))
        count = len(kept)
        # Rows without an image hold one class, which any loss can be computed of.
        targets = np.zeros((self._size, steps), np.int32)
        lengths = np.ones(self._size, np.int32)
        filled = np.zeros((steps, self._size, scores.shape[2]), np.float32)  # (T,N,K)
        width = min(batch.targets.shape[1], steps)
        targets[:count, :width] = batch.targets[kept, :width]
        lengths[:count] = batch.target_lengths[kept]
        filled[:, :count] = scores[:, kept]
        found: npt.NDArray[np.float32] = self._losses(*map(ms.Tensor, (filled, targets, lengths))).asnumpy()
        return found[:count]

    def _is_learnt(self, text: str, steps: int) -> bool:
        return self._artifact.codec.refusal(text, steps, None) is None
