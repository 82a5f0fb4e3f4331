from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.temporal.hysteresis import LeadingClass, Ranking, TopClasses


def array(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


class TestLeadingClass:
    def test_equally_probable_classes_do_not_alternate(self) -> None:
        leader = LeadingClass()
        shown = [
            leader.update(array(0.40, 0.41) if index % 2 else array(0.41, 0.40), t)
            for index, t in enumerate(np.arange(0, 3, 1 / 30))
        ]
        assert set(shown) == {0}

    def test_a_flash_is_ignored(self) -> None:
        leader = LeadingClass()
        for index in range(60):
            flash = index in (20, 21)
            values = array(0.1, 0.8) if flash else array(0.9, 0.05)
            assert leader.update(values, index / 30) == 0

    @pytest.mark.parametrize("rate", [4, 10, 30])
    def test_a_cut_shows_within_300_ms(self, rate: int) -> None:
        leader = LeadingClass()
        leader.update(array(0.9, 0.05), 0.0)
        times = np.arange(1, 20) / rate
        shown = [leader.update(array(0.05, 0.8), t) for t in times]
        assert times[shown.index(1)] <= 0.3

    def test_a_slight_lead_wins_eventually(self) -> None:
        leader = LeadingClass()
        leader.update(array(0.40, 0.38), 0.0)
        shown = [leader.update(array(0.38, 0.42), t) for t in np.arange(1, 90) / 30]
        assert shown[0] == 0
        assert shown[-1] == 1

    def test_a_rival_that_falls_back_starts_from_zero(self) -> None:
        leader = LeadingClass()
        leader.update(array(0.9, 0.05), 0.0)
        pattern = [array(0.1, 0.8), array(0.1, 0.8), array(0.5, 0.4)]
        assert {leader.update(pattern[index % 3], index / 30) for index in range(1, 90)} == {0}

    def test_time_counts_while_nothing_changes(self) -> None:
        """Unchanged frames are not explained; the old class must not stay because of that."""
        leader = LeadingClass()
        leader.update(array(0.9, 0.05), 0.0)
        assert leader.update(array(0.05, 0.8), 1 / 30) == 0
        overdue = []
        for index in range(2, 6):
            overdue.append(leader.overdue)
            leader.repeat(index / 30)
        overdue.append(leader.overdue)
        assert leader.update(array(0.05, 0.8), 5 / 30) == 1
        overdue.append(leader.overdue)
        assert overdue == [False, False, False, True, True, False]

    def test_a_flash_after_a_long_still_period_is_ignored(self) -> None:
        leader = LeadingClass()
        leader.update(array(0.9, 0.05), 0.0)
        for index in range(1, 300):
            leader.repeat(index / 30)
        assert leader.update(array(0.05, 0.8), 300 / 30) == 0
        assert leader.update(array(0.9, 0.05), 301 / 30) == 0

    def test_an_earlier_timestamp_restarts(self) -> None:
        leader = LeadingClass()
        leader.update(array(0.9, 0.05), 8.0)
        assert leader.update(array(0.4, 0.5), 0.0) == 1


class TestRanking:
    def test_returns_the_largest_first(self) -> None:
        assert Ranking().update(array(0.1, 0.5, -2.0, 0.3), 2) == [1, 3]

    def test_returns_all_if_there_are_fewer_than_requested(self) -> None:
        assert Ranking().update(array(0.1, 0.5), 15) == [1, 0]
        assert Ranking().update(array(), 15) == []

    def test_noise_does_not_change_the_order(self) -> None:
        ranking, generator = Ranking(), np.random.default_rng(0)
        true = np.linspace(1.0, 0.9, 30, dtype=np.float32)
        orders = set()
        for _ in range(50):
            noise = generator.normal(1.0, 0.02, 30)
            orders.add(tuple(ranking.update((true * noise).astype(np.float32), 15)))
        assert len(orders) == 1

    def test_a_clearly_larger_value_overtakes_immediately(self) -> None:
        ranking = Ranking()
        assert ranking.update(array(1.0, 0.9, 0.8, 0.1), 3) == [0, 1, 2]
        assert ranking.update(array(1.0, 0.9, 0.8, 2.0), 3) == [3, 0, 1]
        assert ranking.update(array(0.0, 0.1, 0.2, 0.0), 2) == [2, 1]

    def test_the_others_keep_their_order_when_one_drops_out(self) -> None:
        ranking = Ranking()
        assert ranking.update(array(1.0, 0.95, 0.9, 0.85), 3) == [0, 1, 2]
        assert ranking.update(array(0.9, 0.0, 0.95, 1.0), 3) == [0, 2, 3]

    def test_negative_values_are_not_favoured(self) -> None:
        ranking = Ranking()
        ranking.update(array(-1.0, -2.0, -3.0), 2)
        assert ranking.update(array(-3.0, -2.0, -1.0), 2)[0] != 0


class TestTopClasses:
    def test_the_leader_comes_first_and_the_others_are_ranked(self) -> None:
        top = TopClasses()
        top.update(array(0.30, 0.28, 0.20, 0.12, 0.06, 0.04), 0.0)
        assert top.indices == (0, 1, 2, 3, 4)
        for step in range(1, 20):
            top.update(array(0.29, 0.30, 0.13, 0.14, 0.07, 0.07), step / 30)
        assert top.indices == (0, 1, 2, 3, 4), "a hundredth ahead for less than a second"
        top.update(array(0.01, 0.90, 0.01, 0.02, 0.01, 0.05), 1.0)
        assert list(top.indices[:2]) == [1, 5]

    def test_few_classes(self) -> None:
        top = TopClasses()
        top.update(array(0.2, 0.8), 0.0)
        assert top.indices == (1, 0)
