"""How every live source handles the loss of its device."""

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
from tests.support.media import GREEN, RED, marked


class _Impatient(threading.Event):
    """An event whose waits return immediately and are recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        time.sleep(0.001)
        return self.is_set()


class _Device(LiveSource):
    """A device that a test can unplug and plug in again."""

    kind = "camera"
    patience = 0.5

    def __init__(self, reconnect: float) -> None:
        super().__init__("camera 7", reconnect=reconnect)
        self.image: Any = marked(RED)
        self.present = True
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
        if self.present:
            self.image = self.image ^ np.uint8(1)  # no two images are equal
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
        return "check the cable."


def _wait(reached: Callable[[], object]) -> None:
    limit = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.005)


def _drain(source: LiveSource) -> None:
    while source.read() is not None:
        pass


def test_the_pause_between_attempts_grows_up_to_a_limit() -> None:
    with _Device(reconnect=60) as source:
        source._stop = impatient = _Impatient()
        source.present = False
        _wait(lambda: len(impatient.waited) > 5)
        source.present = True
        _wait(lambda: source.trouble is None)
        source.present = False
        first_loss = len(impatient.waited)
        _wait(lambda: len(impatient.waited) > first_loss + 1)
    assert impatient.waited[:6] == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    assert impatient.waited[first_loss : first_loss + 2] == [0.25, 0.5]


def test_a_device_is_released_before_it_is_reopened() -> None:
    with _Device(reconnect=60) as source:
        source.present = False
        _wait(lambda: source.opened > 1)
        assert source.released >= source.opened - 1


def test_trouble_counts_the_seconds_since_the_loss() -> None:
    with _Device(reconnect=60) as source:
        assert source.trouble is None
        source.present = False
        _wait(lambda: source.trouble == "camera lost, reconnecting… 0 of 60 s")
        _wait(lambda: source.trouble == "camera lost, reconnecting… 1 of 60 s")
    assert source.trouble is None


def test_a_known_reason_is_reported() -> None:
    with _Device(reconnect=1) as source:
        source.reason = Trouble("camera in use", "camera 7 is in use; close the other program.")
        source.present = False
        _wait(lambda: (source.trouble or "").startswith("camera in use… 0 of 1 s"))
        with pytest.raises(CaptureError) as caught:
            _drain(source)
    assert str(caught.value) == (
        "camera 7 was lost and did not come back within 1 s: camera 7 is in use; "
        "close the other program."
    )


def test_no_attempt_is_made_without_time_to_reconnect(caplog: pytest.LogCaptureFixture) -> None:
    with _Device(reconnect=0) as source:
        source.present = False
        with pytest.raises(CaptureError, match=r"^camera 7 was lost; check the cable\.$"):
            _drain(source)
        assert source.opened == 1
    assert not caplog.records


def test_reconnecting_stops_when_its_time_is_over() -> None:
    with _Device(reconnect=0.3) as source:
        source.present = False
        with pytest.raises(CaptureError, match=r"did not come back within 0\.3 s; check the cable"):
            _drain(source)
        _wait(lambda: not source._thread.is_alive())
        opened = source.opened
        source.present = True
        with pytest.raises(CaptureError):
            source.read()
        assert source.opened == opened


def test_a_return_in_another_size_is_described_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with _Device(reconnect=60) as source:
        source.present = False
        _wait(lambda: source.trouble)
        source.image = marked(GREEN, 96, 80)
        source.present = True
        _wait(lambda: source.description == "96×80 again")
        _wait(lambda: source.trouble == "camera now sends 96×80")
    levels = {record.levelno for record in caplog.records}
    messages = [record.getMessage() for record in caplog.records]
    assert levels == {logging.WARNING}
    assert len(messages) == 2
    assert messages[0] == "Lost camera 7; reconnecting for up to 60 s."
    assert messages[1].startswith("Reconnected to camera 7 after ")
    assert messages[1].endswith(" s: 96×80 again.")


class _Clock:
    """A clock that can be set forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def test_time_while_the_process_is_stopped_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = _Clock()
    monkeypatch.setattr(live, "time", clock)
    with _Device(reconnect=1) as source:
        source.read()
        source.silent.set()
        wait = source._changed.wait

        def wait_an_hour(timeout: float | None = None) -> bool:
            """Wait like a process that Ctrl-Z stops for an hour."""
            source._changed.wait = wait  # type: ignore[method-assign]
            clock.ahead += 3600
            threading.Timer(0.3, source.silent.clear).start()
            return wait(timeout)

        while source._newest is not None:
            source.read()
        source._changed.wait = wait_an_hour  # type: ignore[method-assign]
        assert source.read() is not None
        assert clock.ahead == 3600
