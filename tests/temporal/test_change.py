from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from benchmark.flicker import noisy
from numpy.typing import NDArray

from live_cam.frame import Frame
from live_cam.runtime.opencv import cv2
from live_cam.temporal.change import ChangeDetector

SIZES = [(640, 480), (1280, 720), (1920, 1080)]


def scene(photos: dict[str, NDArray[np.uint8]], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(photos["coffee"], size), np.uint8)


def as_jpeg(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def unchanged(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    change = ChangeDetector()
    change.set_reference(Frame(first, 0, 0.0))
    return change.unchanged(Frame(second, 1, 0.03))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_noise_is_not_a_change(
    photos: dict[str, NDArray[np.uint8]], size: tuple[int, int], sigma: float
) -> None:
    image = scene(photos, size)
    first = noisy(image, 0, sigma)
    assert all(unchanged(first, noisy(image, seed, sigma)) for seed in range(1, 8))


@pytest.mark.parametrize("size", SIZES)
def test_noise_through_jpeg_is_not_a_change(
    photos: dict[str, NDArray[np.uint8]], size: tuple[int, int]
) -> None:
    image = scene(photos, size)
    first = as_jpeg(noisy(image, 0, 3.0))
    assert all(unchanged(first, as_jpeg(noisy(image, seed, 3.0))) for seed in range(1, 8))


def _dot(image: NDArray[np.uint8]) -> None:
    """Brighten a hundredth of the image a little."""
    height, width = image.shape[:2]
    part = image[height // 3 : height // 3 + height // 10, width // 3 : width // 3 + width // 10]
    part[:] = np.clip(part.astype(int) + 40, 0, 255)


def _tint(image: NDArray[np.uint8]) -> None:
    """Change a colour but not its brightness, which grey levels would miss."""
    before = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    part = image[: image.shape[0] // 4, : image.shape[1] // 4].astype(int)
    part[..., 0] += 26
    part[..., 1] -= 5
    image[: image.shape[0] // 4, : image.shape[1] // 4] = part.clip(0, 255)
    after = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    assert abs(float(after.mean()) - float(before.mean())) < 0.1


def _moved(image: NDArray[np.uint8]) -> None:
    image[:] = np.roll(image, image.shape[1] // 100, axis=1)


def _brighter(image: NDArray[np.uint8]) -> None:
    image[:] = np.clip(image.astype(int) + 3, 0, 255)


CHANGES: list[Callable[[NDArray[np.uint8]], None]] = [_dot, _tint, _moved, _brighter]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("change", CHANGES)
def test_visible_changes_are_detected_through_noise(
    photos: dict[str, NDArray[np.uint8]],
    size: tuple[int, int],
    change: Callable[[NDArray[np.uint8]], None],
) -> None:
    before = scene(photos, size)
    after = before.copy()
    change(after)
    assert not unchanged(noisy(before, 1, 3.0), noisy(after, 2, 3.0))


def test_a_slow_fade_adds_up(photos: dict[str, NDArray[np.uint8]]) -> None:
    image = scene(photos, (1280, 720)).astype(int)
    change = ChangeDetector()
    change.set_reference(Frame(image.astype(np.uint8), 0, 0.0))
    detected = [
        index
        for index in range(1, 6)
        if not change.unchanged(Frame((image + index).clip(0, 255).astype(np.uint8), index, 0))
    ]
    assert detected == [2, 3, 4, 5]


def test_the_first_frame_and_a_frame_of_another_size_are_new(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    assert not ChangeDetector().unchanged(Frame(scene(photos, (640, 480)), 0, 0.0))
    assert not unchanged(scene(photos, (640, 480)), scene(photos, (1280, 720)))


def test_a_frame_of_one_pixel() -> None:
    black, white = (np.full((1, 1, 3), level, np.uint8) for level in (0, 255))
    assert unchanged(black, black)
    assert not unchanged(black, white)


class TestThumbnail:
    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((1280, 720), (160, 90)),
            ((640, 480), (160, 120)),
            ((641, 479), (160, 120)),
            ((720, 1280), (90, 160)),
            ((4000, 3), (160, 1)),
            ((160, 100), (160, 100)),
            ((20, 10), (20, 10)),
            ((1, 1), (1, 1)),
        ],
    )
    def test_size(self, size: tuple[int, int], expected: tuple[int, int]) -> None:
        frame = Frame(np.zeros((size[1], size[0], 3), np.uint8), 0, 0.0)
        assert frame.thumbnail.shape == (expected[1], expected[0], 3)

    def test_is_computed_once(self) -> None:
        frame = Frame(np.zeros((720, 1280, 3), np.uint8), 0, 0.0)
        assert frame.thumbnail is frame.thumbnail

    def test_averages_over_areas(self) -> None:
        image = np.zeros((720, 1280, 3), np.uint8)
        image[::2, ::2] = 200
        assert np.array_equal(np.unique(Frame(image, 0, 0.0).thumbnail), [50])
