"""A lost and reconnected source, in the whole program: messages, log and recording."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.support.media import GREEN, marked
from tests.support.program import TIME_LIMIT, command, environment, live_cam, read_log, read_video
from tests.support.server import Server
from tests.support.session import desktop, needs_a_desktop

SECRETS = (b"s3cr3t-w0rd", b"t0k3n-0f-mine", b"n0b0dy-kn0ws")
NETWORK = ("--model", "efficientnet_lite0", "--engine", "hook")


class _Moving(Server):
    """A server whose image moves, so that each frame is explained.

    Attributes:
        size: Width and height in pixels.
    """

    size = 320, 240

    def _part(self) -> bytes:
        self.image = np.roll(marked(GREEN, *self.size), 4 * self.sent, axis=1)
        return super()._part()


@pytest.fixture
def server() -> Iterator[_Moving]:
    with _Moving() as running:
        yield running


def _url(server: Server) -> str:
    return f"http://n0b0dy-kn0ws:s3cr3t-w0rd@{server.address}/video?key=t0k3n-0f-mine"


class _Run:
    """`live-cam run --headless` on a stream."""

    def __init__(self, folder: Path, server: Server, *arguments: str) -> None:
        self.folder = folder
        files = ("--record", "out.mp4", "--predictions", "p.jsonl")
        self.process = subprocess.Popen(
            command("run", "--headless", "--source", _url(server), *NETWORK, *files, *arguments),
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def explained(self) -> int:
        log = self.folder / "p.jsonl"
        return len(log.read_bytes().splitlines()) if log.exists() else 0

    def wait(self, reached: Callable[[], bool]) -> None:
        limit = time.monotonic() + TIME_LIMIT
        while not reached():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.05)

    def end(self) -> str:
        output, errors = self.process.communicate(timeout=TIME_LIMIT)
        written = output.encode() + errors.encode()
        for path in self.folder.iterdir():
            written += path.name.encode() + path.read_bytes()
        for secret in SECRETS:
            assert secret not in written
        assert "Traceback" not in errors
        return errors


def test_after_a_reconnection_with_another_size_the_same_files_continue(
    tmp_path: Path, server: _Moving
) -> None:
    server.login = "n0b0dy-kn0ws:s3cr3t-w0rd"
    run = _Run(tmp_path, server)
    run.wait(lambda: run.explained >= 3)
    server.stop()
    time.sleep(2)
    before = run.explained
    with _Moving(server.port) as again:
        again.login = "n0b0dy-kn0ws:s3cr3t-w0rd"
        again.size = 240, 320
        run.wait(lambda: run.explained >= before + 3)
        run.process.send_signal(signal.SIGTERM)
        errors = run.end()
    assert run.process.returncode == 0
    opened, lost, back = [line for line in errors.splitlines() if "http://***@" in line]
    assert opened.endswith("/video?…: 320×240 mjpeg")
    assert lost.startswith("Lost http://***@")
    assert lost.endswith("/video?…; reconnecting for up to 60 s.")
    assert back.startswith("Reconnected to http://***@")
    assert re.search(r"/video\?… after \d+\.\d s: 240×320 mjpeg\.$", back)

    lines = read_log(tmp_path / "p.jsonl")
    indices = [line["frame"] for line in lines]
    assert indices == sorted(set(indices))
    gaps = [after["timestamp"] - before["timestamp"] for before, after in pairwise(lines)]
    assert max(gaps) > 2

    images = read_video(tmp_path / "out.mp4")
    times = [at for at, _ in images]
    steps = [after - before for before, after in pairwise(times)]
    assert max(steps) > 2, "the recording lacks the gap"
    assert sum(step > 1.5 for step in steps) == 1
    gap = steps.index(max(steps))
    assert images[gap][1].shape == images[gap + 1][1].shape == (240, 320, 3)
    # The portrait images are fitted into the landscape video, with black on both sides.
    black = [(drawn[:, :60].max() < 20) for _, drawn in images]
    assert not any(black[: gap + 1])
    assert all(black[gap + 1 :])


def test_a_stream_that_stays_away_ends_the_run_and_the_recording_is_kept(
    tmp_path: Path, server: _Moving
) -> None:
    run = _Run(tmp_path, server, "--reconnect-seconds", "1.5")
    run.wait(lambda: run.explained >= 3)
    server.stop()
    errors = run.end()
    assert run.process.returncode == 1
    assert "did not come back within 1.5 s" in errors.splitlines()[-1]
    assert len(read_video(tmp_path / "out.mp4")) > 3


def test_without_reconnection_a_loss_ends_the_run(tmp_path: Path, server: Server) -> None:
    run = _Run(tmp_path, server, "--reconnect-seconds", "0")
    run.wait(lambda: run.explained >= 1)
    server.stop()
    errors = run.end()
    assert run.process.returncode == 1
    assert re.search(r"was lost: .*; check the server", errors.splitlines()[-1])
    assert "reconnecting" not in errors


def test_the_time_limit_holds_while_a_source_is_lost(tmp_path: Path, server: Server) -> None:
    run = _Run(tmp_path, server, "--seconds", "4")
    run.wait(lambda: server.sent > 5)
    server.stop()
    run.end()
    assert run.process.returncode == 0


@pytest.mark.parametrize("value", ["-1", "100000", "soon"])
def test_an_invalid_reconnection_time_is_wrong_usage(value: str) -> None:
    done = live_cam("run", "--source", "demo", "--headless", "--reconnect-seconds", value)
    assert done.returncode == 2
    assert "--reconnect-seconds" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_ctrl_c_works_while_a_server_does_not_respond(tmp_path: Path, server: Server) -> None:
    server.silent.set()
    run = _Run(tmp_path, server)
    run.wait(lambda: bool(server.authorizations))
    run.process.send_signal(signal.SIGINT)
    run.end()
    assert run.process.returncode == 0


@needs_a_desktop
def test_the_image_shows_that_its_source_is_lost_and_q_works(
    tmp_path: Path, server: _Moving
) -> None:
    server.size = 640, 480
    arguments = ("--source", _url(server), *NETWORK)
    with desktop(tmp_path, *arguments) as session:
        before = session.snapshot()
        server.stop()
        session.until(lambda drawn: _notice(drawn, before))
        with _Moving(server.port) as again:
            again.size = 640, 480
            session.until(lambda drawn: not _notice(drawn, before))
        session.until(lambda drawn: _notice(drawn, before))
        errors = session.end("q")
    assert session.process.returncode == 0
    assert "Traceback" not in errors
    for secret in SECRETS:
        assert secret.decode() not in errors


def _notice(drawn: np.ndarray, before: np.ndarray) -> bool:
    """Whether there is a text in the middle that was not there before."""
    height, width = before.shape[:2]
    middle = slice(height * 7 // 10, height * 8 // 10), slice(width // 3, width * 2 // 3)
    bright = (drawn[middle].min(axis=-1) > 200).sum() - (before[middle].min(axis=-1) > 200).sum()
    return bool(bright > 40)
