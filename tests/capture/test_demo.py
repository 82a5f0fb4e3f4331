from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.capture import open_source
from live_cam.capture.demo import DemoScene
from live_cam.errors import UsageError
from live_cam.runtime.opencv import cv2

LOOP = 600
PHOTOS = ("chelsea", "coffee", "rocket", "motorcycle_left")


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    return DemoScene((320, 180))


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())


def test_frames_depend_only_on_their_index(scene: DemoScene) -> None:
    with DemoScene((320, 180)) as other:
        for index in range(5):
            frame = other.read()
            assert frame is not None
            assert frame.timestamp == pytest.approx(index / 30)
            assert np.array_equal(frame.image, scene.frame(index))
        assert np.array_equal(other.frame(150), scene.frame(150))


def test_during_a_fade_the_subject_is_that_of_the_more_visible_photo(scene: DemoScene) -> None:
    assert [scene.subject(index)[0] for index in (141, 144)] == ["chelsea", "coffee"]
    assert scene.subject(599)[0] == "chelsea"


def test_the_scene_repeats(scene: DemoScene) -> None:
    assert np.array_equal(scene.frame(77), scene.frame(77 + LOOP))
    assert scene.subject(77) == scene.subject(77 + LOOP)


def test_each_photo_has_its_turn(scene: DemoScene) -> None:
    assert [scene.subject(index)[0] for index in (75, 225, 375, 525)] == list(PHOTOS)


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (160, 90), (1920, 1080)])
def test_the_subject_is_always_inside_the_frame(size: tuple[int, int]) -> None:
    scene = DemoScene(size)
    for index in range(LOOP):
        _, (left, top, right, bottom) = scene.subject(index)
        assert 0 < left < right < size[0]
        assert 0 < top < bottom < size[1]


def test_narrow_frames_show_the_centre_of_the_subject() -> None:
    scene = DemoScene((120, 480))
    for index in range(0, LOOP, 25):
        assert scene.frame(index).shape == (480, 120, 3)
        _, (left, top, right, bottom) = scene.subject(index)
        assert left <= 60 <= right
        assert top <= 240 <= bottom


def test_the_subject_lies_at_the_reported_position(
    scene: DemoScene, photos: dict[str, NDArray[np.uint8]]
) -> None:
    boxes = {
        "chelsea": (72, 72, 347, 268),
        "coffee": (172, 14, 412, 262),
        "rocket": (306, 122, 338, 410),
        "motorcycle_left": (98, 80, 690, 452),
    }
    for index in (20, 120, 170, 270, 320, 420, 470, 570):
        name, (left, top, right, bottom) = scene.subject(index)
        x0, y0, x1, y1 = boxes[name]
        expected = cv2.resize(
            photos[name][y0:y1, x0:x1], (right - left, bottom - top), interpolation=cv2.INTER_AREA
        )
        shown = scene.frame(index)[top:bottom, left:right]
        shifted = np.roll(shown, 10, axis=(0, 1))
        assert _difference(shown, expected.astype(np.uint8)) < 10
        assert _difference(shifted, expected.astype(np.uint8)) > 15


def test_consecutive_frames_differ_little(scene: DemoScene) -> None:
    before = scene.frame(LOOP - 1)
    differences = []
    for index in range(LOOP):
        frame = scene.frame(index)
        differences.append(_difference(frame, before))
        before = frame
    assert max(differences) < 12
    assert min(differences) > 0


def test_the_photos_move(scene: DemoScene) -> None:
    for first in range(0, LOOP, 150):
        assert scene.subject(first + 5)[1] != scene.subject(first + 120)[1]


def test_size_and_rate_can_be_chosen() -> None:
    with open_source("demo", camera_size=(640, 480), camera_fps=10) as source:
        frames = [source.read() for _ in range(3)]
    assert source.description == "640×480 demo scene at 10 fps"
    assert [f.timestamp for f in frames if f] == pytest.approx([0, 0.1, 0.2])
    assert all(f.image.shape == (480, 640, 3) for f in frames if f)


def test_the_error_without_scikit_image_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> object:
        return None if name == "skimage" else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)

    with pytest.raises(UsageError, match=r"pip install 'live-cam\[demo\]'"):
        open_source("demo")


def test_opening_imports_neither_torch_nor_scikit_image() -> None:
    code = (
        "import sys; from live_cam.capture import open_source; open_source('demo').close(); "
        "print([m for m in ('torch', 'skimage', 'av') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
