"""What is drawn on the frames is what was asked for."""

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
from tests.video.clips import frames, shade, times, write_clip
from tests.video.running import run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A spot that moves over another colour."""
    images = []
    for number in range(6):
        image = shade(3, 320, 240)
        image[80:160, 40 * number : 40 * number + 80] = shade(14)[0, 0]
        images.append(image)
    return write_clip(tmp_path / "clip.mp4", images)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Explanation, Status]]:
    """Collects what the frames are drawn of."""
    seen: list[tuple[Explanation, Status]] = []
    draw = Overlay.draw

    def spy(self: Overlay, frame: Any, said: Any, status: Status) -> Drawn:
        seen.append((said, status))
        return draw(self, frame, said, status)

    monkeypatch.setattr(Overlay, "draw", spy)
    return seen


def test_each_view_is_drawn_of_every_frame(clip: Path, tmp_path: Path) -> None:
    images = {}
    for view in VIEWS:
        target = tmp_path / f"{view}.mp4"
        run(clip, target, view=view, alpha=0.6)
        assert times(target) == times(clip)
        images[view] = frames(target)[2][1].astype(float)
    for one, other in pairwise(VIEWS):
        assert np.abs(images[one] - images[other]).mean() > 2, (one, other)


def test_several_classes_lie_side_by_side(
    clip: Path, tmp_path: Path, drawn: list[tuple[Explanation, Status]]
) -> None:
    run(clip, tmp_path / "out.mp4", target_classes=("number 3", "14", "number 7"))

    for said, status in drawn:
        assert status.look.view == "classes"
        assert [each.label for each in said.split_by_class()] == [
            "number 3",
            "number 14",
            "number 7",
        ]


def test_one_class_the_method_and_what_speaks_against_it(
    clip: Path, tmp_path: Path, drawn: list[tuple[Explanation, Status]]
) -> None:
    options = {"target_classes": ("number 14",), "method": "layercam", "counterfactual": True}
    run(clip, tmp_path / "out.mp4", **options, box=True, bars=False, theme="light", alpha=0.3)

    assert len(drawn) == 6
    for said, status in drawn:
        assert (said.label, said.maps[0].title) == ("number 14", "layercam · for and against")
        assert said.maps[0].signed
        look = status.look
        assert (look.box, look.bars, look.theme, look.alpha) == (True, False, "light", 0.3)
        assert status.network == status.engine == status.source == "", "no bar of live figures"


def test_smoothing_calms_scores_and_needs_no_more_frames(
    tmp_path: Path, drawn: list[tuple[Explanation, Status]]
) -> None:
    noise = np.random.default_rng(5)
    near = 0.51 * shade(4) + 0.49 * shade(5)  # where noise makes a difference
    shades = [near + noise.normal(0, 6, near.shape) for _ in range(20)]
    images = [np.asarray(each.clip(0, 255), np.uint8) for each in shades]
    source = write_clip(tmp_path / "clip.mkv", images, codec="ffv1", pixels="bgr0")

    run(source, tmp_path / "plain.mp4")
    run(source, tmp_path / "calm.mp4", smooth=2.0)

    plain, calm = drawn[:20], drawn[20:]
    assert [said.frame_index for said, _ in calm] == list(range(20))
    assert [said.timestamp for said, _ in calm] == [float(time) for time in times(source)]
    restless = [np.ptp([said.probability for said, _ in each[5:]]) for each in (plain, calm)]
    assert restless[0] > 0.003
    assert restless[1] < 0.5 * restless[0]
    assert times(tmp_path / "calm.mp4") == times(source)
