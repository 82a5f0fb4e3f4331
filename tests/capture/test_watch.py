from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmark.flicker import noisy

from live_cam.capture.watch import Watch

GREY = np.full((96, 128, 3), 90, np.uint8)


@pytest.fixture
def watch() -> Watch:
    return Watch("camera", "camera 0")


def _show(watch: Watch, paint: Any, seconds: float, *, start: float = 0.0, fps: int = 30) -> float:
    """Show images and return when the last one came."""
    count = round(seconds * fps)
    for number in range(count):
        watch.see(paint(number), start + number / fps)
    return start + (count - 1) / fps


def _brief(watch: Watch) -> str | None:
    trouble = watch.trouble
    return trouble.brief if trouble else None


def test_a_sensor_with_its_noise_is_well(watch: Watch) -> None:
    _show(watch, lambda number: noisy(GREY, number, 2), 6)
    assert _brief(watch) is None


def test_noise_in_a_single_pixel_is_life(watch: Watch) -> None:
    def paint(number: int) -> Any:
        image = GREY.copy()
        image[33, 57] = number
        return image

    _show(watch, paint, 6)
    assert _brief(watch) is None


def test_images_that_do_not_come_are_not_the_same(watch: Watch) -> None:
    now = _show(watch, lambda _: GREY.copy(), 2)
    now = _show(watch, lambda _: GREY.copy(), 2, start=now + 8)
    assert _brief(watch) is None
    _show(watch, lambda _: GREY.copy(), 2, start=now)
    assert _brief(watch) is not None


def test_the_very_same_image_for_seconds_is_frozen(watch: Watch) -> None:
    now = _show(watch, lambda _: GREY.copy(), 2.5)
    assert _brief(watch) is None
    now = _show(watch, lambda _: GREY.copy(), 1, start=now)
    trouble = watch.trouble
    assert trouble is not None
    assert trouble.brief == "camera seems frozen: always the same image"
    assert trouble.sentence.startswith("camera 0: ")
    _show(watch, lambda number: noisy(GREY, number, 2), 0.1, start=now)
    assert _brief(watch) is None


def test_a_covered_camera_is_black_in_spite_of_its_noise(watch: Watch) -> None:
    dark = np.full((96, 128, 3), 4, np.uint8)
    now = _show(watch, lambda number: noisy(dark, number, 3), 4)
    assert _brief(watch) == "camera sends only black images: is it covered?"
    _show(watch, lambda number: noisy(GREY, number, 2), 0.1, start=now)
    assert _brief(watch) is None


def test_a_lamp_in_a_dark_room_is_a_image(watch: Watch) -> None:
    dark = np.full((96, 128, 3), 4, np.uint8)
    dark[40:56, 60:76] = 200
    _show(watch, lambda number: noisy(dark, number, 3), 6)
    assert _brief(watch) is None


def test_nothing_but_zeros_is_black_and_not_frozen(watch: Watch) -> None:
    _show(watch, lambda _: np.zeros((48, 64, 3), np.uint8), 4)
    assert "black" in str(_brief(watch))


def test_another_size_is_named_for_a_while(watch: Watch) -> None:
    now = _show(watch, lambda number: noisy(GREY, number, 2), 1)
    small = GREY[:48, :64]
    now = _show(watch, lambda number: noisy(small, number, 2), 1, start=now)
    assert _brief(watch) == "camera now sends 64×48"
    _show(watch, lambda number: noisy(small, number, 2), 6, start=now)
    assert _brief(watch) is None


@pytest.mark.parametrize(("every", "named"), [(2, True), (20, False)])
def test_many_damaged_images_are_named_and_a_few_are_not(
    watch: Watch, every: int, named: bool
) -> None:
    for number in range(300):
        if number % every == 0:
            watch.see_damaged()
        else:
            watch.see(noisy(GREY[:48, :64], number, 2), number / 30)
    assert watch.damaged is named
    assert (_brief(watch) == "camera sends damaged images") is named


@pytest.mark.parametrize("every", [2, 3])
def test_many_damaged_images_are_named_once_until_they_are_few(watch: Watch, every: int) -> None:
    named = []
    for number in range(600):
        if number % every == 0 and number < 300:
            watch.see_damaged()
        else:
            watch.see(noisy(GREY[:48, :64], number, 2), number / 30)
        named.append(watch.damaged)
    changes = [number for number in range(1, 600) if named[number] != named[number - 1]]
    assert len(changes) == 2, changes
    assert not named[-1]


def test_before_the_first_image_there_is_nothing_to_say(watch: Watch) -> None:
    watch.see_damaged()
    assert _brief(watch) is None
