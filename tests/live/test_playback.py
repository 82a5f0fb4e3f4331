from __future__ import annotations

import threading
import time

import pytest

from live_cam.live.playback import Playback
from tests.support.sources import FakeSource

IRREGULAR = [0.0, 0.05, 0.06, 0.2, 0.3]


def test_a_file_plays_by_its_timestamps() -> None:
    start = time.monotonic()
    due = [
        (frame.timestamp, time.monotonic() - start)
        for frame in Playback(FakeSource(IRREGULAR), threading.Event())
    ]
    assert [timestamp for timestamp, _ in due] == IRREGULAR
    assert all(passed >= timestamp - 0.001 for timestamp, passed in due), "never too early"


def test_a_first_timestamp_above_zero_causes_no_wait() -> None:
    start = time.monotonic()
    assert len(list(Playback(FakeSource([3600.0, 3600.01]), threading.Event()))) == 2
    assert time.monotonic() - start < 60


def test_a_live_source_is_not_paced_again() -> None:
    source = FakeSource([0.0, 0.01, 0.02], live=True)
    playback = Playback(source, threading.Event())
    playback.paused.set()
    assert [frame.index for frame in playback] == [0, 1, 2], "draining a camera cannot be paused"


def test_the_clock_stops_while_paused() -> None:
    playback = Playback(FakeSource([0.0, 0.1]), threading.Event())
    frames = iter(playback)
    playback.paused.set()
    assert next(frames).index == 0, "the first frame comes even while paused"
    pause = 0.4
    threading.Timer(pause, playback.paused.clear).start()
    start = time.monotonic()
    assert next(frames).index == 1
    assert time.monotonic() - start >= pause + 0.1 - 0.05


def test_stop_ends_a_long_wait() -> None:
    stop = threading.Event()
    frames = iter(Playback(FakeSource([0.0, 3600.0]), stop))
    next(frames)
    threading.Timer(0.05, stop.set).start()
    next(frames, None)
    with pytest.raises(StopIteration):
        next(frames)
