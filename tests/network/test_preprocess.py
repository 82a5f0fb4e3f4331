from __future__ import annotations

import numpy as np
import pytest
import torch

from live_cam.network.preprocess import Preprocessor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def test_channels_are_red_green_blue_and_normalised() -> None:
    blue, green, red = 10, 100, 200
    image = np.full((48, 64, 3), (blue, green, red), np.uint8)
    x = Preprocessor((24, 32), MEAN, STD)(image)
    assert x.shape == (1, 3, 24, 32)
    assert x.dtype == torch.float32
    expected = [
        (value / 255 - mean) / std
        for value, mean, std in zip((red, green, blue), MEAN, STD, strict=True)
    ]
    assert x.mean(dim=(0, 2, 3)).tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [(480, 640), (720, 1280), (10, 10), (1080, 100), (1, 1)])
def test_the_whole_image_is_squashed_without_a_shift(size: tuple[int, int]) -> None:
    height, width = size
    image = np.zeros((height, width, 3), np.uint8)
    image[: (height + 1) // 2, : (width + 1) // 2] = 255
    x = Preprocessor((32, 32), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))(image)
    assert x.shape == (1, 3, 32, 32)
    if min(size) >= 10:
        assert float(x[0, :, :12, :12].min()) == pytest.approx(1.0)
        assert float(x[0, :, 20:].max()) == pytest.approx(0.0)
        assert float(x[0, :, :, 20:].max()) == pytest.approx(0.0)


def test_fine_patterns_become_grey_without_aliasing() -> None:
    image = np.zeros((448, 448, 3), np.uint8)
    image[::2, ::2] = image[1::2, 1::2] = 255
    x = Preprocessor((224, 224), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))(image)
    assert float(x.std()) < 0.01


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))]
)
def test_anything_but_bgr_bytes_is_rejected(image: np.ndarray[tuple[int, ...], np.dtype]) -> None:
    with pytest.raises(ValueError, match="expected H×W×3 uint8, got"):
        Preprocessor((8, 8), MEAN, STD)(image)
