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
