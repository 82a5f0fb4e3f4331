from __future__ import annotations

from typing import Any, cast

import av

from live_cam.capture.feed import Arrival, Backlog


def _arrival(number: int, *, key: bool = False) -> Arrival:
    packet = av.Packet(b"x")
    packet.is_keyframe = key
    return Arrival(cast("Any", packet), float(number))


def _taken(backlog: Backlog) -> list[float]:
    return [arrival.timestamp for arrival in iter(backlog.take, None)]


def _filled(count: int, keys: set[int], *, independent: bool = False) -> Backlog:
    backlog = Backlog(independent=independent)
    for number in range(count):
        backlog.put(_arrival(number, key=number in keys))
    return backlog


def test_only_the_newest_independent_image_waits() -> None:
    assert _taken(_filled(50, set(range(50)), independent=True)) == [49]


def test_a_decoder_that_keeps_up_receives_every_packet_in_order() -> None:
    backlog = Backlog(independent=False)
    taken = []
    for number in range(100):
        backlog.put(_arrival(number, key=number % 10 == 0))
        taken += _taken(backlog)
    assert taken == list(range(100))


def test_a_short_backlog_survives_a_key_frame() -> None:
    assert _taken(_filled(12, {0, 10})) == list(range(12))


def test_a_slow_decoder_skips_to_the_newest_key_frame() -> None:
    assert _taken(_filled(105, {0, 50, 100})) == [100, 101, 102, 103, 104]


def test_no_packet_is_dropped_between_key_frames() -> None:
    assert _taken(_filled(300, {0})) == list(range(300))


def test_the_backlog_is_bounded_without_key_frames() -> None:
    backlog = _filled(10_000, {0})
    assert len(backlog) == 0
    backlog.put(_arrival(10_000, key=True))
    backlog.put(_arrival(10_001))
    assert _taken(backlog) == [10_000, 10_001]


def test_no_packet_of_a_finite_video_is_dropped() -> None:
    backlog = Backlog(independent=True, live=False)
    for number in range(2000):
        backlog.put(_arrival(number, key=number % 2 == 0))
    assert _taken(backlog) == list(range(2000))
