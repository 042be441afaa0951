"""An ONNX network in less than float32: half precision, or 8-bit integers calibrated on images.

Input and output stay float32, batch and width stay free, and the metadata is kept.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from crnn_mindspore.artifacts.onnx_pieces import INPUT_NAME
from crnn_mindspore.data.loading.loader import load_batches
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.engines.onnx_runtime import import_onnx_runtime
from crnn_mindspore.errors import UserError
from crnn_mindspore.extras import missing_message

Images = npt.NDArray[np.float32]

_SMALLEST_HALF, _LARGEST_HALF = 2.0**-24, 65504.0
# Every operation with many multiplications but the LSTM, and what lies between two of these. ONNX Runtime's
# integer LSTM scales its input by the range of the whole batch: an image's logits would depend on the others.
_QUANTISED = ["Conv", "Relu", "MaxPool", "MatMul"]


def calibration_images(dataset: WordDataset, count: int, batch_size: int = 32) -> Iterator[Images]:
    """Batches (N, 3, H, W) of `count` images spread evenly over a data set; unreadable ones are left out.

    Raises:
        UserError: If none can be read.
    """
    places = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int))
    readable = 0
    for first in range(0, len(places), batch_size):
        for batch in load_batches(dataset, places[first : first + batch_size].tolist()):
            readable += int(batch.readable.sum())
            if batch.readable.any():
                yield batch.images[batch.readable]
    if not readable:
        raise UserError(f"{dataset.source.origin}: holds no readable image to calibrate on")


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network in half precision: half the size, and computed in halves where ONNX Runtime can.

    Its CUDA kernels can; its CPU kernels compute in float32, as fast as the float32 network.
    """
    float16 = import_onnx_runtime("onnxruntime.transformers.float16")
    copied = onnx.ModelProto()
    copied.CopyFrom(model)  # the converter changes what it is given
    # Without shape inference: the graph is complete, and the inferred shapes would be written into it.
    half: onnx.ModelProto = float16.convert_float_to_float16(
        copied,
        min_positive_val=_SMALLEST_HALF,
        max_finite_val=_LARGEST_HALF,
        keep_io_types=True,
        disable_shape_infer=True,
    )
    _sort_nodes(half.graph)
    return half


def _sort_nodes(graph: onnx.GraphProto) -> None:
    """Puts every node behind those whose outputs it takes, as ONNX demands; the converter adds casts last."""
    known = {"", *(value.name for value in [*graph.input, *graph.initializer])}
    waiting, ordered = list(graph.node), []
    while waiting:
        ready = next(node for node in waiting if known.issuperset(node.input))
        waiting.remove(ready)
        ordered.append(ready)
        known.update(ready.output)
    del graph.node[:]
    graph.node.extend(ordered)


def quantize(model: onnx.ModelProto, batches: Iterable[Images]) -> onnx.ModelProto:
    """The network with convolutions and dense layers in 8-bit integers; the LSTM stays float32.

    Weights are scaled by channel, activations by the range that they have on the calibration images.

    Args:
        model: From `build_onnx`.
        batches: The calibration images, (N, 3, H, W), preprocessed as the model wants them.

    Raises:
        UserError: If a package is missing.

    Source: settings measured on the shipped weights, see benchmarks/README.md. Weights take 7 bits: without
    VNNI, x86 sums two 8-bit products in 16 bits, which overflows (2.4 points of word accuracy).
    """
    try:
        quantization = import_onnx_runtime("onnxruntime.quantization")
        quant_utils = import_onnx_runtime("onnxruntime.quantization.quant_utils")
    except ImportError as error:
        raise UserError(f"precision int8 {missing_message(error.name or str(error))}") from None
    prepared = onnx.ModelProto()
    prepared.CopyFrom(model)
    # Keeps the quantiser from asking for its own preparation: batch norm is folded already.
    quant_utils.add_pre_process_metadata(prepared)
    with TemporaryDirectory(prefix="crnn_quantize_") as folder:
        path = Path(folder) / "quantized.onnx"
        quantization.quantize_static(
            prepared,
            str(path),
            _reader(quantization.CalibrationDataReader, batches),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        quantized = onnx.load(str(path))
    del quantized.metadata_props[:]
    quantized.metadata_props.extend(model.metadata_props)
    return quantized


def _reader(base: Any, batches: Iterable[Images]) -> Any:
    """The batches as ONNX Runtime's calibration asks for them."""

    class Reader(base):
        def __init__(self) -> None:
            self._batches = iter(batches)

        def get_next(self) -> dict[str, Images] | None:
            images = next(self._batches, None)
            return None if images is None else {INPUT_NAME: images}

    return Reader()
