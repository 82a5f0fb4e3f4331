"""The part of `check_camera.py` that runs in the virtual machine, next to the camera.

usage: camera_guest.py measure SECONDS | busy | quit SECONDS [window] | damaged
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_OUT: Final = Path(os.environ["OUT"])
_LOG: Final = _OUT / "p.jsonl"
_PROGRAM: Final = (
    *(sys.executable, "-m", "live_cam", "run", "--source", "0"),
    *("--model", "efficientnet_lite0", "--engine", "hook", "--overwrite"),
    *("--predictions", str(_LOG)),
)
_DISPLAY: Final = ":7"
_PATIENCE: Final = 100.0


def command_camera(word: str) -> None:
    """Send a word to the harness."""
    Path("/run/webcam").write_text(f"{word}\n", encoding="ascii")


def wait(reached: Callable[[], object]) -> None:
    """Wait until a condition holds, with patience for a slow machine."""
    end = time.monotonic() + _PATIENCE
    while not reached():
        if time.monotonic() > end:
            sys.exit(f"nothing happened for {_PATIENCE:g} s")
        time.sleep(0.1)


def explained() -> bool:
    """Whether the program has explained an image."""
    return _LOG.exists() and _LOG.stat().st_size > 0


def measure(seconds: float) -> None:
    """Read the camera without a network, and print the measurements as JSON."""
    from live_cam.capture import open_source

    began = time.monotonic()
    with open_source("0") as source:
        first = source.read()
        opened = time.monotonic() - began
        assert first is not None
        times = [first.timestamp]
        while times[-1] - times[0] < seconds:
            frame = source.read()
            if frame is None:
                break
            times.append(frame.timestamp)
        seen = {
            "description": source.description,
            "rate": (len(times) - 1) / (times[-1] - times[0]),
            "longest": max(after - before for before, after in itertools.pairwise(times)),
            "opened": opened,
            "shape": first.image.shape,
        }
    print(json.dumps(seen))


def busy() -> int:
    """Run the program while another process uses the camera."""
    from live_cam.capture import open_source

    with open_source("0") as source:
        source.read()
        return subprocess.run([*_PROGRAM, "--headless"], check=False).returncode


def quit_frozen(seconds: float, window: bool) -> int:
    """Quit the program, and again while its camera is frozen; print both times as JSON.

    Args:
        seconds: How long the camera is frozen before.
        window: Whether to press q in a window instead of Ctrl-C.
    """
    screen = None
    if window:
        screen = subprocess.Popen(["Xvfb", _DISPLAY, "-screen", "0", "1024x768x24"])
        time.sleep(2)
    codes, plain = _quit(0.0, window)
    more, frozen = _quit(seconds, window)
    print(json.dumps({"plain": plain, "frozen": frozen}), flush=True)
    command_camera("thaw")
    if screen is not None:
        screen.kill()
    return codes or more


def _quit(freeze: float, window: bool) -> tuple[int, float]:
    """Run the program, quit it, and return its exit code and the seconds until its end."""
    environment = os.environ | {"DISPLAY": _DISPLAY}
    _LOG.unlink(missing_ok=True)
    program = subprocess.Popen([*_PROGRAM, *([] if window else ["--headless"])], env=environment)
    wait(explained)
    if freeze:
        command_camera("freeze")
    time.sleep(freeze)
    if not window:
        began = time.monotonic()
        program.send_signal(signal.SIGINT)
        return program.wait(), time.monotonic() - began
    shown = _OUT / f"frozen-{freeze:g}.png"
    subprocess.run(["import", "-window", "root", str(shown)], env=environment, check=True)
    key = ["xdotool", "search", "--name", "^live-cam$", "windowfocus", "--sync", "key", "q"]
    began = time.monotonic()
    subprocess.run(key, env=environment, check=True)
    return program.wait(), time.monotonic() - began


def damaged() -> int:
    """Run the program on a camera whose every second image arrives cut off."""
    from live_cam.runtime.opencv import cv2

    photo = cv2.imread(os.environ["PHOTO"])
    if photo is None:
        sys.exit("the photo cannot be read")
    frame = _OUT / "frame"

    def show(number: int) -> None:
        moved = cv2.resize(photo, (640, 480))[:, number % 64 :]
        jpeg = cv2.imencode(".jpg", cv2.resize(moved, (640, 480)))[1].tobytes()
        fresh = frame.with_suffix(".new")
        fresh.write_bytes(jpeg[: len(jpeg) // 2] if number % 2 else jpeg)
        fresh.replace(frame)

    show(0)
    command_camera("unplug")
    wait(lambda: not Path("/dev/video0").exists())
    command_camera(f"eval camera[2]={frame}")
    command_camera("plug")
    wait(Path("/dev/video0").exists)
    program = subprocess.Popen([*_PROGRAM, "--headless", "--seconds", "15"])
    number = 0
    while program.poll() is None:
        number += 1
        show(number)
        time.sleep(0.05)
    return program.returncode


def main() -> int:
    """Run the task of the command line and return the exit code."""
    task, *rest = sys.argv[1:]
    if task == "measure":
        measure(float(rest[0]))
        return 0
    if task == "busy":
        return busy()
    if task == "damaged":
        return damaged()
    return quit_frozen(float(rest[0]), window="window" in rest)


if __name__ == "__main__":
    sys.exit(main())
