"""Parameters as arrays by name: which layer holds the classes, and taking one out with its shape checked."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError

Arrays = Mapping[str, npt.NDArray[np.generic]]

# The dense layer whose rows are the classes, by model version.
CLASS_LAYERS = {"V1": "rnn.fc", "V2": "rnn.1.embedding", "paper": "rnn.1.embedding", "vgg": "prediction"}


def require_finite(arrays: Arrays, origin: str) -> None:
    """Raises UserError naming the first parameter that holds NaN or infinite numbers: it can read nothing."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise UserError(
                f"{origin}: parameter {name} holds numbers that are not finite; the file is damaged, or of a "
                "training that had diverged"
            )


def take(arrays: Arrays, name: str, shape: tuple[int, ...], origin: str) -> npt.NDArray[np.float32]:
    """The array of a name, float32.

    Args:
        arrays: By name.
        name: Of the parameter.
        shape: What it must have.
        origin: The file, for messages.

    Raises:
        UserError: If it is missing or has another shape; both shapes are named.
    """
    if name not in arrays:
        raise UserError(f"{origin}: holds no parameter {name}; one of shape {shape} is needed")
    if arrays[name].shape != shape:
        raise UserError(f"{origin}: {name} has shape {arrays[name].shape}, must have {shape}")
    return arrays[name].astype(np.float32)
