"""One step of LSTM and CTC on a device, against numbers computed by NumPy; a program of its own.

    python -m crnn_mindspore.tasks.ctc.learning.device_check DEVICE_TARGET DEVICE_ID

prints a line of JSON. As a process of its own, so that a device that hangs or aborts ends nothing else.
"""

import json
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.engines.mindspore.runtime import initialize

STEPS, IMAGES, FEATURES, HIDDEN, CLASSES = 6, 2, 4, 16, 5
# Of `inputs()`, by NumPy in float64: the LSTM's outputs summed by `shares()`, the mean CTC loss of its first
# outputs. tests/doctor/test_doctor.py computes both anew.
LSTM_SUM, CTC_LOSS = -0.0911690, 4.9048074


def wave(*shape: int, phase: float) -> npt.NDArray[np.float32]:
    """Numbers between -1 and 1 that any machine makes alike."""
    count = int(np.prod(shape))
    return np.sin(np.arange(count, dtype=np.float64) * 0.7 + phase).reshape(shape).astype(np.float32)


def parameters() -> dict[str, npt.NDArray[np.float32]]:
    """The parameters of a bidirectional LSTM, by MindSpore's names."""
    found = {}
    for number, suffix in enumerate(("", "_reverse")):
        found[f"weight_ih_l0{suffix}"] = 0.3 * wave(4 * HIDDEN, FEATURES, phase=1 + number)
        found[f"weight_hh_l0{suffix}"] = 0.3 * wave(4 * HIDDEN, HIDDEN, phase=3 + number)
        found[f"bias_ih_l0{suffix}"] = 0.1 * wave(4 * HIDDEN, phase=5 + number)
        found[f"bias_hh_l0{suffix}"] = 0.1 * wave(4 * HIDDEN, phase=7 + number)
    return found


def inputs() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Features (T, N, F), targets (N, T), their lengths (N,)."""
    targets = np.zeros((IMAGES, STEPS), np.int32)
    targets[0, :3], targets[1, :2] = [0, 1, 3], [2, 2]
    return wave(STEPS, IMAGES, FEATURES, phase=0), targets, np.array([3, 2], np.int32)


def computed() -> dict[str, Any]:
    """The same two numbers on the device that MindSpore was told to use."""
    import mindspore as ms  # the environment is set by now

    from crnn_mindspore.networks.half_precision import set_precision
    from crnn_mindspore.networks.lstm import LSTM
    from crnn_mindspore.tasks.ctc.learning.ctc_loss import CTCLoss

    lstm = LSTM(FEATURES, HIDDEN)
    for parameter in lstm.get_parameters():
        parameter.set_data(ms.Tensor(parameters()[parameter.name]))
    set_precision(lstm, "O0")
    features, targets, lengths = inputs()
    outputs = lstm(ms.Tensor(features))[0].asnumpy().astype(np.float32)  # (T,N,2*H)
    operator = "CTCLoss" if ms.get_context("device_target") == "Ascend" else "ctc_loss"
    scores = 4 * outputs[:, :, :CLASSES]
    loss = CTCLoss(CLASSES - 1, operator)(*map(ms.Tensor, (scores, targets, lengths)))
    return {"lstm": float((outputs * wave(*outputs.shape, phase=0)).sum()), "ctc": float(loss.asnumpy())}


def main() -> None:
    """Prints what the device computed."""
    target, number = sys.argv[1], int(sys.argv[2])
    runtime = initialize(target, number)
    print(json.dumps({"device": runtime.device_target, **computed()}))


if __name__ == "__main__":
    main()
