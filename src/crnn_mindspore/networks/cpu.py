"""What makes training faster on CPUs: convolutions by Winograd's algorithm, and another reversal of time.

Winograd's algorithm is written as matrix products. MindSpore's CPU backend convolves directly, with 9
multiplications for every channel, pixel and filter. Winograd's F(2x2, 3x3) reads the image in overlapping
4x4 tiles, each of which gives 2x2 results, and needs 4. All its steps are linear maps; here each is one
matrix product with a constant, so that the backward pass, made by automatic differentiation, is as fast. Sums
are taken in another order than in a direct convolution; both come equally close to the exact result.

Measured on two cores (AMD EPYC, AVX-512): a training step of V2 on 64 images takes 1.68 s directly and 1.24 s
so, at half the channels 0.60 s and 0.51 s.

Source: Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), section 4.1.
"""

from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn, ops

from crnn_mindspore.networks.fitted_winograd import FittedWinogradConv

LEAST_FITTED_CHANNELS = 16  # of the input; with fewer, tiles that fit the map gain nothing

Floats = npt.NDArray[np.float64]

TILE = 4  # values that a tile reads along each axis; neighbours overlap by two
TILE_OUTPUTS = 2
BAND_ROWS = 2  # output rows that one set of matrix products computes; 4 and 8 are slower
# From c channels to k, a convolution costs c * k a pixel, the transforms (c + k) * pixels of a band. Measured
# gain in time at a share of 0.2: 2.0, of 0.6: 1.3, of 1.0: 1.2, of 1.2: 1.0.
MAX_TRANSFORM_SHARE = 1.1

# The paper's B^T, G and A^T.
_INPUT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float64)
_KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float64)
_OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float64)


class WinogradConv2d(nn.Conv2d):
    """3x3 convolution with one pixel of zero padding that trains by Winograd's algorithm where it is faster.

    The algorithm needs to know the image size when the graph is compiled; `is_direct` forbids it.
    """

    def __init__(self, *sizes: int, **options: Any) -> None:
        super().__init__(*sizes, **options)
        self.is_direct = False
        self.winograd = WinogradConv()
        self.is_fitted = False

    def construct(self, x: Tensor) -> Tensor:
        x = self._convolve(x)
        return self.bias_add(x, self.bias) if self.has_bias else x

    def _convolve(self, x: Tensor) -> Tensor:
        may_differ = self.training and not self.is_direct
        if may_differ and self.is_fitted:
            if self.weight.shape[1] >= LEAST_FITTED_CHANNELS:
                return self.winograd(x, self.weight)
        elif may_differ and is_faster(x.shape[3], self.weight.shape[1], self.weight.shape[0]):
            return self.winograd(x, self.weight)
        return self.conv2d(x, self.weight)


def allow_any_size(network: nn.Cell) -> None:
    """Has a network's convolutions take images whose size is not known when the graph is compiled."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, WinogradConv2d):
            cell.is_direct = True


def fit_tiles(network: nn.Cell) -> None:
    """Has a network's convolutions train with tiles that fit the map: faster than with tiles of 2x2."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, WinogradConv2d):
            cell.winograd, cell.is_fitted = FittedWinogradConv(), True


class ReverseTime(nn.Cell):
    """The last time step first: (T,N,F) -> (T,N,F).

    Takes the place of `ReverseV2` in MindSpore's LSTM on CPUs, where that operator needs 5 ms for 3 MB and
    this 0.3 ms; a training step reverses eight times.
    """

    def construct(self, x: Tensor) -> Tensor:
        return ops.gather(x, ops.arange(x.shape[0] - 1, -1, -1), 0)


def quicken_lstm(lstm: nn.LSTM) -> None:
    """Has a bidirectional LSTM reverse time by `ReverseTime`."""
    lstm.reverse = ReverseTime()


def is_cpu() -> bool:
    """Whether MindSpore computes on the CPU."""
    return bool(ms.get_context("device_target") == "CPU")


