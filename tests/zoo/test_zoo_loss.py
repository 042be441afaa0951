"""`src.loss`: the loss of labels padded with the blank, against the sum over all paths in NumPy."""

import mindspore as ms
import numpy as np
import pytest

from crnn_mindspore.text.ctc import log_softmax, text_log_probabilities
from src.loss import CTCLoss

BLANK = 4
TEXTS = [[0, 1, 1], [3], [], [2, 2, 2, 2], [1, 2, 0]]
LABELS = np.array([text + [BLANK] * (4 - len(text)) for text in TEXTS], np.int32)


def scores(time_steps: int) -> np.ndarray:
    return np.random.default_rng(5).normal(0, 2, (time_steps, len(TEXTS), BLANK + 1)).astype(np.float32)


def expected(logits: np.ndarray) -> np.ndarray:
    losses = -text_log_probabilities(log_softmax(logits), TEXTS, BLANK)
    return np.where(np.isinf(losses), 0, losses)


@pytest.mark.parametrize(("time_steps", "impossible"), [(8, 0), (6, 1), (3, 2), (2, 3)])
def test_each_images_loss_is_that_of_its_label(time_steps: int, impossible: int) -> None:
    logits = scores(time_steps)
    loss = CTCLoss(max_sequence_length=time_steps, max_label_length=4, batch_size=5)
    found = loss(ms.Tensor(logits), ms.Tensor(LABELS)).asnumpy()
    assert (found == 0).sum() == impossible
    np.testing.assert_allclose(found, expected(logits), rtol=1e-5)


def test_steps_beyond_the_longest_sequence_are_not_read() -> None:
    logits = scores(10)
    found = CTCLoss(8, 4, 5)(ms.Tensor(logits), ms.Tensor(LABELS)).asnumpy()
    np.testing.assert_allclose(found, expected(logits[:8]), rtol=1e-5)


def test_a_smaller_last_batch_and_wider_labels_are_taken() -> None:
    logits = scores(8)
    wide = np.pad(LABELS[:2], ((0, 0), (0, 3)), constant_values=BLANK)
    found = CTCLoss(8, 4, 64)(ms.Tensor(logits[:, :2]), ms.Tensor(wide)).asnumpy()
    np.testing.assert_allclose(found, expected(logits)[:2], rtol=1e-5)


def test_the_gradient_is_that_of_the_losses_added_up() -> None:
    logits = scores(8)
    loss, labels = CTCLoss(8, 4, 5), ms.Tensor(LABELS)

    def added_up(x: ms.Tensor) -> ms.Tensor:
        return loss(x, labels).sum()

    found = ms.grad(added_up)(ms.Tensor(logits)).asnumpy()
    step = 1e-3
    for place in [(0, 0, 0), (3, 1, 3), (7, 4, BLANK)]:
        higher, lower = logits.astype(np.float64), logits.astype(np.float64)
        higher[place] += step
        lower[place] -= step
        slope = (expected(higher).sum() - expected(lower).sum()) / (2 * step)
        assert found[place] == pytest.approx(slope, abs=1e-4)
