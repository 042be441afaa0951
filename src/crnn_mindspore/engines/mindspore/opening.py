"""Opens MindSpore's models: sets the environment that MindSpore reads, then imports it."""

from typing import TYPE_CHECKING

from crnn_mindspore.engines.backend import Foreign
from crnn_mindspore.engines.choices import LEFT_OPEN, AscendChoices
from crnn_mindspore.engines.mindspore.runtime import initialize

if TYPE_CHECKING:
    from crnn_mindspore.engines.mindspore.network_backend import MindSporeBackend


def open_checkpoint(
    path: str,
    device_target: str,
    device_id: int,
    foreign: Foreign,
    choices: AscendChoices = LEFT_OPEN,
    batch_size: int = 0,
) -> "MindSporeBackend":
    """Opens a checkpoint on a device; see `load_checkpoint_backend`.

    Raises:
        UserError: If the device cannot be used or the checkpoint does not fit.
    """
    runtime = initialize(device_target, device_id, choices=choices)
    from crnn_mindspore.engines.mindspore.network_backend import load_checkpoint_backend

    return load_checkpoint_backend(path, foreign, runtime.profile, batch_size)


def open_mindir(
    path: str,
    device_target: str,
    device_id: int,
    choices: AscendChoices = LEFT_OPEN,
    batch_size: int = 0,
) -> "MindSporeBackend":
    """Opens a MINDIR on a device; see `load_mindir_backend`.

    Raises:
        UserError: If the device cannot be used or the file does not fit.
    """
    runtime = initialize(device_target, device_id, choices=choices)
    from crnn_mindspore.engines.mindspore.network_backend import load_mindir_backend

    return load_mindir_backend(path, runtime.profile, batch_size)
