from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from live_cam.bench.contest import Answer, Contestant, contest, correlation, quartiles

RAMP = np.arange(9, dtype=np.float32).reshape(3, 3)


class Planted:
    """Contestants whose answers and times are known, on a clock that only they move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[str, int]] = []

    def clock(self) -> float:
        return self.now

    def contestant(
        self,
        name: str,
        seconds: list[float],
        cam: NDArray[np.float32] = RAMP,
        classes: list[int] | None = None,
        *,
        exact: bool = False,
        leads: list[float] | None = None,
    ) -> Contestant:
        def explain(x: Tensor) -> Answer:
            frame = int(x[0, 0, 0, 0])
            self.calls.append((name, frame))
            self.now += seconds[frame]
            lead = leads[frame] if leads else 1.0
            return Answer(cam, classes[frame] if classes else 5, lead)

        return Contestant(name, explain, exact)


def frames(count: int) -> list[Tensor]:
    return [torch.full((1, 3, 1, 1), float(index)) for index in range(count)]


def test_each_round_takes_one_frame_through_all_in_an_order_of_its_own() -> None:
    planted = Planted()
    names = ["one", "two", "three", "four"]
    contestants = [planted.contestant(name, [1.0] * 40) for name in names]
    contest(contestants, frames(40), truth="one", warm_up=0, lead_in=0, clock=planted.clock)
    rounds = [planted.calls[start : start + 4] for start in range(0, 160, 4)]
    for index, calls in enumerate(rounds):
        assert sorted(name for name, _ in calls) == sorted(names)
        assert {frame for _, frame in calls} == {index}
    followers = Counter(
        (before, after)
        for (before, _), (after, _) in zip(planted.calls, planted.calls[1:], strict=False)
    )
    for name in names:
        assert len([pair for pair in followers if pair[1] == name and pair[0] != name]) == 3, (
            f"{name} must follow each of the others at times"
        )


def test_the_order_depends_on_the_seed_alone() -> None:
    orders = []
    for seed in (1, 1, 2):
        planted = Planted()
        contestants = [planted.contestant(name, [1.0] * 9) for name in "abcd"]
        contest(contestants, frames(9), truth="a", seed=seed, lead_in=0, clock=planted.clock)
        orders.append(planted.calls)
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_times_and_speeds() -> None:
    planted = Planted()
    # The machine gets three times as slow on the way: the ratio of the medians would be 8/3.
    slow, fast = [2.0, 4.0, 8.0, 16.0, 32.0], [1.0, 2.0, 3.0, 8.0, 16.0]
    outcomes = contest(
        [planted.contestant("slow", slow), planted.contestant("fast", fast)],
        frames(5),
        truth="slow",
        yardstick="slow",
        lead_in=0,
        clock=planted.clock,
    )
    assert outcomes[0].seconds == (4.0, 8.0, 16.0)
    assert outcomes[1].seconds == (2.0, 3.0, 8.0)
    assert outcomes[0].speed == 1.0
    assert outcomes[1].speed == 2.0


def test_warming_up_does_not_count_but_progresses() -> None:
    planted = Planted()
    steps: list[None] = []
    (outcome,) = contest(
        [planted.contestant("one", [1.0, 1.0, 1.0, 1.0, 900.0])],
        frames(5)[:4] + frames(5)[:1],
        truth="one",
        warm_up=3,
        progress=lambda: steps.append(None),
        lead_in=0,
        clock=planted.clock,
    )
    assert outcome.seconds == (1.0, 1.0, 1.0)
    assert outcome.speed is None
    assert len(steps) == len(planted.calls) == 8


def test_maps_are_compared_where_the_class_is_the_same() -> None:
    planted = Planted()
    mirrored, doubled, bent = RAMP[::-1, ::-1].copy(), 2 * RAMP, RAMP.copy()
    bent[0, 0] += 0.4
    seconds = [1.0] * 4
    outcomes = contest(
        [
            planted.contestant("truth", seconds, exact=True),
            planted.contestant("opposite", seconds, mirrored),
            planted.contestant("doubled", seconds, doubled),
            planted.contestant("bent", seconds, bent, [5, 5, 5, 6], exact=True),
            planted.contestant("elsewhere", seconds, RAMP, [6] * 4, exact=True),
            planted.contestant("constant", seconds, np.ones_like(RAMP)),
        ],
        frames(4),
        truth="truth",
        lead_in=0,
        clock=planted.clock,
    )
    found = {outcome.contestant.name: outcome for outcome in outcomes}
    assert found["truth"].correlation == pytest.approx(1.0)
    assert found["truth"].deviation == 0.0
    assert found["opposite"].correlation == pytest.approx(-1.0)
    assert found["doubled"].correlation == pytest.approx(1.0)
    assert found["doubled"].deviation is None, "it promises nothing about the scale"
    assert found["bent"].agreement == 0.75
    assert found["bent"].deviation == pytest.approx(0.05)
    assert found["elsewhere"].agreement == 0.0
    assert found["elsewhere"].correlation is None
    assert found["elsewhere"].deviation is None
    assert found["constant"].correlation is None


def test_frames_that_are_clear_are_counted_by_themselves() -> None:
    planted = Planted()
    outcomes = contest(
        [
            planted.contestant(
                "truth", [1.0] * 4, classes=[1, 2, 3, 4], leads=[0.9, 0.5, 0.2, 0.05]
            ),
            planted.contestant("other", [1.0] * 4, classes=[1, 2, 7, 7], leads=[0.0] * 4),
        ],
        frames(4),
        truth="truth",
        warm_up=0,
        lead_in=0,
        clock=planted.clock,
    )
    assert [outcome.agreement for outcome in outcomes] == [1.0, 0.5]
    assert outcomes[0].clear_agreement == 1.0
    assert outcomes[1].clear_agreement == pytest.approx(2 / 3)


def test_correlation_is_numpys() -> None:
    generator = np.random.default_rng(1)
    one, other = (generator.random((7, 5), dtype=np.float32) for _ in range(2))
    expected = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    assert correlation(one, other) == pytest.approx(float(expected))
    assert abs(float(expected)) < 0.9


def test_quartiles() -> None:
    assert quartiles([5.0, 1.0, 2.0, 4.0, 3.0]) == (2.0, 3.0, 4.0)
    assert quartiles([7.0]) == (7.0, 7.0, 7.0)


@pytest.mark.parametrize(
    ("names", "truth", "yardstick", "count"),
    [
        (["a", "a"], "a", None, 1),
        (["a"], "b", None, 1),
        (["a"], "a", "b", 1),
        (["a"], "a", None, 0),
    ],
)
def test_a_contest_that_cannot_be(
    names: list[str], truth: str, yardstick: str | None, count: int
) -> None:
    contestants = [Planted().contestant(name, [1.0]) for name in names]
    with pytest.raises(ValueError, match=r"must be among|needs frames"):
        contest(contestants, frames(count), truth=truth, yardstick=yardstick)


def test_leading_in_does_not_count() -> None:
    planted = Planted()
    first, second = planted.contestant("one", [1.0]), planted.contestant("two", [2.0])
    outcomes = contest(
        [first, second], frames(1), truth="one", warm_up=0, lead_in=2, clock=planted.clock
    )
    assert [outcome.seconds.median for outcome in outcomes] == [1.0, 2.0]
    assert sorted(planted.calls) == [("one", 0)] * 3 + [("two", 0)] * 3
