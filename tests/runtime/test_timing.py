from __future__ import annotations

import pytest

from live_cam.runtime.timing import FPSMeter, StageTimer


class FakeClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_n_events_span_n_minus_1_intervals() -> None:
    clock = FakeClock()
    meter = FPSMeter(window=10, clock=clock)
    assert meter.rate is None
    for _ in range(5):
        meter.tick()
        clock.now += 0.1
    assert meter.rate == pytest.approx(10.0)


def test_only_events_within_the_window_count() -> None:
    clock = FakeClock()
    meter = FPSMeter(window=2, clock=clock)
    for interval, ticks in ((0.1, 100), (0.5, 12)):
        for _ in range(ticks):
            clock.now += interval
            meter.tick()
    assert meter.rate == pytest.approx(2.0)
    clock.now += 3
    assert meter.rate is None


def test_one_event_or_two_simultaneous_ones_have_no_rate() -> None:
    meter = FPSMeter(clock=FakeClock())
    meter.tick()
    assert meter.rate is None
    meter.tick()
    assert meter.rate is None


def test_stages_add_up_and_survive_an_exception() -> None:
    timer = StageTimer()
    for _ in range(2):
        with timer.stage("a"):
            pass
    with pytest.raises(KeyError), timer.stage("b"):
        raise KeyError
    assert list(timer.seconds) == ["a", "b"]
    assert all(seconds >= 0 for seconds in timer.seconds.values())
