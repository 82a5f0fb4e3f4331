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


def _record(
    watch: Watch, paint: Any, seconds: float, *, start: float = 0.0, fps: int = 30
) -> float:
    """Record images and return the timestamp of the last one."""
    count = round(seconds * fps)
    for number in range(count):
        watch.record(paint(number), start + number / fps)
    return start + (count - 1) / fps


def _brief(watch: Watch) -> str | None:
    trouble = watch.trouble
    return trouble.brief if trouble else None


def test_sensor_noise_is_no_fault(watch: Watch) -> None:
    _record(watch, lambda number: noisy(GREY, number, 2), 6)
    assert _brief(watch) is None


def test_a_change_in_a_single_pixel_is_not_frozen(watch: Watch) -> None:
    def paint(number: int) -> Any:
        image = GREY.copy()
        image[33, 57] = number
        return image

    _record(watch, paint, 6)
    assert _brief(watch) is None


def test_a_gap_in_the_images_is_not_frozen(watch: Watch) -> None:
    now = _record(watch, lambda _: GREY.copy(), 2)
    now = _record(watch, lambda _: GREY.copy(), 2, start=now + 8)
    assert _brief(watch) is None
    _record(watch, lambda _: GREY.copy(), 2, start=now)
    assert _brief(watch) is not None


def test_identical_images_for_seconds_are_frozen(watch: Watch) -> None:
    now = _record(watch, lambda _: GREY.copy(), 2.5)
    assert _brief(watch) is None
    now = _record(watch, lambda _: GREY.copy(), 1, start=now)
    trouble = watch.trouble
    assert trouble is not None
    assert trouble.brief == "camera seems frozen: always the same image"
    assert trouble.sentence.startswith("camera 0: ")
    _record(watch, lambda number: noisy(GREY, number, 2), 0.1, start=now)
    assert _brief(watch) is None


def test_a_covered_camera_is_black_despite_its_noise(watch: Watch) -> None:
    dark = np.full((96, 128, 3), 4, np.uint8)
    now = _record(watch, lambda number: noisy(dark, number, 3), 4)
    assert _brief(watch) == "camera sends only black images: is it covered?"
    _record(watch, lambda number: noisy(GREY, number, 2), 0.1, start=now)
    assert _brief(watch) is None


def test_a_lamp_in_a_dark_room_is_not_black(watch: Watch) -> None:
    dark = np.full((96, 128, 3), 4, np.uint8)
    dark[40:56, 60:76] = 200
    _record(watch, lambda number: noisy(dark, number, 3), 6)
    assert _brief(watch) is None


def test_zeros_are_black_and_not_frozen(watch: Watch) -> None:
    _record(watch, lambda _: np.zeros((48, 64, 3), np.uint8), 4)
    assert "black" in str(_brief(watch))


def test_a_new_size_is_reported_for_a_while(watch: Watch) -> None:
    now = _record(watch, lambda number: noisy(GREY, number, 2), 1)
    small = GREY[:48, :64]
    now = _record(watch, lambda number: noisy(small, number, 2), 1, start=now)
    assert _brief(watch) == "camera now sends 64×48"
    _record(watch, lambda number: noisy(small, number, 2), 6, start=now)
    assert _brief(watch) is None


@pytest.mark.parametrize(("every", "reported"), [(2, True), (20, False)])
def test_many_damaged_images_are_reported_and_a_few_are_not(
    watch: Watch, every: int, reported: bool
) -> None:
    for number in range(300):
        if number % every == 0:
            watch.record_damaged()
        else:
            watch.record(noisy(GREY[:48, :64], number, 2), number / 30)
    assert watch.damaged is reported
    assert (_brief(watch) == "camera sends damaged images") is reported


@pytest.mark.parametrize("every", [2, 3])
def test_many_damaged_images_are_reported_once_until_they_are_few(watch: Watch, every: int) -> None:
    reported = []
    for number in range(600):
        if number % every == 0 and number < 300:
            watch.record_damaged()
        else:
            watch.record(noisy(GREY[:48, :64], number, 2), number / 30)
        reported.append(watch.damaged)
    changes = [number for number in range(1, 600) if reported[number] != reported[number - 1]]
    assert len(changes) == 2, changes
    assert not reported[-1]


def test_nothing_is_reported_before_the_first_image(watch: Watch) -> None:
    watch.record_damaged()
    assert _brief(watch) is None
