from __future__ import annotations

import pytest

from live_cam.geometry import Region
from live_cam.live.actions import point, press
from live_cam.live.controls import Controls
from live_cam.live.pointing import MOVE, PRESS, RELEASE, PointerEvent, PointerKind, PointingGame
from live_cam.look import Look
from live_cam.overlay.status import PointingScore

BOX = Region(0.25, 0.25, 0.5, 0.25)


def do(
    controls: Controls, *events: tuple[PointerKind, float, float]
) -> tuple[Controls, list[str | None]]:
    """Return the new controls, and the confirmation of each event."""
    confirmations = []
    for event in events:
        controls, confirmation = point(controls, PointerEvent(*event))
        confirmations.append(confirmation)
    return controls, confirmations


def test_the_game_counts_hits_in_one_box() -> None:
    game = PointingGame()
    assert game.score(None) is None
    assert game.score(BOX) == PointingScore(0, 0)
    for x, y in ((0.3, 0.3), (0.74, 0.49), (0.76, 0.3), (0.3, 0.51)):
        game.record(BOX, x, y)
    assert game.score(BOX) == PointingScore(hits=2, rounds=4)
    other = BOX._replace(x=0.0)
    assert game.score(other) == PointingScore(0, 0), "another box, another game"
    game.record(other, 0.1, 0.3)
    assert game.score(other) == PointingScore(1, 1)
    game.record(None, 0.1, 0.3)
    game.record(other, 0.9, 0.3)
    assert game.score(other) == PointingScore(0, 1), "the box was taken away in between"


@pytest.mark.parametrize(
    ("from_corner", "to_corner"), [((0.2, 0.7), (0.6, 0.3)), ((0.6, 0.7), (0.2, 0.3))]
)
@pytest.mark.parametrize("mirror", [False, True])
def test_dragging_draws_a_box_over_the_frame(
    from_corner: tuple[float, float], to_corner: tuple[float, float], mirror: bool
) -> None:
    controls = Controls(look=Look(mirror=mirror))
    controls, _ = do(controls, (MOVE, 0.9, 0.9), (PRESS, *from_corner), (MOVE, 0.5, 0.5))
    assert controls.target is not None, "seen while it is being drawn"
    controls, _ = do(controls, (MOVE, *to_corner), (RELEASE, *to_corner))
    assert controls.target == pytest.approx((0.4 if mirror else 0.2, 0.3, 0.4, 0.4))
    controls, _ = do(controls, (MOVE, 0.9, 0.1))
    assert controls.target == pytest.approx((0.4 if mirror else 0.2, 0.3, 0.4, 0.4))


def test_a_click_removes_the_box() -> None:
    controls = Controls(target=BOX)
    controls, confirmations = do(
        controls, (PRESS, 0.1, 0.1), (MOVE, 0.101, 0.1), (RELEASE, 0.101, 0.1)
    )
    assert confirmations == [None, None, "box removed"]
    assert controls.target is None


def test_views_of_several_images_have_no_box() -> None:
    controls, confirmations = do(
        Controls(look=Look(view="grid")), (PRESS, 0.1, 0.1), (MOVE, 0.4, 0.4), (RELEASE, 0.4, 0.4)
    )
    assert controls.target is None
    assert confirmations[-1] == "boxes can be drawn in the views overlay, heatmap, camera"


def test_hovering_and_arrow_keys_enlarge_a_feature_map() -> None:
    panes = (Region(0.5, 0.0, 0.2, 0.2), Region(0.7, 0.0, 0.2, 0.2), Region(0.5, 0.2, 0.2, 0.2))
    controls = Controls(look=Look(view="maps"), panes=panes)

    def pressed(key: str) -> int | None:
        nonlocal controls
        controls, _ = press(controls, key)
        return controls.focus

    controls, _ = do(controls, (MOVE, 0.75, 0.1))
    assert controls.focus == 1
    # After the last one comes their sum.
    assert [pressed(key) for key in ("right", "right", "left", "right")] == [2, None, None, 0]
    controls, _ = do(controls, (MOVE, 0.2, 0.5))
    assert [controls.focus] == [None], "the mouse has left the maps"

    elsewhere, _ = do(Controls(panes=panes), (MOVE, 0.75, 0.1))
    assert elsewhere.focus is None
