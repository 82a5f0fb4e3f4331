"""Runs the whole program as a user does, most often in a process of its own."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
from numpy.typing import NDArray

from live_cam.cli import exit_code

TIME_LIMIT = 240


def environment(**changes: str) -> dict[str, str]:
    """The environment without a display or a GPU, so that no test depends on the developer's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY")
    }
    return kept | {"CUDA_VISIBLE_DEVICES": ""} | changes


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "live_cam", *map(str, arguments)]


def live_cam(
    *arguments: str | Path, cwd: Path | None = None, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run `live-cam ARGUMENTS` to its end."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
        cwd=cwd,
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
    )


def called(
    *arguments: object, cwd: Path | None = None, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Call the command line in this process: for what says the same there, and starts at once."""
    words = ["live-cam", *map(str, arguments)]
    output, errors = io.StringIO(), io.StringIO()
    before = Path.cwd()
    os.chdir(cwd or before)
    try:
        with (
            mock.patch.object(sys, "argv", words),
            mock.patch.object(logging.getLogger("live_cam"), "handlers", []),
            mock.patch.dict(os.environ, environment(**changes), clear=True),
            redirect_stdout(output),
            redirect_stderr(errors),
        ):
            code = exit_code(threading.Event())
    finally:
        os.chdir(before)
    return subprocess.CompletedProcess(words, code, output.getvalue(), errors.getvalue())


def read_log(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_video(
    path: Path, images: list[NDArray[np.uint8]], timestamps: list[float] | None = None
) -> Path:
    """Write images without visible loss; at 10 per second, or each at its own time in seconds."""
    height, width = images[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        stream.options = {"crf": "4", "preset": "ultrafast"}
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = round(1000 * (timestamps[index] if timestamps else index / 10))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _images(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield float(frame.time or 0), frame.to_ndarray(format="bgr24")


def read_video(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    """Every image (BGR) of a video with its time in seconds."""
    return list(_images(path))


def read_what_plays(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    """The same of a video that was cut off in writing: up to there, as players play it."""
    images: list[tuple[float, NDArray[np.uint8]]] = []
    with suppress(av.error.InvalidDataError):
        images.extend(_images(path))  # which keeps what came before the error
    return images
