"""Between a network's parameters and arrays by name, and to a checkpoint file."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import nn

from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact, hash_weights
from crnn_mindspore.artifacts.checkpoint_file import Weights
from crnn_mindspore.errors import UserError
from crnn_mindspore.whole_file import whole_file


def network_weights(network: nn.Cell) -> Weights:
    """Name -> array of every parameter of the network, batch norm statistics included."""
    return {p.name: p.asnumpy().copy() for p in network.get_parameters()}


def load_weights(network: nn.Cell, weights: Mapping[str, npt.NDArray[np.generic]], origin: str) -> None:
    """Copies arrays into the network; all must be there, of the right shape, and none left over.

    Raises:
        UserError: Naming the first parameter that is missing, has another shape (both are named) or is
            unknown.
    """
    parameters = {p.name: p for p in network.get_parameters()}
    missing = [name for name in parameters if name not in weights]
    unknown = [name for name in weights if name not in parameters]
    if missing or unknown:
        raise UserError(
            f"{origin}: not the parameters of this network: {len(missing)} missing {missing[:3]}, "
            f"{len(unknown)} unknown {unknown[:3]}"
        )
    for name, parameter in parameters.items():
        array = weights[name]
        if tuple(array.shape) != tuple(parameter.shape):
            raise UserError(
                f"{origin}: {name} has shape {tuple(array.shape)}, the network has {parameter.shape}"
            )
        parameter.set_data(ms.Tensor(array, parameter.dtype))


def write_checkpoint(
    path: str,
    weights: Weights,
    artifact: Artifact,
    texts: Mapping[str, str] | None = None,
    others: Mapping[str, ms.Tensor] | None = None,
) -> Artifact:
    """Writes a checkpoint, flushed to disk; it appears whole or not at all.

    Args:
        path: Where; a file of that name is replaced.
        weights: The network's parameters by name: those that evaluation and export use.
        artifact: The self-description; the hash is filled in here.
        texts: Further texts by name.
        others: Further tensors, for resuming: optimiser state, averages. No name may be the network's.

    Returns:
        The self-description as stored.

    Raises:
        UserError: If the file cannot be written, or a number is not finite: such weights are of no use, and a
            good checkpoint of that name stays.
    """
    others = others or {}
    lost = [name for name, array in weights.items() if not np.isfinite(array).all()]
    lost += [name for name, tensor in others.items() if not np.isfinite(tensor.asnumpy()).all()]
    if lost:
        raise UserError(
            f"{path}: not saved, {lost[0]} holds numbers that are not finite: the training has diverged; "
            "try a lower --learning_rate"
        )
    stored = replace(artifact, weights_sha256=hash_weights(weights))
    entries = [{"name": name, "data": ms.Tensor(array)} for name, array in weights.items()]
    entries += [{"name": name, "data": tensor} for name, tensor in others.items()]
    try:
        with whole_file(path, is_flushed=True) as temporary:
            try:
                ms.save_checkpoint(
                    entries, str(temporary), append_dict={METADATA_KEY: stored.to_json(), **(texts or {})}
                )
            finally:
                with suppress(OSError):  # MindSpore writes to a name of its own and leaves it when it fails
                    temporary.with_suffix(".tmp").unlink()
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{path}: the checkpoint cannot be written: {error}") from None
    return stored
