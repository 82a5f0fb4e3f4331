"""What all live sources do when their device is lost, whatever the device is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from live_cam.capture import live
from live_cam.capture.base import RawFrame, Trouble
from live_cam.capture.live import LiveSource
from live_cam.errors import CaptureError
from tests.capture.media import GREEN, RED, marked


class _Impatient(threading.Event):
    """An event that is not waited for, and knows for how long it would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        time.sleep(0.001)
        return self.is_set()


class _Device(LiveSource):
    """A device that is there or not, as it is told."""

    kind = "camera"
    patience = 0.5

    def __init__(self, reconnect: float) -> None:
        super().__init__("camera 7", reconnect=reconnect)
        self.image: Any = marked(RED)
        self.there = True
        self.silent = threading.Event()
        self.reason: Trouble | None = None
        self.opened = 1
        self.released = 0
        self.description = "64×48"
        first = self._grab()
        assert first is not None
        self._start(first)

    def _grab(self) -> RawFrame | None:
        time.sleep(0.01)
        while self.silent.is_set():
            time.sleep(0.01)
        if self.there:
            self.image = self.image ^ np.uint8(1)  # no two are the same
            return RawFrame(self.image, time.monotonic())
        self._reason = self.reason
        return None

    def _reopen(self) -> None:
        self.opened += 1

    def _release(self) -> None:
        self.released += 1

    def _describe(self, image: Any) -> str:
        return f"{image.shape[1]}×{image.shape[0]} again"

    def _remedy(self) -> str:
        return "look for it."


def _wait(reached: Callable[[], object]) -> None:
    limit = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.005)


def _drain(source: LiveSource) -> None:
    while source.read() is not None:
        pass


def test_the_pauses_between_two_attempts_grow_up_to_a_limit() -> None:
    with _Device(reconnect=60) as source:
        source._stop = impatient = _Impatient()
        source.there = False
        _wait(lambda: len(impatient.waited) > 5)
        source.there = True
        _wait(lambda: source.trouble is None)
        source.there = False
        first_loss = len(impatient.waited)
        _wait(lambda: len(impatient.waited) > first_loss + 1)
    assert impatient.waited[:6] == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    assert impatient.waited[first_loss : first_loss + 2] == [0.25, 0.5]


def test_it_is_released_before_it_is_opened_again() -> None:
    with _Device(reconnect=60) as source:
        source.there = False
        _wait(lambda: source.opened > 1)
        assert source.released >= source.opened - 1


def test_the_image_says_for_how_long_it_has_been_lost() -> None:
    with _Device(reconnect=60) as source:
        assert source.trouble is None
        source.there = False
        _wait(lambda: source.trouble == "camera lost, looking for it… 0 of 60 s")
        _wait(lambda: source.trouble == "camera lost, looking for it… 1 of 60 s")
    assert source.trouble is None


def test_a_reason_that_is_known_is_named() -> None:
    with _Device(reconnect=1) as source:
        source.reason = Trouble("camera in use", "camera 7 is in use; end the other program.")
        source.there = False
        _wait(lambda: (source.trouble or "").startswith("camera in use… 0 of 1 s"))
        with pytest.raises(CaptureError) as caught:
            _drain(source)
    assert str(caught.value) == (
        "camera 7 was lost and did not come back within 1 s: camera 7 is in use; "
        "end the other program."
    )


def test_without_time_to_come_back_it_is_not_even_tried(caplog: pytest.LogCaptureFixture) -> None:
    with _Device(reconnect=0) as source:
        source.there = False
        with pytest.raises(CaptureError, match=r"^camera 7 was lost; look for it\.$"):
            _drain(source)
        assert source.opened == 1
    assert not caplog.records


def test_nobody_looks_for_it_any_more_once_it_is_too_late() -> None:
    with _Device(reconnect=0.3) as source:
        source.there = False
        with pytest.raises(CaptureError, match=r"did not come back within 0\.3 s; look for it"):
            _drain(source)
        _wait(lambda: not source._thread.is_alive())
        opened = source.opened
        source.there = True
        with pytest.raises(CaptureError):
            source.read()
        assert source.opened == opened


def test_back_in_another_size_it_is_described_anew_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with _Device(reconnect=60) as source:
        source.there = False
        _wait(lambda: source.trouble)
        source.image = marked(GREEN, 96, 80)
        source.there = True
        _wait(lambda: source.description == "96×80 again")
        _wait(lambda: source.trouble == "camera now sends 96×80")
    levels = {record.levelno for record in caplog.records}
    said = [record.getMessage() for record in caplog.records]
    assert levels == {logging.WARNING}
    assert len(said) == 2
    assert said[0] == "camera 7 was lost; it is looked for, for up to 60 s."
    assert said[1].startswith("camera 7 is back after ")
    assert said[1].endswith(" s: 96×80 again.")


class _Clock:
    """A clock that can be set forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def test_time_in_which_the_program_was_stopped_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = _Clock()
    monkeypatch.setattr(live, "time", clock)
    with _Device(reconnect=1) as source:
        source.read()
        source.silent.set()
        wait = source._changed.wait

        def stopped_meanwhile(timeout: float | None = None) -> bool:
            """Wait, as a process does that Ctrl-Z stops for an hour at that moment."""
            source._changed.wait = wait  # type: ignore[method-assign]
            clock.ahead += 3600
            threading.Timer(0.3, source.silent.clear).start()
            return wait(timeout)

        while source._newest is not None:
            source.read()
        source._changed.wait = stopped_meanwhile  # type: ignore[method-assign]
        assert source.read() is not None
        assert clock.ahead == 3600
