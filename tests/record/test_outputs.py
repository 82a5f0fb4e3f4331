"""A failing disk: with a window the run continues, without one it ends."""

from __future__ import annotations

import gc
import io
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.errors import RecordingError
from live_cam.record import outputs, recorder
from live_cam.record.outputs import RunOutputs
from live_cam.record.video import VideoFile
from live_cam.runtime.timed_text import TimedText
from live_cam.settings import Settings
from tests.support.disks import fill
from tests.support.explanations import tiger_cat
from tests.support.program import read_log, read_video, read_what_plays

NOISE = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)


class Run:
    """A run that only records."""

    def __init__(self, **settings: Any) -> None:
        self.notices: list[str] = []
        self.confirmation = TimedText()
        self.outputs = RunOutputs(Settings(**settings), self.notices.append, self.confirmation)
        self.wanted = settings.get("record") is not None
        self.images = 0
        self.noise = NOISE

    def step(self) -> None:
        image: NDArray[np.uint8] = np.roll(self.noise, self.images, axis=1)
        self.outputs.write(image, self.images / 30)
        self.images += 1
        self.wanted = self.outputs.set_recording(self.wanted)

    def until(self, reached: Callable[[], bool]) -> None:
        limit = time.monotonic() + 60
        while not reached():
            assert time.monotonic() < limit
            self.step()
            time.sleep(0.002)


def test_a_full_disk_ends_the_recording_and_not_the_run(small_disk: Path, tmp_path: Path) -> None:
    path = small_disk / "out.mp4"
    run = Run(record=path)
    with run.outputs:
        run.until(lambda: not run.wanted)

        assert run.outputs.trouble == "recording ended: the disk is full"
        assert run.outputs.seconds is None
        assert len(run.notices) == 1
        assert f"cannot continue writing {path} (the first " in run.notices[0]
        kept = path.read_bytes()
        for _ in range(5):
            run.step()  # the run continues without another notice

        (tmp_path / "kept.mp4").write_bytes(kept)
        path.write_bytes(b"somebody else's")
        run.wanted = True
        run.until(lambda: (run.outputs.seconds or 0) > 0.3)
        run.wanted = False
        run.until(lambda: len(run.notices) == 2)

    assert len(read_video(tmp_path / "kept.mp4")) > 5
    assert run.notices[1].startswith(f"recorded {small_disk / 'out-2.mp4'}: ")
    assert len(read_video(small_disk / "out-2.mp4")) > 5
    assert path.read_bytes() == b"somebody else's"


