"""An attention decoder that reads along while a CTC network is trained, and is not kept.

CTC's gradient comes from the time steps at its peaks; a decoder that looks for one character after the other
teaches the layers below in another way. It reads what the last dense layer reads, so it teaches all others;
on the sequence of the convolutions, without the recurrent layers, it learns to read many times slower.

Source: Hu et al., "GTC: Guided Training of CTC" (2020), https://arxiv.org/abs/2002.01276, where the decoder
alone trains the features. Both losses train them in Kim, Hori, Watanabe, "Joint CTC-Attention based
End-to-End Speech Recognition using Multi-task Learning" (2017).
"""

import math

import torch
from torch import nn
from torch.nn import functional

_HEADS = 8
_LONGEST_PERIOD = 10_000.0


class Guide(nn.Module):
    """One layer of a Transformer's decoder, taught with the true characters before each.

    It reads the sequence (T,N,C) before a network's last dense layer, kept when a batch goes through.

    Args:
        network: Its last dense layer gives scores (T,N,K); the blank, the last class, stands here for the
            beginning and the end of a word.
        weight: Of its loss beside the network's.
        width: Of the layer.
    """

    def __init__(self, network: nn.Module, weight: float, width: int = 256) -> None:
        super().__init__()
        self.weight = weight
        *_, last = (module for module in network.modules() if isinstance(module, nn.Linear))
        num_classes = last.out_features
        self.end = num_classes - 1
        self.dense = nn.Linear(last.in_features, width)
        self.embedding = nn.Embedding(num_classes, width)
        self.layer = nn.TransformerDecoderLayer(
            width, _HEADS, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_classes)
        self._sequence: torch.Tensor | None = None
        last.register_forward_pre_hook(self._keep)

    def _keep(self, last: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if last.training:
            self._sequence = inputs[0]

    def loss(self, targets: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Cross entropy of the latest batch, over all characters and the end: nats a word, as CTC's loss.

        Args:
            targets: (N,L), where the network is.
            lengths: (N,), on the CPU.
        """
        sequence, self._sequence = self._sequence, None
        assert sequence is not None, "no batch went through the network"
        before, expected, is_read = self._words(targets, lengths)
        memory = self.dense(sequence.transpose(0, 1))  # (T,N,C) -> (N,T,width)
        memory = memory + _places(memory)
        queries = self.embedding(before)
        queries = queries + _places(queries)
        count = before.shape[1]
        is_later = torch.ones(count, count, dtype=torch.bool, device=targets.device).triu(1)
        read = self.layer(queries, memory, tgt_mask=is_later, tgt_is_causal=True)
        scores = self.head(self.norm(read)).float()  # (N,L+1,K)
        losses = functional.cross_entropy(scores.transpose(1, 2), expected, reduction="none")
        return (losses * is_read).sum(1).mean()

    def _words(
        self, targets: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The characters before each, those to be read, and whether there is one; (N, longest + 1) each."""
        longest = int(lengths.max())
        characters = functional.pad(targets[:, :longest].long(), (0, 1), value=self.end)
        if targets.is_cuda:
            lengths = lengths.pin_memory()
        ends = lengths.to(targets.device, non_blocking=True)[:, None]
        place = torch.arange(longest + 1, device=targets.device)
        expected = torch.where(place < ends, characters, self.end)
        return expected.roll(1, 1), expected, place <= ends  # the last column, all ends, becomes the first


def _places(sequence: torch.Tensor) -> torch.Tensor:
    """Sines and cosines of the place in a sequence (N,L,width): (L,width)."""
    _, length, width = sequence.shape
    device = sequence.device
    rates = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(_LONGEST_PERIOD) / width))
    angles = torch.arange(length, device=device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