class WinogradConv(nn.Cell):
    """3x3 convolution with stride 1 and one pixel of zero padding; holds no parameters.

    Inputs:
        x (N, C, H, W) float32 of a size known when the graph is compiled; weight (K, C, 3, 3).

    Returns:
        (N, K, H, W) float32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernel_transform = Tensor(np.kron(_KERNEL, _KERNEL), ms.float32)  # (16, 9)
        self.times_transposed = ops.MatMul(transpose_b=True)
        self.transposed_times = ops.MatMul(transpose_a=True)
        self.multiply_all = ops.BatchMatMul(transpose_b=True)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        n, c, height, width = x.shape
        k = weight.shape[0]
        kernels = self.times_transposed(self.kernel_transform, weight.reshape(k * c, 9)).reshape(16, k, c)
        bands: tuple[Tensor, ...] = ()
        for first, last, to_tiles, to_pixels in band_transforms(height, width):
            rows = x if last - first == height else x[:, :, first:last]
            tiles = self.times_transposed(to_tiles, rows.reshape(n * c, -1))  # -> (16*tiles, N*C)
            products = self.multiply_all(tiles.reshape(16, -1, c), kernels)  # -> (16, tiles*N, K)
            pixels = self.transposed_times(products.reshape(-1, n * k), to_pixels)  # -> (N*K, rows*W)
            bands += (pixels.reshape(n, k, -1, width),)
        return bands[0] if len(bands) == 1 else ops.concat(bands, 2)


def is_faster(width: int, in_channels: int, out_channels: int) -> bool:
    """Whether the algorithm pays for images this wide, on a CPU."""
    pixels = BAND_ROWS * width
    return pixels * (in_channels + out_channels) <= MAX_TRANSFORM_SHARE * in_channels * out_channels


@ms.constexpr
def band_transforms(height: int, width: int) -> tuple[tuple[int, int, Tensor, Tensor], ...]:
    """The constant matrices of each band of rows.

    Returns:
        For each band: the first input row it reads and the one after the last; the matrix from these rows to
        the tiles, (16 * tiles, rows read * W); that from the products to the output, (16 * tiles, rows * W).
    """
    across_in, across_out = axis_transforms(width)
    down_in, down_out = axis_transforms(height)
    bands = []
    for top in range(0, height, BAND_ROWS):
        bottom = min(top + BAND_ROWS, height)
        first, last = max(top - 1, 0), min(bottom + 1, height)
        tiles = slice(top // TILE_OUTPUTS, -(-bottom // TILE_OUTPUTS))
        to_tiles = _combine(down_in[:, tiles, first:last], across_in)
        to_pixels = _combine(down_out[:, tiles, top:bottom], across_out)
        bands.append((first, last, Tensor(to_tiles, ms.float32), Tensor(to_pixels, ms.float32)))
    return tuple(bands)


def axis_transforms(size: int) -> tuple[Floats, Floats]:
    """The one-dimensional transforms along an axis of `size` pixels, zero padding included.

    Returns:
        From pixels to the four values of each tile, and from the four products of each tile to pixels; both
        indexed [value in the tile, tile, pixel].
    """
    tiles = -(-size // TILE_OUTPUTS)
    to_tiles, to_pixels = np.zeros((2, TILE, tiles, size))
    for tile in range(tiles):
        for place in range(TILE):
            pixel = TILE_OUTPUTS * tile - 1 + place
            if 0 <= pixel < size:
                to_tiles[:, tile, pixel] = _INPUT[:, place]
        for place in range(TILE_OUTPUTS):
            pixel = TILE_OUTPUTS * tile + place
            if pixel < size:
                to_pixels[:, tile, pixel] = _OUTPUT[place]
    return to_tiles, to_pixels


def _combine(down: Floats, across: Floats) -> Floats:
    """Both axes as one matrix: [values, tiles, rows] and [values, tiles, columns] -> (16 * tiles, pixels)."""
    both = np.einsum("aty,bsx->abtsyx", down, across)
    values, tiles, pixels = TILE * TILE, down.shape[1] * across.shape[1], down.shape[2] * across.shape[2]
    return both.reshape(values * tiles, pixels)