def test_a_failed_recording_is_released(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[weakref.ref[VideoFile]] = []

    class Watched(VideoFile):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            opened.append(weakref.ref(self))

    monkeypatch.setattr(recorder, "VideoFile", Watched)
    run = Run(record=small_disk / "out.mp4")
    with run.outputs:
        run.until(lambda: not run.wanted)
        run.step()
        gc.collect()

        assert [encoder() for encoder in opened] == [None], "its encoder's threads are still alive"


def test_the_threads_of_an_encoder_end_with_the_recording_that_failed(small_disk: Path) -> None:
    tasks = Path("/proc/self/task")
    gc.collect()
    gc.disable()  # it comes when it likes
    try:
        before = {task.name for task in tasks.iterdir()}
        run = Run(record=small_disk / "out.mp4")
        run.noise = np.tile(NOISE, (3, 2, 1))  # large enough for several threads
        with run.outputs:
            run.until(lambda: not run.wanted)
            limit = time.monotonic() + 30
            while (left := {task.name for task in tasks.iterdir()} - before) and (
                time.monotonic() < limit
            ):
                time.sleep(0.01)
            assert not left
    finally:
        gc.enable()


def test_without_a_window_a_full_disk_ends_the_run(small_disk: Path) -> None:
    run = Run(record=small_disk / "out.mp4", headless=True)
    with (
        pytest.raises(RecordingError, match=r"the first \d+\.\d s play\): the disk is full"),
        run.outputs,
    ):
        run.until(lambda: False)
    assert run.notices == [], "the error itself is the only sentence"


@pytest.mark.parametrize("headless", [False, True])
def test_a_log_on_a_full_disk_keeps_its_lines(small_disk: Path, headless: bool) -> None:
    path = small_disk / "p.jsonl"
    fill(small_disk, 8192)
    run = Run(predictions=path, headless=headless)

    def log_many() -> None:
        for index in range(200):
            run.outputs.log(tiger_cat(index), (1, 2))

    with run.outputs:
        if headless:
            with pytest.raises(RecordingError, match=r"the first \d+ lines are complete"):
                log_many()
        else:
            log_many()
            assert run.outputs.trouble == "log ended: the disk is full"
            assert not run.outputs.logs
            assert len(run.notices) == 1

    frames = [entry["frame"] for entry in read_log(path)]
    assert frames == list(range(len(frames)))
    assert 10 < len(frames) < 200


def test_a_snapshot_on_a_full_disk_leaves_nothing_behind(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(small_disk, 0)
    monkeypatch.chdir(small_disk)
    run = Run()
    with run.outputs:
        run.outputs.snapshot(NOISE)
        run.until(lambda: bool(run.notices))
    assert run.outputs.trouble == "no snapshot: the disk is full"
    assert [path.name for path in small_disk.iterdir()] == ["full"]


def test_snapshots_within_a_second_get_separate_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run()
    with run.outputs:
        for _ in range(4):
            run.outputs.snapshot(NOISE)
    assert len(list(tmp_path.glob("live-cam-*.png"))) == 4
    assert run.notices == []


@pytest.fixture
def responding(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Whether disks respond; until they do, they accept no byte."""
    event = threading.Event()
    event.set()

    class Disk(io.FileIO):
        def write(self, data: Any) -> int:
            event.wait(60)
            return super().write(data)

    monkeypatch.setattr(io, "FileIO", Disk)
    monkeypatch.setattr(recorder, "_QUEUE_IMAGES", (4, 4))
    monkeypatch.setattr(recorder, "_CLOSING_PATIENCE", 0.2)
    monkeypatch.setattr(outputs, "_STALLED_AFTER", 0.1)
    monkeypatch.setattr(outputs, "_CLOSING_PATIENCE", 0.2)
    yield event
    event.set()


def test_a_disk_that_does_not_respond_blocks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, responding: threading.Event
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "out.mp4"
    run = Run(record=path)
    with run.outputs:
        run.until(lambda: path.stat().st_size > 0)
        responding.clear()
        run.until(lambda: bool(run.notices))  # no step blocks, so this ends
        assert run.notices == [
            f"{path}: the disk is not responding; images are dropped until it does."
        ]
        assert "the disk is not responding" in (run.outputs.trouble or "")
        assert run.outputs.busy, "the queue holds four images"

        run.wanted = False
        run.step()
        assert run.outputs.seconds is None, "the image shows immediately that r ended the recording"
        run.wanted = True
        for _ in range(5):
            run.step()
        assert run.outputs.seconds is None, "and no new one starts on this disk"

        responding.set()
        run.until(lambda: run.outputs.seconds is not None)
        run.wanted = False

    assert run.notices[1].startswith(f"recorded {path}: ")
    assert "dropped: the encoder or the disk was too slow" in run.notices[1]
    assert len(read_video(path)) > 5
    assert run.notices[2:] == [f"nothing was recorded to {tmp_path / 'out-2.mp4'}"]


@pytest.mark.parametrize("headless", [False, True])
def test_closing_does_not_wait_for_a_disk_that_does_not_respond(
    tmp_path: Path, responding: threading.Event, headless: bool
) -> None:
    run = Run(record=tmp_path / "out.mp4", predictions=tmp_path / "p.jsonl", headless=headless)
    try:
        with run.outputs:
            run.outputs.log(tiger_cat(1), (1, 2))
            run.until(lambda: (run.outputs.seconds or 0) > 1)
            responding.clear()
            run.until(lambda: run.outputs.trouble is not None)
    except RecordingError as error:
        run.notices.append(str(error))
        assert headless
    assert run.notices[-1].startswith(
        f"cannot finish {tmp_path / 'out.mp4'}: the disk or the encoder"
    )
    assert len(read_what_plays(tmp_path / "out.mp4")) > 5
    assert len(read_log(tmp_path / "p.jsonl")) == 1


def test_a_disk_error_does_not_hide_an_earlier_error(small_disk: Path) -> None:
    run = Run(record=small_disk / "out.mp4", headless=True)
    fill(small_disk, 0)
    with pytest.raises(KeyError, match="the first"), run.outputs:  # noqa: PT012
        run.step()
        raise KeyError("the first")
    assert len(run.notices) == 1
    assert "the disk is full" in run.notices[0]
