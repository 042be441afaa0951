"""The network, under the model zoo's names: `crnn(config)`, `CRNNV1`, `CRNNV2`."""

from typing import Any

from mindspore import Tensor, nn, ops

from crnn_mindspore.errors import UserError
from crnn_mindspore.networks import layers
from crnn_mindspore.networks.crnn import CRNN, MODEL_VERSIONS, V1_DROPOUT, VGG
from crnn_mindspore.networks.half_precision import FULL, HALF, set_precision

__all__ = ["CRNN", "CRNNV1", "CRNNV2", "VGG", "BidirectionalLSTM", "crnn"]

_FULL_FEATURES = 512  # input_size at the published channel counts


class BidirectionalLSTM(layers.BidirectionalLSTM):
    """Bidirectional LSTM, then one dense layer: (T,N,in) -> (T,N,out), for any batch size."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int, batch_size: int = 0) -> None:
        del batch_size
        super().__init__(input_size, hidden_size, output_size)


class CRNNV2(CRNN):
    """Images to class scores by LSTM + dense, twice; `class_num`, `hidden_size`, `input_size` of `config`.

    Takes any batch size: `config.batch_size` is not read.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(
            config.class_num,
            config.hidden_size,
            "V2",
            config.input_size / _FULL_FEATURES,
            config.image_height,
        )


class CRNNV1(CRNN):
    """The same by two stacked LSTM layers; in training with dropout between them if `use_dropout` is set."""

    def __init__(self, config: Any) -> None:
        super().__init__(
            config.class_num,
            config.hidden_size,
            "V1",
            config.input_size / _FULL_FEATURES,
            config.image_height,
            config.use_dropout,
        )
        self.dropout = nn.Dropout(p=V1_DROPOUT)

    def construct(self, images: Tensor) -> Tensor:
        if not (self.training and self.has_dropout):
            return super().construct(images)
        # The mask that the training of this project draws outside of the graph, drawn inside.
        shape = (images.shape[3] // 4 - 1, images.shape[0], 2 * self.hidden_size)  # (T,N,2*hidden)
        return super().construct(images, self.dropout(ops.ones(shape, images.dtype)) > 0)


def crnn(config: Any, full_precision: bool = False) -> CRNN:
    """The network of `config.model_version`.

    Args:
        config: Of `src.model_utils.config`, or any object with its attributes.
        full_precision: False: convolutions, LSTM and dense layers compute in half precision. Parameters and
            logits are float32 in either case.

    Raises:
        UserError: If there is no such version, or the sizes cannot be built.
    """
    kinds = {"V1": CRNNV1, "V2": CRNNV2}
    if config.model_version not in kinds:
        raise UserError(
            f"model_version is {config.model_version!r}, must be one of {', '.join(MODEL_VERSIONS)}"
        )
    network = kinds[config.model_version](config)
    set_precision(network, FULL if full_precision else HALF)
    return network
