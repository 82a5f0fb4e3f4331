from __future__ import annotations

import threading

from live_cam.runtime.latest import Latest


def test_a_slow_reader_receives_only_the_newest_value() -> None:
    latest: Latest[int] = Latest()
    for value in range(1000, 1005):
        latest.put(value)
    assert latest.newer(None, 0) == 1004


def test_newer_returns_none_after_the_timeout() -> None:
    latest: Latest[list[int]] = Latest()
    assert latest.newer(None, 0.01) is None
    value = [1]
    latest.put(value)
    assert latest.newer(value, 0.01) is None
    latest.put([1])
    assert latest.newer(value, 0) == [1], "a different object is newer even if it is equal"


def test_a_waiting_reader_is_woken() -> None:
    latest: Latest[str] = Latest()
    received: list[str | None] = []
    reader = threading.Thread(target=lambda: received.append(latest.newer(None, 10)))
    reader.start()
    latest.put("frame")
    reader.join(10)
    assert received == ["frame"]


def test_a_held_value_stays_until_released() -> None:
    latest: Latest[str] = Latest()
    latest.put("a")
    latest.hold("frozen")
    latest.put("b")
    assert latest.newer(None, 0) == "frozen"
    latest.release()
    assert latest.newer("frozen", 0) is None
    latest.put("c")
    assert latest.newer("frozen", 0) == "c"
