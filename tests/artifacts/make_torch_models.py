"""Writes the files of `torch_models/`: small networks of other projects, made with PyTorch, and their logits.

    python tests/artifacts/make_torch_models.py

Needs torch and NumPy. The networks follow the projects' public definitions at a 32nd of their width:
crnn.pytorch (models/crnn.py), parseq (strhub/models/crnn/model.py), deep-text-recognition-benchmark
(None-VGG-BiLSTM-CTC); two with GRU, as descendants have them.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

FOLDER = Path(__file__).parent / "torch_models"
WIDTHS = (2, 4, 8, 8, 16, 16, 16)
HIDDEN = 4


class Recurrent(nn.Module):
    """Bidirectional LSTM or, as in descendants, GRU, and a linear layer of a name.

    Over (T,N,F) or, as parseq and deep-text, (N,T,F).
    """

    def __init__(
        self, inputs: int, outputs: int, linear: str, batch_first: bool, kind: type[nn.RNNBase] = nn.LSTM
    ) -> None:
        super().__init__()
        self.rnn = kind(inputs, HIDDEN, bidirectional=True, batch_first=batch_first)
        self.linear_name = linear
        setattr(self, linear, nn.Linear(2 * HIDDEN, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same axes as the input."""
        return getattr(self, self.linear_name)(self.rnn(x)[0])


class Crnn(nn.Module):
    """crnn.pytorch's and, with `is_parseq`, parseq's."""

    def __init__(
        self,
        channels: int,
        classes: int,
        slope: float = 0.0,
        is_parseq: bool = False,
        kind: type[nn.RNNBase] = nn.LSTM,
    ) -> None:
        super().__init__()
        self.cnn = nn.Sequential()
        self.is_parseq = is_parseq
        for i, width in enumerate(WIDTHS):
            is_last, has_norm = i == 6, i in (2, 4, 6)
            before = WIDTHS[i - 1] if i else channels
            sizes = (2, 1, 0) if is_last else (3, 1, 1)
            bias = not (has_norm and is_parseq)
            self.cnn.add_module(f"conv{i}", nn.Conv2d(before, width, *sizes, bias=bias))
            if has_norm:
                self.cnn.add_module(f"batchnorm{i}", nn.BatchNorm2d(width))
            self.cnn.add_module(f"relu{i}", nn.LeakyReLU(slope) if slope else nn.ReLU())
            if i in (0, 1):
                self.cnn.add_module(f"pooling{i}", nn.MaxPool2d(2, 2))
            if i in (3, 5):
                self.cnn.add_module(f"pooling{i // 2 + 1}", nn.MaxPool2d((2, 2), (2, 1), (0, 1)))
        self.rnn = nn.Sequential(
            Recurrent(WIDTHS[-1], HIDDEN, "embedding", is_parseq, kind),
            Recurrent(HIDDEN, classes, "embedding", is_parseq, kind),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,C,32,W) -> (T,N,K)."""
        x = self.cnn(x).squeeze(2)
        if self.is_parseq:
            return self.rnn(x.transpose(1, 2)).transpose(0, 1)
        return self.rnn(x.permute(2, 0, 1))


class DeepText(nn.Module):
    """deep-text's, without transformation."""

    def __init__(self, channels: int, classes: int, kind: type[nn.RNNBase] = nn.LSTM) -> None:
        super().__init__()
        c0, c1, c2, c3 = (WIDTHS[i] for i in (0, 1, 2, 4))
        tall = nn.MaxPool2d((2, 1), (2, 1))
        self.FeatureExtraction = nn.Module()
        self.FeatureExtraction.ConvNet = nn.Sequential(
            *(nn.Conv2d(channels, c0, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2, 2)),
            *(nn.Conv2d(c0, c1, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2, 2)),
            *(nn.Conv2d(c1, c2, 3, 1, 1), nn.ReLU(), nn.Conv2d(c2, c2, 3, 1, 1), nn.ReLU(), tall),
            *(nn.Conv2d(c2, c3, 3, 1, 1, bias=False), nn.BatchNorm2d(c3), nn.ReLU()),
            *(nn.Conv2d(c3, c3, 3, 1, 1, bias=False), nn.BatchNorm2d(c3), nn.ReLU(), tall),
            *(nn.Conv2d(c3, c3, 2, 1, 0), nn.ReLU()),
        )
        self.SequenceModeling = nn.Sequential(
            Recurrent(c3, HIDDEN, "linear", True, kind), Recurrent(HIDDEN, HIDDEN, "linear", True, kind)
        )
        self.Prediction = nn.Linear(HIDDEN, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,C,32,W) -> (T,N,K)."""
        x = self.FeatureExtraction.ConvNet(x).mean(2).transpose(1, 2)  # the pooling over the height of 1
        return self.Prediction(self.SequenceModeling(x)).transpose(0, 1)


def main() -> None:
    """Writes every file."""
    torch.manual_seed(1)
    arrays = write(
        *(("crnn_pytorch", Crnn(1, 37), 1, 100), ("chinese", Crnn(1, 6, slope=0.2), 1, 160)),
        *(("parseq", Crnn(3, 95, is_parseq=True), 3, 128), ("deep_text", DeepText(1, 37), 1, 100)),
    )
    arrays |= write(
        ("crnn_pytorch_gru", Crnn(1, 37, kind=nn.GRU), 1, 100),
        ("deep_text_gru", DeepText(3, 37, nn.GRU), 3, 100),
    )
    np.savez_compressed(FOLDER / "logits.npz", **arrays)


def write(*models: tuple[str, nn.Module, int, int]) -> dict[str, np.ndarray]:
    """Writes networks, each with its name, channels and width of its images; returns images and logits."""
    arrays: dict[str, np.ndarray] = {}
    for name, network, channels, width in models:
        for module in network.modules():  # so large that the scores depend on every part
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            if isinstance(module, nn.RNNBase | nn.Linear):
                for tensor in module.parameters():
                    nn.init.normal_(tensor, 0, 2 / tensor.shape[-1] ** 0.5 if tensor.ndim > 1 else 0.5)
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    nn.init.uniform_(tensor, 0.5, 1.5)
                for tensor in (module.bias, module.running_mean):
                    nn.init.uniform_(tensor, -0.5, 0.5)
        images = torch.randn(2, channels, 32, width)
        with torch.inference_mode():
            arrays |= {f"{name}_images": images.numpy(), f"{name}_logits": network.eval()(images).numpy()}
        state = network.state_dict()
        with_prefix = {f"module.{key}": tensor for key, tensor in state.items()}
        is_zip = True
        if name.startswith("crnn_pytorch"):
            saved, is_zip = state, False
        elif name == "chinese":
            saved = {"state_dict": with_prefix, "epoch": 3, "best_acc": 0.5}
        elif name == "parseq":
            saved = {f"model.{key}": tensor for key, tensor in state.items()}
        else:
            saved = with_prefix
        torch.save(saved, FOLDER / f"{name}.pth", _use_new_zipfile_serialization=is_zip)
    return arrays


if __name__ == "__main__":
    main()
