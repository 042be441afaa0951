"""Updates that half precision makes impossible: skipped, counted, said."""

import logging
import math

from crnn_mindspore.training.updates.step import Scaler

_MOST_IN_A_ROW = 50
_SAID_AT_FIRST = 3
_SAID_EVERY = 100

_logger = logging.getLogger(__name__)


class Overflows:
    """Counts the updates that were skipped because gradients overflowed.

    Args:
        scaler: Scales the loss; None where nothing computes in half precision and nothing is skipped.

    Attributes:
        count: Updates skipped so far.
    """

    def __init__(self, scaler: Scaler | None) -> None:
        self.count = 0
        self._scaler = scaler
        self._in_a_row = 0

    def is_skipped(self, step: int, loss: float, norm: float) -> bool:
        """Whether an update was skipped, which is said now and then.

        It was, if the gradients are not finite though the loss is. Too many in a row are no overflow but a
        network that has diverged: these do not count as skipped.

        Args:
            step: Number of the update, from 1.
            loss: Of the update.
            norm: Of the gradients.
        """
        if self._scaler is None or not math.isfinite(loss) or math.isfinite(norm):
            self._in_a_row = 0
            return False
        self.count += 1
        self._in_a_row += 1
        if self.count <= _SAID_AT_FIRST or self.count % _SAID_EVERY == 0:
            _logger.info(
                "step %d: the gradients overflow in half precision, skipped (%d so far); loss scale now %g",
                step,
                self.count,
                float(self._scaler.scale_value.asnumpy()),
            )
        return self._in_a_row <= _MOST_IN_A_ROW
