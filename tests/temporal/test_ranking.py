from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from live_cam.temporal.ranking import Ranking, Standings


def sizes(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


class TestRanking:
    def test_the_largest_first(self) -> None:
        assert Ranking().follow(sizes(0.1, 0.5, -2.0, 0.3), 2) == [1, 3]

    def test_fewer_than_are_asked_for(self) -> None:
        assert Ranking().follow(sizes(0.1, 0.5), 15) == [1, 0]
        assert Ranking().follow(sizes(), 15) == []

    def test_noise_moves_nothing(self) -> None:
        ranking, generator = Ranking(), np.random.default_rng(0)
        true = np.linspace(1.0, 0.9, 30, dtype=np.float32)
        orders = set()
        for _ in range(50):
            noise = generator.normal(1.0, 0.02, 30)
            orders.add(tuple(ranking.follow((true * noise).astype(np.float32), 15)))
        assert len(orders) == 1

    def test_what_is_clearly_larger_gets_ahead_at_once(self) -> None:
        ranking = Ranking()
        assert ranking.follow(sizes(1.0, 0.9, 0.8, 0.1), 3) == [0, 1, 2]
        assert ranking.follow(sizes(1.0, 0.9, 0.8, 2.0), 3) == [3, 0, 1]
        assert ranking.follow(sizes(0.0, 0.1, 0.2, 0.0), 2) == [2, 1]

    def test_what_stays_keeps_its_place_when_another_one_goes(self) -> None:
        ranking = Ranking()
        assert ranking.follow(sizes(1.0, 0.95, 0.9, 0.85), 3) == [0, 1, 2]
        assert ranking.follow(sizes(0.9, 0.0, 0.95, 1.0), 3) == [0, 2, 3]

    def test_what_speaks_against_is_not_favoured(self) -> None:
        ranking = Ranking()
        ranking.follow(sizes(-1.0, -2.0, -3.0), 2)
        assert ranking.follow(sizes(-3.0, -2.0, -1.0), 2)[0] != 0


class TestStandings:
    def test_the_first_is_the_leader_and_the_others_are_ranked(self) -> None:
        standings = Standings()
        standings.follow(sizes(0.30, 0.28, 0.20, 0.12, 0.06, 0.04), 0.0)
        assert standings.ranks == (0, 1, 2, 3, 4)
        for step in range(1, 20):
            standings.follow(sizes(0.29, 0.30, 0.13, 0.14, 0.07, 0.07), step / 30)
        assert standings.ranks == (0, 1, 2, 3, 4), "a hundredth ahead for less than a second"
        standings.follow(sizes(0.01, 0.90, 0.01, 0.02, 0.01, 0.05), 1.0)
        assert list(standings.ranks[:2]) == [1, 5]

    def test_few_classes(self) -> None:
        standings = Standings()
        standings.follow(sizes(0.2, 0.8), 0.0)
        assert standings.ranks == (1, 0)
