"""A CRNN's weights for a wider network that computes the same.

A wider layer repeats the channels of the narrow one. What reads a repeated channel shares its weight among
the repetitions, in shares drawn for each weight, so that they learn different things from then on.

Source: Chen, Goodfellow, Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer" (2016), section 2.3.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

_LEAST_SHARE = 0.2
_GATES = 4


def widened(
    weights: Mapping[str, npt.NDArray[np.generic]], narrow: NetworkSpec, wide: NetworkSpec, seed: int
) -> dict[str, Floats]:
    """The weights of a network of version and sizes `narrow` for one of the sizes `wide`.

    Args:
        weights: By our names.
        narrow: What they belong to.
        wide: Of the same version, no size smaller; neither with channels of its own for every layer.
        seed: Of the shares.

    Raises:
        UserError: If it is another version or narrower, or one of them was cut by `crnn prune`.
    """
    is_cut = bool(wide.channels or narrow.channels)
    is_narrower = wide.channel_scale < narrow.channel_scale or wide.hidden_size < narrow.hidden_size
    if is_cut or is_narrower or wide.version != narrow.version:
        raise UserError(f"--widen: {narrow} cannot become {wide}")
    rng = np.random.default_rng(seed)
    hidden = np.arange(wide.hidden_size) % narrow.hidden_size
    both = np.concatenate([hidden, hidden + narrow.hidden_size])  # forward and backward
    gates = np.concatenate([hidden + gate * narrow.hidden_size for gate in range(_GATES)])
    channels: Places = np.arange(3)
    found: dict[str, Floats] = {}
    for number in range(1, 8):
        layer = f"vgg.conv{number}"
        old = np.asarray(weights[f"{layer}.conv.weight"], dtype=np.float32)
        rows = np.arange(round(len(old) * wide.channel_scale / narrow.channel_scale)) % len(old)
        found[f"{layer}.conv.weight"] = _shared(old[rows], channels, rng)
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            found[f"{layer}.bn.{name}"] = np.asarray(weights[f"{layer}.bn.{name}"], dtype=np.float32)[rows]
        channels = rows
    if narrow.version == "V1":
        parts = [("rnn.lstm1", channels, ""), ("rnn.lstm2", both, "rnn.fc")]
    else:
        parts = [("rnn.0.rnn", channels, "rnn.0.embedding"), ("rnn.1.rnn", hidden, "rnn.1.embedding")]
    for number, (lstm, inputs, dense) in enumerate(parts):
        for end in ("l0", "l0_reverse"):
            for kind, columns in (("ih", inputs), ("hh", hidden)):
                old = np.asarray(weights[f"{lstm}.weight_{kind}_{end}"], dtype=np.float32)
                found[f"{lstm}.weight_{kind}_{end}"] = _shared(old[gates], columns, rng)
                bias = np.asarray(weights[f"{lstm}.bias_{kind}_{end}"], dtype=np.float32)
                found[f"{lstm}.bias_{kind}_{end}"] = bias[gates]
        if dense:
            weight = np.asarray(weights[f"{dense}.weight"], dtype=np.float32)
            rows = hidden if number == 0 else np.arange(len(weight))
            found[f"{dense}.weight"] = _shared(weight[rows], both, rng)
            found[f"{dense}.bias"] = np.asarray(weights[f"{dense}.bias"], dtype=np.float32)[rows]
    return found


def _shared(weight: Floats, columns: Places, rng: np.random.Generator) -> Floats:
    """Weights (out, in, ...) for inputs that repeat: column i reads what column `columns[i]` did."""
    count = int(columns.max()) + 1
    repetitions = np.bincount(columns, minlength=count)
    if (repetitions == 1).all():
        return np.ascontiguousarray(weight[:, columns])
    shares = rng.uniform(_LEAST_SHARE, 1, (len(weight), len(columns)))
    totals = np.zeros((len(weight), count))
    np.add.at(totals.T, columns, shares.T)
    shares /= totals[:, columns]
    shape = (*shares.shape, *(1,) * (weight.ndim - 2))
    return (weight[:, columns] * shares.reshape(shape)).astype(np.float32)
