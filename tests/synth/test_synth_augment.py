"""Distortions of training images: pure, of the same shape, stronger by level, and not of the label."""

import cv2
import numpy as np
import pytest

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.augment import create_augmentation


@pytest.fixture(scope="module", name="image")
def word_image() -> np.ndarray:
    image = np.full((32, 100, 3), 230, np.uint8)
    cv2.putText(image, "word", (12, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (20, 30, 60), 2)
    return image


def test_a_pure_function_of_image_and_seed_that_leaves_the_image_alone(image: np.ndarray) -> None:
    augment = create_augmentation("strong")
    assert augment is not None
    before = image.copy()
    first, again, other = augment(image, 5), augment(image, 5), augment(image, 6)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == image.shape
    assert first.dtype == np.uint8


def test_levels_differ_in_strength_and_the_word_stays(image: np.ndarray) -> None:
    def distances(level: str) -> list[float]:
        augment = create_augmentation(level)
        assert augment is not None
        return [float(np.abs(augment(image, s).astype(int) - image).mean()) for s in range(200)]

    light, strong = distances("light"), distances("strong")
    assert 0 < np.mean(light) < np.mean(strong)
    augment = create_augmentation("strong")
    assert augment is not None
    # The dark letters stay the dark part of the image in nearly every distortion.
    ink = image[..., 1] < 128
    darker = [
        augment(image, s)[..., 1][ink].mean() < augment(image, s)[..., 1][~ink].mean() for s in range(100)
    ]
    assert sum(darker) >= 97


def test_none_is_nothing_and_an_unknown_level_is_named() -> None:
    assert create_augmentation("none") is None
    with pytest.raises(UserError, match="augment is 'heavy', must be one of none, light, strong"):
        create_augmentation("heavy")


def test_scaling_keeps_the_middle_and_cropping_shows_a_part() -> None:
    ramp = np.broadcast_to((np.arange(100) * 2).astype(np.uint8)[:, None], (32, 100, 3)).copy()
    scaled = create_augmentation("none", scale=0.5)
    spans = []  # share of the width that is seen
    for seed in range(200):
        found = scaled(ramp, seed)
        assert (found.shape, found.dtype) == (ramp.shape, np.uint8)
        np.testing.assert_array_equal(found, scaled(ramp, seed))
        assert found[16, 49:51, 0].mean() == pytest.approx(99, abs=1)
        spans.append((float(found[16, 65, 0]) - float(found[16, 35, 0])) / 60)
    assert 1 / 1.5 - 0.02 <= min(spans) < 0.72
    assert 1.8 < max(spans) <= 2.02
    cropped = create_augmentation("none", crop=0.2)
    starts, ends = zip(
        *((int(f[16, 0, 0]), int(f[16, -1, 0])) for f in (cropped(ramp, s) for s in range(200))), strict=True
    )
    assert 0 <= min(starts) < 4
    assert 36 < max(starts) <= 40
    assert 158 <= min(ends) < 162
    assert 194 < max(ends) <= 198


def test_scaling_and_cropping_change_no_draw_of_the_effects(image: np.ndarray) -> None:
    frame, light = create_augmentation("none", scale=0.2, crop=0.1), create_augmentation("light")
    both = create_augmentation("light", scale=0.2, crop=0.1)
    for seed in range(5):
        np.testing.assert_array_equal(both(image, seed), light(frame(image, seed), seed))
        assert not np.array_equal(frame(image, seed), image)


@pytest.mark.parametrize("shares", [{"scale": 1.0}, {"crop": 0.5}, {"scale": -0.1}, {"crop": float("nan")}])
def test_shares_out_of_range_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(UserError, match=r"augment_scale is .* augment_crop is"):
        create_augmentation("none", **shares)
