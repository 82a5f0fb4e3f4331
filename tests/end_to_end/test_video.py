"""`live-cam video` as a user runs it: exit codes, messages, signals and files."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from live_cam.runtime.opencv import cv2
from tests.support import tiny
from tests.support.clips import frames, shade, sound, times, write_clip
from tests.support.networks import COLOURS, randomised
from tests.support.program import (
    TIME_LIMIT,
    called,
    command,
    environment,
    live_cam,
    read_what_plays,
)
from tests.support.tiny_program import NETWORK, injected

MODEL = ("--model", "efficientnet_lite0")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture
def clip(tmp_path: Path, photos: dict[str, NDArray[np.uint8]]) -> Path:
    small = [cv2.resize(photos[name], (300, 200)) for name in ("coffee", "motorcycle_left")]
    images = [np.asarray(image, np.uint8) for image in small for _ in range(6)]
    return write_clip(tmp_path / "clip.mp4", images, sound=["aac"])


def test_a_video_is_explained_with_its_timestamps_and_sound(clip: Path) -> None:
    done = live_cam("video", "clip.mp4", "out.mkv", *MODEL, "--no-bars", cwd=clip.parent)

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert re.fullmatch(
        r"out\.mkv: 12 frames, 0\.5 s; explained \d+\.\d frames per second\.\n", done.stderr
    ), "no progress bar without a terminal"
    target = clip.with_name("out.mkv")
    assert times(target) == times(clip)
    assert [p.data for p in sound(target)] == [p.data for p in sound(clip)]
    for (_, before), (_, after) in zip(frames(clip), frames(target), strict=True):
        changed = np.abs(before.astype(int) - after).mean(axis=(0, 1))
        assert changed.max() > 10, "each frame has a heatmap"


def test_each_frame_is_labelled_with_its_own_colour(tmp_path: Path, colour_weights: Path) -> None:
    names = ["red", "blue", "green", "green", "red", "blue"]
    images = []
    for name in names:
        image = np.full((240, 320, 3), 128, np.uint8)
        image[100:200, 150:300] = COLOURS[name]
        images.append(image)
    write_clip(tmp_path / "clip.mkv", images)
    options = ("--weights", colour_weights, "--no-bars", "--batch", "4")

    done = live_cam("video", "clip.mkv", "out.mp4", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    found = [image for _, image in frames(tmp_path / "out.mp4")]
    assert len(found) == len(names)
    # Frames of one colour have the same label card, different from the other colours'.
    cards = [image[:60, :190].astype(float) for image in found]
    for first, one in zip(names, cards, strict=True):
        for second, other in zip(names, cards, strict=True):
            assert (np.abs(one - other).mean() < 2) == (first == second)
    for image, before in zip(found, images, strict=True):
        heat = image.astype(float) - 0.55 * before
        patch, corner = heat[150, 225], heat[200, 60]
        assert patch[2] > patch[0] + 40, "the patch is hot"
        assert corner[0] > corner[2] + 40, "the rest is cold"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["clip.mp4", "clip.mp4"], ["is the input video itself"]),
        (["clip.mp4", "old.mp4"], ["old.mp4", "already exists", "--overwrite"]),
        (["text.mp4", "out.mp4"], ["text.mp4 is not a video"]),
        (["clip.mp4", "out.mp4", "--start", "soon"], ["'soon'", "[HH:]MM:SS"]),
        (["clip.mp4", "out.mp4", "--class", "cat"], ["'cat'", "Egyptian cat"]),
    ],
    ids=" ".join,
)
def test_wrong_usage_gets_one_sentence_and_writes_nothing(
    clip: Path, arguments: list[str], parts: list[str]
) -> None:
    folder = clip.parent
    (folder / "old.mp4").write_text("precious")
    (folder / "text.mp4").write_text("This is not a video.\n" * 20)
    done = called("video", *arguments, *MODEL, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["clip.mp4", "old.mp4", "text.mp4"]
    assert (folder / "old.mp4").read_text() == "precious"


def test_a_truncated_video_is_explained_up_to_its_end_with_exit_code_1(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mkv", [shade(number) for number in range(75)])
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])

    done = live_cam("video", "clip.mkv", "out.mp4", *MODEL, cwd=tmp_path)

    assert done.returncode == 1, done.stderr
    written, message = done.stderr.splitlines()
    assert re.match(r"out\.mp4: \d\d frames", written)
    assert re.match(
        r"live-cam: clip\.mkv stops after 1\.\d of 3\.0 seconds: it is cut off", message
    )
    assert times(tmp_path / "out.mp4") == times(source)


@pytest.fixture
def long_clip(tmp_path: Path) -> Path:
    """A clip too long for even the tiny network to finish before it is stopped, and its weights."""
    torch.save(randomised(tiny.tiny()).state_dict(), tmp_path / "tiny.pth")
    images = [shade(number // 25, 64, 48) for number in range(4000)]
    return write_clip(tmp_path / "long.mkv", images, sound=["aac"], codec="mpeg4")


def _written(path: Path) -> int:
    """Return the number of frames in a file that is still being written."""
    with contextlib.suppress(OSError, av.FFmpegError, IndexError), av.open(str(path)) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))
    return 0


def _begin(source: Path, target: str) -> subprocess.Popen[str]:
    """Start the program and wait until more than a second of the video is on the disk."""
    process = subprocess.Popen(
        injected("nothing", "video", source.name, target, *NETWORK),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=source.parent,
    )
    limit = time.monotonic() + TIME_LIMIT
    while _written(source.with_name(target)) < 40:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.05)
    return process


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_complete_video_of_the_frames_so_far(
    long_clip: Path, number: signal.Signals
) -> None:
    process = _begin(long_clip, "out.mp4")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    stopped, written = errors.splitlines()
    assert stopped == "Stopped before the end."
    found = times(long_clip.with_name("out.mp4"))
    assert written.startswith(f"out.mp4: {len(found)} frames")
    assert 25 <= len(found) < 4000
    assert found == times(long_clip)[: len(found)]
    last = sound(long_clip.with_name("out.mp4"))[-1].time
    assert last == pytest.approx(found[-1], abs=0.1)


@needs_signals
@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
def test_after_a_kill_the_video_so_far_plays(long_clip: Path, target: str) -> None:
    process = _begin(long_clip, target)
    process.kill()
    process.communicate(timeout=60)

    assert process.returncode == -signal.SIGKILL
    found = [time for time, _ in read_what_plays(long_clip.with_name(target))]
    assert len(found) >= 25
    expected = [float(time) for time in times(long_clip)[: len(found)]]
    assert found == pytest.approx(expected, abs=0.001)
    assert sound(long_clip.with_name(target))[-1].time > found[-1] - 1


def _on_a_terminal(
    folder: Path, program: list[str]
) -> tuple[subprocess.Popen[bytes], Iterator[str]]:
    """Start a program on a terminal; return it and, after each write, its output so far."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(program, stderr=theirs, env=environment(TERM="xterm"), cwd=folder)
    os.close(theirs)

    def shown() -> Iterator[str]:
        data = b""
        with contextlib.suppress(OSError):  # raised on Linux when the other end is closed
            while more := os.read(ours, 4096):
                data += more
                yield data.decode(errors="replace")
        os.close(ours)

    return process, shown()


@needs_signals
def test_on_a_terminal_a_bar_shows_progress_and_speed(clip: Path) -> None:
    process, shown = _on_a_terminal(
        clip.parent, command("video", "clip.mp4", "out.mp4", *MODEL, "--batch", "3")
    )
    *_, text = shown
    assert process.wait(TIME_LIMIT) == 0
    assert re.search(r"\[#+-+\] +\d+%.*6 frames, \d+\.\d per second", text)
    assert "100%" in text
    assert text.rstrip().splitlines()[-1].startswith("out.mp4: 12 frames")


@needs_signals
def test_on_a_terminal_a_bar_shows_the_time_left(long_clip: Path) -> None:
    process, shown = _on_a_terminal(
        long_clip.parent, injected("nothing", "video", long_clip.name, "out.mp4", *NETWORK)
    )
    stopped = False
    for text in shown:
        if not stopped and re.search(r"\[#*-+\] +\d+% +\d\d:\d\d:\d\d", text):
            process.send_signal(signal.SIGINT)
            stopped = True
    assert process.wait(TIME_LIMIT) == 0
    assert stopped, text
    assert "Stopped before the end." in text
