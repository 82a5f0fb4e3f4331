from __future__ import annotations

import pytest

from live_cam.geometry import Region
from live_cam.live.actions import point, press
from live_cam.live.controls import Controls
from live_cam.live.pointing import MOVE, PRESS, RELEASE, PointerEvent, PointingGame
from live_cam.overlay.status import PointingScore

BOX = Region(0.25, 0.25, 0.5, 0.25)


def do(controls: Controls, *events: tuple[str, float, float]) -> list[str | None]:
    return [point(controls, PointerEvent(*event)) for event in events]


def test_the_game_counts_hits_in_one_box() -> None:
    game = PointingGame()
    assert game.score(None) is None
    assert game.score(BOX) == PointingScore(0, 0)
    for x, y in ((0.3, 0.3), (0.74, 0.49), (0.76, 0.3), (0.3, 0.51)):
        game.note(BOX, x, y)
    assert game.score(BOX) == PointingScore(hits=2, rounds=4)
    other = BOX._replace(x=0.0)
    assert game.score(other) == PointingScore(0, 0), "another box, another game"
    game.note(other, 0.1, 0.3)
    assert game.score(other) == PointingScore(1, 1)
    game.note(None, 0.1, 0.3)
    game.note(other, 0.9, 0.3)
    assert game.score(other) == PointingScore(0, 1), "the box was taken away in between"


@pytest.mark.parametrize(
    ("from_corner", "to_corner"), [((0.2, 0.7), (0.6, 0.3)), ((0.6, 0.7), (0.2, 0.3))]
)
@pytest.mark.parametrize("mirror", [False, True])
def test_dragging_draws_a_box_over_the_frame(
    from_corner: tuple[float, float], to_corner: tuple[float, float], mirror: bool
) -> None:
    controls = Controls(mirror=mirror)
    do(controls, (MOVE, 0.9, 0.9), (PRESS, *from_corner), (MOVE, 0.5, 0.5))
    assert controls.target is not None, "seen while it is being drawn"
    do(controls, (MOVE, *to_corner), (RELEASE, *to_corner))
    assert controls.target == pytest.approx((0.4 if mirror else 0.2, 0.3, 0.4, 0.4))
    do(controls, (MOVE, 0.9, 0.1))
    assert controls.target == pytest.approx((0.4 if mirror else 0.2, 0.3, 0.4, 0.4))


def test_a_click_takes_the_box_away() -> None:
    controls = Controls(target=BOX)
    assert do(controls, (PRESS, 0.1, 0.1), (MOVE, 0.101, 0.1), (RELEASE, 0.101, 0.1)) == [
        None,
        None,
        "no box to hit",
    ]
    assert controls.target is None


def test_no_box_where_several_images_are_shown() -> None:
    controls = Controls(view="grid")
    said = do(controls, (PRESS, 0.1, 0.1), (MOVE, 0.4, 0.4), (RELEASE, 0.4, 0.4))
    assert controls.target is None
    assert said[-1] == "a box can be drawn in the views overlay, heatmap, camera"


def test_hovering_and_arrow_keys_enlarge_a_feature_map() -> None:
    panes = (Region(0.5, 0.0, 0.2, 0.2), Region(0.7, 0.0, 0.2, 0.2), Region(0.5, 0.2, 0.2, 0.2))
    controls = Controls(view="maps", panes=panes)

    def pressed(key: str) -> int | None:
        press(controls, key)
        return controls.focus

    do(controls, (MOVE, 0.75, 0.1))
    assert controls.focus == 1
    # After the last one come all together.
    assert [pressed(key) for key in ("right", "right", "left", "right")] == [2, None, None, 0]
    do(controls, (MOVE, 0.2, 0.5))
    assert [controls.focus] == [None], "the mouse has left the maps"

    elsewhere = Controls(panes=panes)
    do(elsewhere, (MOVE, 0.75, 0.1))
    assert elsewhere.focus is None
