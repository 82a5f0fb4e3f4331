"""Failing disks and closed terminals, in the whole program: messages and playable files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from live_cam.cli.signals import stopped_by_signals
from tests.support.clips import times, write_clip
from tests.support.disks import fill
from tests.support.program import (
    TIME_LIMIT,
    command,
    environment,
    live_cam,
    read_log,
    read_video,
    read_what_plays,
)
from tests.support.session import desktop, needs_a_desktop

MODEL = ("--model", "efficientnet_lite0")
LIVE = (*MODEL, "--engine", "hook")
FULL = (
    r"cannot continue writing (\S+) \(the first (\d+\.\d) s play\): the disk is full; "
    r"free some space or choose another disk\."
)


def check_what_plays(path: Path, seconds: str) -> None:
    """Check that a video plays for the promised seconds, which were rounded to 0.1."""
    assert read_video(path)
    with av.open(str(path)) as container:
        ends = [
            float((packet.pts + (packet.duration or 0)) * packet.time_base)
            for packet in container.demux(video=0)
            if packet.pts is not None
        ]
    assert max(ends) + 0.05 >= float(seconds) > 0


def test_without_a_window_a_full_disk_ends_the_run(small_disk: Path, tmp_path: Path) -> None:
    fill(small_disk, 160_000)
    done = live_cam(
        *("run", "--source", "demo", "--headless", *LIVE),
        *("--record", small_disk / "out.mp4", "--predictions", tmp_path / "p.jsonl"),
    )
    assert done.returncode == 1, done.stderr
    message = re.fullmatch(f"live-cam: {FULL}", done.stderr.splitlines()[-1])
    assert message, done.stderr
    assert done.stderr.count("the disk is full") == 1
    check_what_plays(small_disk / "out.mp4", message[2])
    if (tmp_path / "p.jsonl").exists():
        assert read_log(tmp_path / "p.jsonl")


@needs_a_desktop
def test_with_a_window_the_run_continues_without_the_recording(
    small_disk: Path, tmp_path: Path
) -> None:
    fill(small_disk, 160_000)
    first, second = small_disk / "out.mp4", small_disk / "out-2.mp4"
    rejected = f"cannot write {second}: the disk is full"
    with desktop(tmp_path, "--source", "demo", *LIVE, "--record", first) as session:
        session.wait(lambda: re.search(FULL, session.messages()) is not None)
        before = session.explained()
        session.wait(lambda: session.explained() > before + 3)
        session.snapshot()
        fill(small_disk, 0)  # the first recording left room, which a short one might fit into
        session.press("r")  # a second recording on the same full disk
        session.wait(lambda: rejected in session.messages())
        before = session.explained()
        session.wait(lambda: session.explained() > before + 3)
        errors = session.end("q")

    assert session.process.returncode == 0, errors
    assert "Traceback" not in errors
    messages = re.findall(FULL, errors)
    assert [path for path, _ in messages] == [str(first)], errors
    check_what_plays(first, messages[0][1])
    assert rejected in errors
    assert sorted(path.name for path in small_disk.glob("*.mp4")) == ["out.mp4"], (
        "no trace of the second recording"
    )


def test_a_video_on_a_full_disk_plays_and_the_exit_code_is_1(
    small_disk: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    large = noise.repeat(10, 0).repeat(10, 1)
    clip = write_clip(tmp_path / "clip.mkv", [np.roll(large, 10 * n, 1) for n in range(100)])
    fill(small_disk, 120_000)

    done = live_cam("video", clip, small_disk / "out.mp4", *MODEL)

    assert done.returncode == 1, done.stderr
    message = re.fullmatch(f"live-cam: {FULL}\n", done.stderr)
    assert message, done.stderr
    found = times(small_disk / "out.mp4")
    assert found == times(clip)[: len(found)]
    check_what_plays(small_disk / "out.mp4", message[2])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_closing_the_terminal_ends_the_run_with_a_complete_recording(tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    path = tmp_path / "out.mp4"
    process = subprocess.Popen(
        command("run", "--source", "demo", "--headless", *LIVE, "--record", path),
        stderr=theirs,
        stdout=theirs,
        env=environment(),
    )
    os.close(theirs)
    limit = time.monotonic() + TIME_LIMIT
    while not path.exists() or len(read_what_plays(path)) <= 5:
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.05)
    os.close(ours)  # from now on it cannot write messages
    process.send_signal(signal.SIGHUP)  # from the shell
    process.send_signal(signal.SIGHUP)  # and from the system

    assert process.wait(TIME_LIMIT) == 0
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == len(read_video(path)) > 5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_under_nohup_closing_the_terminal_does_not_end_the_run() -> None:
    stopped: list[bool] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_by_signals(lambda: stopped.append(True)):
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert stopped == []
