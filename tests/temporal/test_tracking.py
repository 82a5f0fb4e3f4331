from __future__ import annotations

import numpy as np
import pytest
from benchmark.flicker import noisy
from benchmark.pan import MOTIONS, RATE, SIZE, Motion, Pan, distances, photo_pan
from numpy.typing import NDArray

from live_cam.frame import Frame
from live_cam.overlay import peak, to_frame
from live_cam.runtime.opencv import cv2
from live_cam.temporal.tracking import Tracker
from tests.support.explanations import explanation as explained

STEADY = Motion(name="pan", object_speed=(300.0, 0.0))


@pytest.mark.parametrize("motion", MOTIONS, ids=lambda motion: motion.name)
def test_the_heat_stays_on_a_moving_object(motion: Motion) -> None:
    found = distances(photo_pan(motion))
    assert found.still > 10, "the motion must matter"
    assert found.tracked <= found.still / 3


def test_an_explanation_of_a_skipped_frame_is_tracked(photos: dict[str, NDArray[np.uint8]]) -> None:
    pan = Pan(photos["coffee"][::2, ::2], photos["rocket"], STEADY)
    tracker = Tracker()
    for index in range(0, 20, 2):
        carried = tracker.follow(pan.frame(index), pan.explanation(5) if index > 10 else None)
    assert carried is not None
    distance = np.linalg.norm(np.array(peak(carried.heatmap, *SIZE)) - np.array(pan.place(18)))
    assert distance < 0.3 * 300 * 13 / RATE


def test_a_still_scene_keeps_the_explanation_itself(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    image = np.asarray(cv2.resize(photos["coffee"], SIZE), np.uint8)
    tracker = Tracker()
    explanation = Pan(image, image, Motion(name="pan", object_speed=(0.0, 0.0))).explanation(0)
    for index in range(40):
        frame = Frame(noisy(image, index, 5.0), index, index / RATE)
        assert tracker.follow(frame, explanation) is explanation


def test_slow_motion_adds_up(photos: dict[str, NDArray[np.uint8]]) -> None:
    """A quarter of a thumbnail pixel per frame, too little to count on its own."""
    pan = Pan(
        photos["coffee"][::2, ::2],
        photos["rocket"],
        Motion(name="pan", object_speed=(60.0, 0.0), background_speed=(60.0, 0.0)),
    )
    tracker = Tracker()
    explanation = pan.explanation(0)
    for index in range(60):
        carried = tracker.follow(pan.frame(index), explanation)
    assert carried is not None
    distance = np.linalg.norm(np.array(peak(carried.heatmap, *SIZE)) - np.array(pan.place(59)))
    assert distance < 0.25 * 60 * 59 / RATE


def test_a_cut_leaves_the_map_in_place(photos: dict[str, NDArray[np.uint8]]) -> None:
    first = np.asarray(cv2.resize(photos["coffee"], SIZE), np.uint8)
    second = np.asarray(cv2.resize(photos["rocket"], SIZE), np.uint8)
    tracker = Tracker()
    explanation = Pan(first, first, Motion(name="pan", object_speed=(0.0, 0.0))).explanation(0)
    assert tracker.follow(Frame(first, 0, 0.0), explanation) is explanation
    for index in (1, 2, 3):
        assert tracker.follow(Frame(second, index, index / RATE), explanation) is explanation


def test_the_moved_map_is_a_heatmap_and_the_original_is_unchanged(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    pan = Pan(
        photos["coffee"],
        photos["rocket"],
        Motion(
            name="pan",
            object_speed=(900.0, 0.0),
            background_speed=(900.0, 0.0),
            start=(1000.0, 300.0),
        ),
    )
    tracker = Tracker()
    explanation = pan.explanation(0)
    before = explanation.heatmap.copy()
    for index in range(12):
        carried = tracker.follow(pan.frame(index), explanation)
    assert carried is not None
    assert carried.heatmap.shape == (90, 160)
    assert carried.heatmap.dtype == np.float32
    assert np.isfinite(carried.heatmap).all()
    assert 0 <= carried.heatmap.min() <= carried.heatmap.max() <= 1
    assert np.array_equal(explanation.heatmap, before)
    assert (carried.label, carried.frame_index) == ("object", 0)
    assert carried.heatmap[:, :20].max() == 0, "content new in view was not explained"


def test_a_repeated_frame_has_no_effect(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    pan = Pan(photos["coffee"][::2, ::2], photos["rocket"], STEADY)
    tracker = Tracker()
    explanation = pan.explanation(0)
    tracker.follow(pan.frame(0), explanation)
    frame = pan.frame(3)
    carried = tracker.follow(frame, explanation)
    assert carried is not explanation
    assert tracker.follow(frame, explanation) is carried


def test_without_an_explanation_nothing_is_tracked(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    pan = Pan(photos["coffee"][::2, ::2], photos["rocket"], STEADY)
    tracker = Tracker()
    assert tracker.follow(pan.frame(0), None) is None
    assert tracker.follow(pan.frame(1), None) is None


def test_the_map_is_aligned_like_the_overlay(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    """Moved by 80 pixels, it equals the overlay's heatmap shifted by 80 pixels."""
    image = np.asarray(cv2.resize(photos["coffee"], SIZE), np.uint8)
    moved = np.roll(image, 80, axis=1)
    explanation = Pan(image, image, Motion(name="pan", object_speed=(0.0, 0.0))).explanation(0)
    tracker = Tracker()
    tracker.follow(Frame(image, 0, 0.0), explanation)
    for step in range(1, 11):
        shifted = np.roll(image, 8 * step, axis=1)
        carried = tracker.follow(Frame(shifted, step, step / RATE), explanation)
    assert carried is not None
    assert np.array_equal(shifted, moved)
    expected = np.roll(to_frame(explanation.heatmap, *SIZE), 80, axis=1)[:, 160:]
    found = to_frame(carried.heatmap, *SIZE)[:, 160:]
    assert np.abs(expected - found).mean() < 0.03


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (40, 30), (15, 16)])
def test_small_images(size: tuple[int, int]) -> None:
    tracker = Tracker()
    generator = np.random.default_rng(0)
    explanation = explained(np.ones((14, 14), np.float32))
    for index in range(4):
        image = generator.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        carried = tracker.follow(Frame(image, index, 0.0), explanation)
        assert carried is not None
        assert np.isfinite(carried.heatmap).all()


def test_a_new_frame_size_or_an_earlier_index_restarts(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    pan = Pan(photos["coffee"][::2, ::2], photos["rocket"], STEADY)
    tracker = Tracker()
    explanation = pan.explanation(0)
    tracker.follow(pan.frame(0), explanation)
    tracker.follow(pan.frame(3), explanation)
    small = Frame(np.asarray(cv2.resize(pan.frame(4).image, (640, 480)), np.uint8), 4, 4 / RATE)
    assert tracker.follow(small, explanation) is explanation
    assert tracker.follow(pan.frame(0), explanation) is explanation
