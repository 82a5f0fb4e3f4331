from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from live_cam.bench.contest import Contestant, Submission, contest, correlation, quartiles

RAMP = np.arange(9, dtype=np.float32).reshape(3, 3)


class Planted:
    """Contestants with known results and times, on a clock that only they advance."""

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
        def explain(x: Tensor) -> Submission:
            frame = int(x[0, 0, 0, 0])
            self.calls.append((name, frame))
            self.now += seconds[frame]
            lead = leads[frame] if leads else 1.0
            return Submission(cam, classes[frame] if classes else 5, lead)

        return Contestant(name, explain, exact)


def frames(count: int) -> list[Tensor]:
    return [torch.full((1, 3, 1, 1), float(index)) for index in range(count)]


def test_each_round_runs_one_frame_through_all_in_a_random_order() -> None:
    planted = Planted()
    names = ["one", "two", "three", "four"]
    contestants = [planted.contestant(name, [1.0] * 40) for name in names]
    contest(contestants, frames(40), reference="one", warm_up=0, lead_in=0, clock=planted.clock)
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


def test_the_order_depends_only_on_the_seed() -> None:
    orders = []
    for seed in (1, 1, 2):
        planted = Planted()
        contestants = [planted.contestant(name, [1.0] * 9) for name in "abcd"]
        contest(contestants, frames(9), reference="a", seed=seed, lead_in=0, clock=planted.clock)
        orders.append(planted.calls)
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_speed_is_the_median_of_ratios_within_a_round() -> None:
    planted = Planted()
    # The machine slows down on the way: the ratio of the medians would be 8/3.
    slow, fast = [2.0, 4.0, 8.0, 16.0, 32.0], [1.0, 2.0, 3.0, 8.0, 16.0]
    outcomes = contest(
        [planted.contestant("slow", slow), planted.contestant("fast", fast)],
        frames(5),
        reference="slow",
        baseline="slow",
        lead_in=0,
        clock=planted.clock,
    )
    assert outcomes[0].seconds == (4.0, 8.0, 16.0)
    assert outcomes[1].seconds == (2.0, 3.0, 8.0)
    assert outcomes[0].speed == 1.0
    assert outcomes[1].speed == 2.0


def test_warm_up_is_not_timed_but_reported_as_progress() -> None:
    planted = Planted()
    steps: list[None] = []
    (outcome,) = contest(
        [planted.contestant("one", [1.0, 1.0, 1.0, 1.0, 900.0])],
        frames(5)[:4] + frames(5)[:1],
        reference="one",
        warm_up=3,
        progress=lambda: steps.append(None),
        lead_in=0,
        clock=planted.clock,
    )
    assert outcome.seconds == (1.0, 1.0, 1.0)
    assert outcome.speed is None
    assert len(steps) == len(planted.calls) == 8


def test_maps_are_compared_only_on_the_same_class() -> None:
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
        reference="truth",
        lead_in=0,
        clock=planted.clock,
    )
    by_name = {outcome.contestant.name: outcome for outcome in outcomes}
    assert by_name["truth"].correlation == pytest.approx(1.0)
    assert by_name["truth"].deviation == 0.0
    assert by_name["opposite"].correlation == pytest.approx(-1.0)
    assert by_name["doubled"].correlation == pytest.approx(1.0)
    assert by_name["doubled"].deviation is None, "it promises nothing about the scale"
    assert by_name["bent"].agreement == 0.75
    assert by_name["bent"].deviation == pytest.approx(0.05)
    assert by_name["elsewhere"].agreement == 0.0
    assert by_name["elsewhere"].correlation is None
    assert by_name["elsewhere"].deviation is None
    assert by_name["constant"].correlation is None


def test_clear_frames_are_counted_separately() -> None:
    planted = Planted()
    outcomes = contest(
        [
            planted.contestant(
                "truth", [1.0] * 4, classes=[1, 2, 3, 4], leads=[0.9, 0.5, 0.2, 0.05]
            ),
            planted.contestant("other", [1.0] * 4, classes=[1, 2, 7, 7], leads=[0.0] * 4),
        ],
        frames(4),
        reference="truth",
        warm_up=0,
        lead_in=0,
        clock=planted.clock,
    )
    assert [outcome.agreement for outcome in outcomes] == [1.0, 0.5]
    assert outcomes[0].clear_agreement == 1.0
    assert outcomes[1].clear_agreement == pytest.approx(2 / 3)


def test_correlation_equals_numpys() -> None:
    generator = np.random.default_rng(1)
    one, other = (generator.random((7, 5), dtype=np.float32) for _ in range(2))
    expected = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    assert correlation(one, other) == pytest.approx(float(expected))
    assert abs(float(expected)) < 0.9


def test_quartiles_are_interpolated() -> None:
    assert quartiles([5.0, 1.0, 2.0, 4.0, 3.0]) == (2.0, 3.0, 4.0)
    assert quartiles([7.0]) == (7.0, 7.0, 7.0)


@pytest.mark.parametrize(
    ("names", "reference", "baseline", "count"),
    [
        (["a", "a"], "a", None, 1),
        (["a"], "b", None, 1),
        (["a"], "a", "b", 1),
        (["a"], "a", None, 0),
    ],
)
def test_an_impossible_contest_is_rejected(
    names: list[str], reference: str, baseline: str | None, count: int
) -> None:
    contestants = [Planted().contestant(name, [1.0]) for name in names]
    with pytest.raises(ValueError, match=r"must be among|needs frames"):
        contest(contestants, frames(count), reference=reference, baseline=baseline)


def test_lead_in_is_not_timed() -> None:
    planted = Planted()
    first, second = planted.contestant("one", [1.0]), planted.contestant("two", [2.0])
    outcomes = contest(
        [first, second], frames(1), reference="one", warm_up=0, lead_in=2, clock=planted.clock
    )
    assert [outcome.seconds.median for outcome in outcomes] == [1.0, 2.0]
    assert sorted(planted.calls) == [("one", 0)] * 3 + [("two", 0)] * 3
