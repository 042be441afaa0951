"""Winograd's convolution with tiles that fit the map: 2 to 4 results along each axis.

A tile of m results along an axis takes m + 2 multiplications instead of 3 m; which m needs the fewest
depends on the size of the map. Height and width are transformed one after the other, each by one matrix
product, which transposes at the same time. Results differ from those of a direct convolution by less than
1e-5 of the largest.

Source: Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), section
4.1; the transforms are Toom's and Cook's.
"""

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn, ops

Floats = npt.NDArray[np.float64]

_KERNEL_SIZE = 3
# Where the polynomials are evaluated, beside infinity: the first m + 1 for m results.
_POINTS = (0.0, 1.0, -1.0, 2.0, -0.5)
_TILE_OUTPUTS = (2, 3, 4)


class FittedWinogradConv(nn.Cell):
    """3x3 convolution with stride 1 and one pixel of zero padding; holds no parameters.

    Inputs:
        x (N, C, H, W) float32 of a size known when the graph is compiled; weight (K, C, 3, 3).

    Returns:
        (N, K, H, W) float32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.times_transposed = ops.MatMul(transpose_b=True)
        self.transposed_times = ops.MatMul(transpose_a=True)
        self.multiply_all = ops.BatchMatMul(transpose_b=True)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        n, c, height, width = x.shape
        k = weight.shape[0]
        to_kernels = kernel_transform(height, width)
        kernels = self.times_transposed(to_kernels, weight.reshape(k * c, 9)).reshape(-1, k, c)
        values = to_kernels.shape[0]  # of a tile
        across, from_across, bands = axis_transforms(height, width)
        columns = self.times_transposed(across, x.reshape(-1, width))  # -> (values*tiles, N*C*H)
        columns = columns.reshape(-1, height)
        results: tuple[Tensor, ...] = ()
        for down, from_down in bands:
            tiles = self.times_transposed(down, columns)  # -> (values, values*tiles*N*C)
            products = self.multiply_all(tiles.reshape(values, -1, c), kernels)  # -> (values^2, tiles*N, K)
            rows = self.transposed_times(products.reshape(down.shape[0], -1), from_down)
            pixels = self.transposed_times(rows.reshape(across.shape[0], -1), from_across)  # (N*K*rows, W)
            results += (pixels.reshape(n, k, -1, width),)
        return results[0] if len(results) == 1 else ops.concat(results, 2)


def fitting_tile(size: int) -> int:
    """Results of a tile along an axis of `size` pixels: the number that multiplies least."""
    return min(_TILE_OUTPUTS, key=lambda outputs: -(-size // outputs) * (outputs + 2))


@ms.constexpr
def kernel_transform(height: int, width: int) -> Tensor:
    """From the nine values of a kernel to those of a tile, (values, 9)."""
    down, across = (tile_transforms(fitting_tile(size))[1] for size in (height, width))
    return Tensor(np.kron(down, across), ms.float32)


@ms.constexpr
def axis_transforms(height: int, width: int) -> tuple[Tensor, Tensor, tuple[tuple[Tensor, Tensor], ...]]:
    """The constant matrices of both axes.

    Returns:
        From the pixels of a row to the values of its tiles, (values * tiles, W); from products to the pixels
        of a row, the same shape; these of the height for each row of tiles, (values, H), (values, rows).
    """
    across, from_across = _along(width)
    down, from_down = _along(height)
    outputs = fitting_tile(height)
    bands = []
    for tile in range(down.shape[1]):
        rows = slice(tile * outputs, min((tile + 1) * outputs, height))
        bands.append((_constant(down[:, tile]), _constant(from_down[:, tile, rows])))
    return _constant(across.reshape(-1, width)), _constant(from_across.reshape(-1, width)), tuple(bands)


def _along(size: int) -> tuple[Floats, Floats]:
    """The transforms of an axis, zero padding included, each indexed [value of a tile, tile, pixel]."""
    outputs = fitting_tile(size)
    output_matrix, _, input_matrix = tile_transforms(outputs)
    values, tiles = outputs + _KERNEL_SIZE - 1, -(-size // outputs)
    to_tiles, to_pixels = np.zeros((2, values, tiles, size))
    for tile in range(tiles):
        for place in range(values):
            pixel = outputs * tile - 1 + place
            if 0 <= pixel < size:
                to_tiles[:, tile, pixel] = input_matrix[:, place]
        for place in range(min(outputs, size - outputs * tile)):
            to_pixels[:, tile, outputs * tile + place] = output_matrix[place]
    return to_tiles, to_pixels


def tile_transforms(outputs: int) -> tuple[Floats, Floats, Floats]:
    """The paper's A^T (outputs, values), G (values, 3) and B^T (values, values) of F(outputs, 3)."""
    points = np.array(_POINTS[: outputs + 1])
    values = len(points) + 1
    infinity = np.eye(values)[:, -1:]
    output_matrix = np.hstack([np.vander(points, outputs, increasing=True).T, infinity[-outputs:]])
    kernel_matrix = np.vstack([np.vander(points, _KERNEL_SIZE, increasing=True), [[0, 0, 1]]])
    # What is left is linear: result i must be the sum over j of kernel value j times pixel i + j.
    pairs = [(i, j) for i in range(outputs) for j in range(_KERNEL_SIZE)]
    known = np.array([output_matrix[i] * kernel_matrix[:, j] for i, j in pairs])
    wanted = np.array([np.eye(values)[i + j] for i, j in pairs])
    return output_matrix, kernel_matrix, np.linalg.lstsq(known, wanted, rcond=None)[0]


def _constant(matrix: Floats) -> Tensor:
    return Tensor(np.ascontiguousarray(matrix), ms.float32)
