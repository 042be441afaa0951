"""From one feature vector an image to the scores of positions, where a position may lack some classes."""

import mindspore as ms
from mindspore import Tensor, nn
from mindspore.common.initializer import Normal, initializer

from crnn_mindspore.artifacts.class_mask import ClassMask, score_offsets

HEAD_DEVIATION = 0.01  # of the weights at the start: every class is then about as likely as every other


class PositionScores(nn.Cell):
    """One dense layer to the classes of all positions: (N,F) -> (T,N,K) float32.

    Weights start at N(0, 0.01), biases at 0.

    Args:
        features: F.
        num_positions: T.
        num_classes: K, the classes of all positions together, or the most that a position has.
        mask: (T, K), True where the position has the class; None: every position has all. A class that a
            position lacks scores `ABSENT_SCORE` less: its probability and its gradient are exactly 0.

    Raises:
        UserError: If the mask has another shape, or leaves a position without a class.
    """

    def __init__(
        self, features: int, num_positions: int, num_classes: int, mask: ClassMask | None = None
    ) -> None:
        super().__init__()
        self.shape = (-1, num_positions, num_classes)
        self.mask = None if mask is None else Tensor(score_offsets(mask, num_positions, num_classes))
        self.dense = nn.Dense(features, num_positions * num_classes, bias_init="zeros")
        weight = self.dense.weight
        weight.set_data(initializer(Normal(HEAD_DEVIATION), weight.shape, weight.dtype))

    def construct(self, x: Tensor) -> Tensor:
        scores = self.dense(x).astype(ms.float32).reshape(self.shape).swapaxes(0, 1)  # (N,T*K) -> (T,N,K)
        return scores if self.mask is None else scores + self.mask
