from __future__ import annotations

import threading

import numpy as np
import pytest

from live_cam.capture import base
from live_cam.capture.base import PacedSource, RawFrame
from live_cam.frame import Frame


class _Slow(PacedSource):
    """A source whose reads block until `go` is set, as on a disk that does not respond."""

    def __init__(self) -> None:
        super().__init__("slow")
        self.inside = threading.Event()
        self.go = threading.Event()
        self.released_while_inside = False
        self.releases = 0

    def _next(self) -> RawFrame:
        self.inside.set()
        assert self.go.wait(30)
        self.inside.clear()
        return RawFrame(np.zeros((4, 6, 3), np.uint8), 0.0)

    def _release(self) -> None:
        self.releases += 1
        self.released_while_inside |= self.inside.is_set()


def test_a_blocked_read_releases_the_closed_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base, "CLOSE_WAIT", 0.1)
    source = _Slow()
    results: list[Frame | None] = []
    thread = threading.Thread(target=lambda: results.append(source.read()), daemon=True)
    thread.start()
    assert source.inside.wait(10)

    source.close()
    assert source.releases == 0
    source.go.set()
    thread.join(10)

    assert results == [None]
    assert source.releases == 1
    assert not source.released_while_inside
    assert source.read() is None
