from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.temporal.leader import Leader


def scores(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_equals_do_not_take_turns() -> None:
    leader = Leader()
    shown = [
        leader.follow(scores(0.40, 0.41) if index % 2 else scores(0.41, 0.40), t)
        for index, t in enumerate(np.arange(0, 3, 1 / 30))
    ]
    assert set(shown) == {0}


def test_a_flash_is_not_believed() -> None:
    leader = Leader()
    for index in range(60):
        flash = index in (20, 21)
        values = scores(0.1, 0.8) if flash else scores(0.9, 0.05)
        assert leader.follow(values, index / 30) == 0


@pytest.mark.parametrize("rate", [4, 10, 30])
def test_a_cut_shows_within_300_ms(rate: int) -> None:
    leader = Leader()
    leader.follow(scores(0.9, 0.05), 0.0)
    times = np.arange(1, 20) / rate
    shown = [leader.follow(scores(0.05, 0.8), t) for t in times]
    assert times[shown.index(1)] <= 0.3


def test_a_slight_lead_wins_in_the_end() -> None:
    leader = Leader()
    leader.follow(scores(0.40, 0.38), 0.0)
    shown = [leader.follow(scores(0.38, 0.42), t) for t in np.arange(1, 90) / 30]
    assert shown[0] == 0
    assert shown[-1] == 1


def test_a_rival_that_falls_back_begins_anew() -> None:
    leader = Leader()
    leader.follow(scores(0.9, 0.05), 0.0)
    pattern = [scores(0.1, 0.8), scores(0.1, 0.8), scores(0.5, 0.4)]
    assert {leader.follow(pattern[index % 3], index / 30) for index in range(1, 90)} == {0}


def test_while_nothing_changes_the_time_goes_on() -> None:
    """Frames that show the same are not explained; the class must not hang on the old one."""
    leader = Leader()
    leader.follow(scores(0.9, 0.05), 0.0)
    assert leader.follow(scores(0.05, 0.8), 1 / 30) == 0
    overdue = []
    for index in range(2, 6):
        overdue.append(leader.overdue)
        leader.stand_still(index / 30)
    overdue.append(leader.overdue)
    assert leader.follow(scores(0.05, 0.8), 5 / 30) == 1
    overdue.append(leader.overdue)
    assert overdue == [False, False, False, True, True, False]


def test_a_flash_after_a_long_stillness_is_not_believed() -> None:
    leader = Leader()
    leader.follow(scores(0.9, 0.05), 0.0)
    for index in range(1, 300):
        leader.stand_still(index / 30)
    assert leader.follow(scores(0.05, 0.8), 300 / 30) == 0
    assert leader.follow(scores(0.9, 0.05), 301 / 30) == 0


def test_another_beginning() -> None:
    leader = Leader()
    leader.follow(scores(0.9, 0.05), 8.0)
    assert leader.follow(scores(0.4, 0.5), 0.0) == 1
