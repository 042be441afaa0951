"""`src.crnn_for_train`: one update whose gradients have a global norm of at most 10."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from src.crnn_for_train import TrainOneStepCellWithGradClip


class Product(nn.Cell):
    """data (N, 2) times a weight (2,) times another (1,): one number an image."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ms.Parameter(ms.Tensor([1.0, -2.0], ms.float32), name="first")
        self.second = ms.Parameter(ms.Tensor([0.5], ms.float32), name="second")

    def construct(self, data: ms.Tensor) -> ms.Tensor:
        return (data * self.first).sum(axis=1) * self.second


class Difference(nn.Cell):
    def construct(self, found: ms.Tensor, label: ms.Tensor) -> ms.Tensor:
        return found - label.sum(axis=1)


def gradients(data: np.ndarray) -> np.ndarray:
    """Of the sum over the images, for `first` and `second`."""
    return np.concatenate([0.5 * data.sum(axis=0), [(data @ np.array([1.0, -2.0])).sum()]])


@pytest.mark.parametrize(
    ("data", "sens"),
    [
        ([[1.0, 2.0], [0.5, -1.0]], 1.0),  # norm below 10
        ([[30.0, 2.0], [5.0, -10.0]], 1.0),  # above
        ([[1.0, 2.0], [0.5, -1.0]], 100.0),  # above by `sens`
    ],
)
def test_an_update_takes_the_summed_gradient_of_norm_10_at_most(data: list, sens: float) -> None:
    images, labels = np.array(data, np.float32), np.array([[1], [2]], np.int32)
    network = Product()
    optimizer = nn.SGD(network.trainable_params(), learning_rate=0.1)
    step = TrainOneStepCellWithGradClip(nn.WithLossCell(network, Difference()), optimizer, sens).set_train()
    loss = step(ms.Tensor(images), ms.Tensor(labels)).asnumpy()
    np.testing.assert_allclose(loss, 0.5 * images @ [1.0, -2.0] - [1, 2], rtol=1e-6)
    gradient = sens * gradients(images)
    clipped = gradient * min(1.0, 10 / np.linalg.norm(gradient))
    found = np.concatenate([p.asnumpy() for p in network.trainable_params()])
    np.testing.assert_allclose(found, np.array([1.0, -2.0, 0.5]) - 0.1 * clipped, rtol=1e-5)


def test_a_loss_that_is_one_number_is_taken_as_it_is() -> None:
    class Mean(Difference):
        def construct(self, found: ms.Tensor, label: ms.Tensor) -> ms.Tensor:
            return (found - label.sum(axis=1)).mean()

    images = np.array([[1.0, 2.0], [0.5, -1.0]], np.float32)
    network = Product()
    optimizer = nn.SGD(network.trainable_params(), learning_rate=0.1)
    step = TrainOneStepCellWithGradClip(nn.WithLossCell(network, Mean()), optimizer).set_train()
    assert step(ms.Tensor(images), ms.Tensor(np.array([[1], [2]], np.int32))).shape == ()
    found = np.concatenate([p.asnumpy() for p in network.trainable_params()])
    np.testing.assert_allclose(found, np.array([1.0, -2.0, 0.5]) - 0.05 * gradients(images), rtol=1e-5)
