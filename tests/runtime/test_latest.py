from __future__ import annotations

import threading

from live_cam.runtime.latest import Latest


def test_a_slow_reader_gets_the_newest_and_skips_the_rest() -> None:
    latest: Latest[int] = Latest()
    for value in range(1000, 1005):
        latest.put(value)
    assert latest.newer(None, 0) == 1004


def test_nothing_newer_is_none_after_the_timeout() -> None:
    latest: Latest[list[int]] = Latest()
    assert latest.newer(None, 0.01) is None
    value = [1]
    latest.put(value)
    assert latest.newer(value, 0.01) is None
    latest.put([1])
    assert latest.newer(value, 0) == [1], "another value that happens to be equal is newer"


def test_a_waiting_reader_is_woken() -> None:
    latest: Latest[str] = Latest()
    got: list[str | None] = []
    reader = threading.Thread(target=lambda: got.append(latest.newer(None, 10)))
    reader.start()
    latest.put("frame")
    reader.join(10)
    assert got == ["frame"]


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
