"""Cheap distortions of batches on the device, for images that are seen again."""

import torch
from torch.nn import functional

_LONG = 100 / 32  # of width to height: an image of a word, for which the strengths were chosen


class Distortion:
    """Shifts, stretches, slants, lights, blurs and inverts images, each in its own way.

    Args:
        strength: 0 leaves images as they are; 1 is the usual amount.
        device: Where the images lie.
        seed: Of the numbers drawn.
        may_invert: Whether some images become their negatives.
        has_widths: Whether images have widths of their own: slant and shift then follow from the height, and
            stay those of an image of 100 columns in longer ones.
    """

    def __init__(
        self,
        strength: float,
        device: torch.device,
        seed: int,
        may_invert: bool = True,
        has_widths: bool = False,
    ) -> None:
        self._strength = strength
        self._share_inverted = 0.1 * strength if may_invert else 0.0
        self._has_widths = has_widths
        self._device = device
        self._random = torch.Generator(device).manual_seed(seed)

    def __call__(self, images: torch.Tensor, is_distorted: torch.Tensor) -> torch.Tensor:
        """Images (N,C,H,W) from -1 to 1 -> the same, those that are marked (N,) distorted."""
        if self._strength <= 0:
            return images
        changed = self._lit(self._moved(images)).clamp_(-1, 1)
        return torch.where(is_distorted[:, None, None, None], changed, images)

    def _moved(self, images: torch.Tensor) -> torch.Tensor:
        count = len(images)
        # Rather smaller than larger: a letter that is cut off makes the label wrong.
        width, height = (self._around_one(count, 0.06) * (1 + 0.04 * self._strength) for _ in range(2))
        # In units of half the width and half the height.
        along = min(1.0, _LONG * images.shape[2] / images.shape[3]) if self._has_widths else 1.0
        slant, slope = self._spread(count, 0.12 * along), self._spread(count, 0.06)
        aside, down = self._spread(count, 0.04 * along), self._spread(count, 0.08)
        rows = torch.stack([width, slant, aside, slope, height, down], dim=1).view(count, 2, 3)
        grid = functional.affine_grid(rows, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _lit(self, images: torch.Tensor) -> torch.Tensor:
        count, channels = images.shape[:2]
        blurred = functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
        images = torch.lerp(images, blurred, self._sometimes(count, 0.35)[:, None, None, None])
        gain = self._around_one(count, 0.30)[:, None] * self._around_one(count * channels, 0.08).view(
            count, channels
        )
        offset = self._spread(count, 0.25)[:, None]
        inverted = 1 - 2 * (self._uniform(count) < self._share_inverted).float()
        images = images * (gain * inverted[:, None])[:, :, None, None] + offset[:, :, None, None]
        noise = torch.empty_like(images).normal_(generator=self._random)
        return images + noise * (0.12 * self._sometimes(count, 0.5))[:, None, None, None]

    def _uniform(self, count: int) -> torch.Tensor:
        return torch.rand(count, device=self._device, generator=self._random)

    def _spread(self, count: int, most: float) -> torch.Tensor:
        return (2 * self._uniform(count) - 1) * (most * self._strength)

    def _around_one(self, count: int, most: float) -> torch.Tensor:
        return self._spread(count, most).exp()

    def _sometimes(self, count: int, probability: float) -> torch.Tensor:
        """0 for most images, else from 0 to 1."""
        return self._uniform(count) * (self._uniform(count) < probability * self._strength).float()
