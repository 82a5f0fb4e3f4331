"""What `check_camera.py` runs beside the camera, in the virtual machine; not for use by itself.

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


def tell(word: str) -> None:
    """Steer the camera."""
    Path("/run/webcam").write_text(f"{word}\n", encoding="ascii")


def wait(reached: Callable[[], object]) -> None:
    """Wait until something is so, for as long as a slow machine may need."""
    end = time.monotonic() + _PATIENCE
    while not reached():
        if time.monotonic() > end:
            sys.exit("waited in vain")
        time.sleep(0.1)


def explained() -> bool:
    """Whether the program has explained a picture."""
    return _LOG.exists() and _LOG.stat().st_size > 0


def measure(seconds: float) -> None:
    """Read the camera, without a network, and print what came as JSON."""
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
    """Run the program while another program has the camera."""
    from live_cam.capture import open_source

    with open_source("0") as source:
        source.read()
        return subprocess.run([*_PROGRAM, "--headless"], check=False).returncode


def quit_frozen(seconds: float, window: bool) -> int:
    """Freeze the camera, press q (or Ctrl-C) after so many seconds, and print how long it took."""
    environment = os.environ | {"DISPLAY": _DISPLAY}
    screen = None
    if window:
        screen = subprocess.Popen(["Xvfb", _DISPLAY, "-screen", "0", "1024x768x24"])
        time.sleep(2)
    program = subprocess.Popen([*_PROGRAM, *([] if window else ["--headless"])], env=environment)
    wait(explained)
    tell("freeze")
    time.sleep(seconds)
    if window:
        shown = _OUT / f"frozen-{seconds:g}.png"
        subprocess.run(["import", "-window", "root", str(shown)], env=environment, check=True)
        key = ["xdotool", "search", "--name", "^live-cam$", "windowfocus", "--sync", "key", "q"]
    began = time.monotonic()
    if window:
        subprocess.run(key, env=environment, check=True)
    else:
        program.send_signal(signal.SIGINT)
    code = program.wait()
    print(json.dumps({"ended_after": time.monotonic() - began}), flush=True)
    tell("thaw")
    if screen is not None:
        screen.kill()
    return code


def damaged() -> int:
    """Run the program on a camera of which every second picture is cut off on its way."""
    from live_cam.opencv import cv2

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
    tell("unplug")
    wait(lambda: not Path("/dev/video0").exists())
    tell(f"eval camera[2]={frame}")
    tell("plug")
    wait(Path("/dev/video0").exists)
    program = subprocess.Popen([*_PROGRAM, "--headless", "--seconds", "15"])
    number = 0
    while program.poll() is None:
        number += 1
        show(number)
        time.sleep(0.05)
    return program.returncode


def main() -> int:
    """Do what the command line says, and return the exit code."""
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
