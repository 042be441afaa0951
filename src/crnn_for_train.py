"""The training step, under the model zoo's name."""

import mindspore as ms
from mindspore import Tensor, nn, ops

from crnn_mindspore.training.updates.step import CRNNForTrain, global_norm, scale_all

__all__ = ["CRNNForTrain", "TrainOneStepCellWithGradClip"]

CLIP_NORM = 10.0


class TrainOneStepCellWithGradClip(nn.TrainOneStepCell):
    """One optimiser update, its gradients scaled to a global norm of at most 10.

    Args:
        network: Network with its loss: (images, labels) -> the loss, a scalar or one number an image.
        optimizer: Its parameters are the ones trained.
        sens: What the loss is multiplied by before it is differentiated.

    Inputs:
        data (N, 3, H, W) float32; label (N, L) int32.

    Returns:
        The loss, as the network gives it. Losses of several images are added up, not averaged, and gradients
        of several processes averaged before they are scaled.
    """

    def __init__(self, network: nn.Cell, optimizer: nn.Optimizer, sens: float = 1.0) -> None:
        super().__init__(network, optimizer, sens)

    def construct(self, data: Tensor, label: Tensor) -> Tensor:
        loss = self.network(data, label)
        sens = ops.fill(loss.dtype, loss.shape, self.sens)
        gradients = self.grad_reducer(self.grad(self.network, self.weights)(data, label, sens))
        scale = CLIP_NORM / ops.maximum(global_norm(gradients), Tensor(CLIP_NORM, ms.float32))
        return ops.depend(loss, self.optimizer(scale_all(gradients, scale)))
