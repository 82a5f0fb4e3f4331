"""The contract that every source fulfils."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from live_cam.capture import Source, open_source
from live_cam.frame import Frame
from live_cam.runtime.opencv import cv2
from tests.support.media import BLUE, GREEN, RED, FakeCamera, install, marked, write_video
from tests.support.server import Server


class Case(NamedTuple):
    """A source to open, and a way to silence it."""

    open: Callable[[], Source]
    live: bool
    silence: Callable[[], None]


def _nothing() -> None:
    pass


@pytest.fixture(params=["video", "url of a video", "stills", "demo", "stream", "camera"])
def case(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    video = write_video(tmp_path / "clip.mp4", [marked(c) for c in (RED, GREEN, BLUE)] * 10)
    device = FakeCamera()
    with Server() as server:
        server.files["/clip.mp4"] = video.read_bytes()
        images = tmp_path / "images"
        images.mkdir()
        for number, colour in enumerate((RED, GREEN)):
            cv2.imwrite(str(images / f"{number}.png"), marked(colour))
        install(device, monkeypatch)

        cases = {
            "video": (str(video), False, _nothing),
            "url of a video": (f"http://{server.address}/clip.mp4", False, _nothing),
            "stills": (str(images), False, _nothing),
            "demo": ("demo", False, _nothing),
            "stream": (f"http://{server.address}/video", True, server.paused.set),
            "camera": ("0", True, lambda: setattr(device, "frozen", True)),
        }
        name, live, silence = cases[request.param]
        yield Case(lambda: open_source(name), live, silence)


def _read(source: Source, count: int) -> list[Frame]:
    frames = [source.read() for _ in range(count)]
    assert None not in frames
    return [frame for frame in frames if frame is not None]


def test_frames_are_bgr_images_of_the_described_size(case: Case) -> None:
    with case.open() as source:
        for frame in _read(source, 3):
            height, width, channels = frame.image.shape
            assert frame.image.dtype == np.uint8
            assert channels == 3
            assert frame.image.flags.c_contiguous
            assert f"{width}×{height}" in source.description


def test_indices_count_from_zero(case: Case) -> None:
    with case.open() as source:
        assert [frame.index for frame in _read(source, 5)] == [0, 1, 2, 3, 4]


def test_timestamps_increase_on_the_clock_that_live_implies(case: Case) -> None:
    before = time.monotonic()
    with case.open() as source:
        times = [frame.timestamp for frame in _read(source, 5)]
        assert source.live is case.live
    assert all(a < b for a, b in pairwise(times))
    if case.live:
        assert before <= times[0]
        assert times[-1] <= time.monotonic()
    else:
        assert times[0] == 0
        assert times[1] == pytest.approx(1 / 30)


def test_later_frames_do_not_change_earlier_ones(case: Case) -> None:
    with case.open() as source:
        (frame,) = _read(source, 1)
        copy = frame.image.copy()
        _read(source, 5)
        assert np.array_equal(frame.image, copy)


def test_read_returns_none_after_close(case: Case) -> None:
    source = case.open()
    _read(source, 1)
    source.close()
    assert source.read() is None
    source.close()
    assert source.read() is None


def test_leaving_the_with_block_closes(case: Case) -> None:
    with pytest.raises(KeyError), case.open() as source:
        raise KeyError
    assert source.read() is None


def test_close_from_another_thread_ends_a_read(case: Case) -> None:
    source = case.open()
    reading = threading.Event()
    results: list[Frame | None] = []

    def read_all() -> None:
        while not results or results[-1] is not None:
            results.append(source.read())
            if len(results) == 3:
                case.silence()
                reading.set()

    thread = threading.Thread(target=read_all, daemon=True)
    thread.start()
    assert reading.wait(10)
    time.sleep(0.1)  # by now the read of a live source blocks
    source.close()
    thread.join(10)
    assert not thread.is_alive()
    assert results[-1] is None


def test_a_source_can_be_opened_again_after_close(case: Case) -> None:
    case.open().close()
    with case.open() as source:
        assert [frame.index for frame in _read(source, 2)] == [0, 1]
