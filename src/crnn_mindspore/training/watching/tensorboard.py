"""The figures of a training for TensorBoard."""

from collections.abc import Callable, Mapping
from pathlib import Path

from crnn_mindspore.errors import UserError

Scalars = Callable[[int, Mapping[str, float]], None]
"""Takes the step and name -> value."""


def open_tensorboard(folder: Path, first_step: int) -> Scalars:
    """Writes event files for `tensorboard --logdir FOLDER`.

    Args:
        folder: Made when needed.
        first_step: Steps already done; TensorBoard hides what an earlier, killed training wrote beyond it.

    Raises:
        ModuleNotFoundError: If tensorboardX is not installed.
        UserError: If the folder cannot be written.
    """
    from tensorboardX import SummaryWriter

    try:
        writer = SummaryWriter(str(folder), purge_step=first_step + 1, flush_secs=10)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from None

    def write(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return write
