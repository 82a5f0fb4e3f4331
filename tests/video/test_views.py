"""The frames are drawn as the settings ask."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_cam.explanation import Explanation
from live_cam.look import VIEWS
from live_cam.overlay import Drawn, Overlay
from live_cam.overlay.status import Status
from tests.support.clips import frames, shade, times, write_clip
from tests.support.running_videos import run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Write a video of a spot that moves over another colour."""
    images = []
    for number in range(6):
        image = shade(3, 320, 240)
        image[80:160, 40 * number : 40 * number + 80] = shade(14)[0, 0]
        images.append(image)
    return write_clip(tmp_path / "clip.mp4", images)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Explanation, Status]]:
    """Record the explanation and the status that each frame is drawn with."""
    calls: list[tuple[Explanation, Status]] = []
    draw = Overlay.draw

    def spy(self: Overlay, frame: Any, explanation: Any, status: Status) -> Drawn:
        calls.append((explanation, status))
        return draw(self, frame, explanation, status)

    monkeypatch.setattr(Overlay, "draw", spy)
    return calls


def test_every_frame_is_drawn_in_each_view(clip: Path, tmp_path: Path) -> None:
    images = {}
    for view in VIEWS:
        target = tmp_path / f"{view}.mp4"
        run(clip, target, view=view, alpha=0.6)
        assert times(target) == times(clip)
        images[view] = frames(target)[2][1].astype(float)
    for one, other in pairwise(VIEWS):
        assert np.abs(images[one] - images[other]).mean() > 2, (one, other)


def test_several_classes_are_drawn_side_by_side(
    clip: Path, tmp_path: Path, drawn: list[tuple[Explanation, Status]]
) -> None:
    run(clip, tmp_path / "out.mp4", target_classes=("number 3", "14", "number 7"))

    for explanation, status in drawn:
        assert status.look.view == "classes"
        labels = [each.label for each in explanation.split_by_class()]
        assert labels == ["number 3", "number 14", "number 7"]


def test_class_method_and_counterfactual_are_drawn_as_asked(
    clip: Path, tmp_path: Path, drawn: list[tuple[Explanation, Status]]
) -> None:
    options = {"target_classes": ("number 14",), "method": "layercam", "counterfactual": True}
    run(clip, tmp_path / "out.mp4", **options, box=True, bars=False, theme="light", alpha=0.3)

    assert len(drawn) == 6
    for explanation, status in drawn:
        asked = explanation.maps[0]
        assert (explanation.label, asked.title) == ("number 14", "layercam · for and against")
        assert asked.signed
        look = status.look
        assert (look.box, look.bars, look.theme, look.alpha) == (True, False, "light", 0.3)
        assert status.network == status.engine == status.source == "", "no bar of live figures"


def test_smoothing_reduces_the_spread_of_probabilities(
    tmp_path: Path, drawn: list[tuple[Explanation, Status]]
) -> None:
    noise = np.random.default_rng(5)
    near = 0.51 * shade(4) + 0.49 * shade(5)  # where noise makes a difference
    shades = [near + noise.normal(0, 6, near.shape) for _ in range(20)]
    images = [np.asarray(each.clip(0, 255), np.uint8) for each in shades]
    source = write_clip(tmp_path / "clip.mkv", images, codec="ffv1", pixels="bgr0")

    run(source, tmp_path / "plain.mp4")
    run(source, tmp_path / "smooth.mp4", smooth=2.0)

    plain, smooth = ([explanation for explanation, _ in part] for part in (drawn[:20], drawn[20:]))
    assert [explanation.frame_index for explanation in smooth] == list(range(20))
    assert [explanation.timestamp for explanation in smooth] == [
        float(time) for time in times(source)
    ]
    spread = [
        np.ptp([explanation.probability for explanation in part[5:]]) for part in (plain, smooth)
    ]
    assert spread[0] > 0.003
    assert spread[1] < 0.5 * spread[0]
    assert times(tmp_path / "smooth.mp4") == times(source)
