from __future__ import annotations

from fractions import Fraction

import pytest

from live_cam.video.timeline import Timeline

STEP = Fraction(1, 10)
TICK = Fraction(1, 1000)


def _placed(times: list[object], origin: int = 0) -> list[Fraction]:
    timeline = Timeline(Fraction(origin), TICK)
    return [timeline.place(None if time is None else Fraction(str(time)), STEP) for time in times]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 0.1, 0.7, 0.8], [0, 0.1, 0.7, 0.8]),
        ([-0.5, 0], [-0.5, 0]),
        ([None, None, None], [0, 0.1, 0.2]),
        ([3, None, 4], [3, 3.1, 4]),
        ([5, 5, 5, 6], [5, 5.001, 5.002, 6]),
        ([5, 4.9, 5.2], [5, 5.001, 5.2]),
        ([100, 100.1, 2, 2.1, 3], [100, 100.1, 100.2, 100.3, 101.2]),
    ],
    ids=["as they are", "before 0", "none", "some missing", "the same", "back", "starts over"],
)
def test_times_are_repaired(times: list[object], expected: list[float]) -> None:
    assert _placed(times) == [Fraction(str(time)) for time in expected]


def test_the_clock_starts_at_the_files_origin() -> None:
    assert _placed([7, 7.5], origin=7) == [0, Fraction(1, 2)]
