"""Checks the program on a real V4L2 camera, in the virtual machine of a webcam harness.

Run it with the project's Python; it takes some minutes. The harness is a command
`run [--feed FILE] [--size WxH] [--format yuyv|mjpeg] … -- COMMAND` that gives COMMAND a camera at
/dev/video0, obeys words (`unplug`, `plug`, `freeze`, `thaw`) written to /run/webcam, and keeps
the files in $OUT. To reconnect a different camera, an undocumented word of the harness sets, in its
shell, the device of the next `plug`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
from camera_verdicts import (
    CheckError,
    Result,
    captures,
    continues_after_a_gap,
    ends_promptly,
    fails_with,
    names_the_cat,
    out,
    warns,
)

from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROOT: Final = Path(__file__).resolve().parent.parent
_HARNESS: Final = _ROOT.parent / "shared" / "webcam" / "run"
_FORMATS: Final = {"yuyv": "YUYV", "mjpeg": "MJPG"}
_SIZES: Final = ("640x480", "1280x720")
_TIME_LIMIT: Final = 400
_PATIENCE: Final = 10  # seconds for which the program tries to reconnect


@dataclass(frozen=True)
class Check:
    """A command, the fate of its camera, and the required result."""

    name: str
    command: list[str]
    judge: Callable[[Result], str]
    """Returns the measurements as text, or raises `CheckError`."""
    harness: tuple[str, ...] = ()
    words: tuple[tuple[float, str], ...] = ()
    """Seconds to wait and a word for the harness, from the first explanation on."""
    stop_after: float | None = None
    """Seconds after the last word at which the command is stopped, or None if it ends alone."""


# ---- commands in the virtual machine ---------------------------------------------------------


def _guest(*task: str) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("camera_guest.py")), *task]


def _program(*options: str) -> list[str]:
    given = "run --source 0 --model efficientnet_lite0 --engine hook --headless --overwrite"
    files = ["--predictions", str(out("p.jsonl"))]
    return [sys.executable, "-m", "live_cam", *given.split(), *files, *options]


# ---- the checks ------------------------------------------------------------------------------


def _formats(moving: Path) -> Iterator[Check]:
    """Check each format and size, without a network and with one."""
    for option, pixels in _FORMATS.items():
        for size in _SIZES:
            camera = ("--feed", str(moving), "--format", option, "--size", size)
            name = f"{option} {size}"
            yield Check(f"{name}: capture", _guest("measure", "6"), captures(pixels, size), camera)
            yield Check(f"{name}: program", _program(), names_the_cat, camera, stop_after=15)


def _losses(moving: Path) -> Iterator[Check]:
    """Check cameras that are lost, for a while or for good."""
    camera = ("--feed", str(moving), "--format", "mjpeg")
    reconnects = continues_after_a_gap("Lost camera 0", "Reconnected to camera 0")
    small = f"eval camera[2]={out('small.jpg')} camera[4]=320x240"
    back = {
        "unplugged, plugged in again": (reconnects, ((3, "unplug"), (4, "plug"))),
        "comes back in another size": (
            continues_after_a_gap("Reconnected to camera 0", "320×240 MJPG", still=True),
            ((3, "unplug"), (1, small), (3, "plug")),
        ),
        "frozen for a moment": (continues_after_a_gap(), ((3, "freeze"), (4, "thaw"))),
        "frozen, thawed": (reconnects, ((3, "freeze"), (12, "thaw"))),
        "frozen, unplugged, plugged in": (reconnects, ((3, "freeze"), (9, "unplug"), (3, "plug"))),
    }
    for name, (judge, words) in back.items():
        recorded = _program("--record", str(out("r.mp4")))
        yield Check(name, recorded, judge, camera, words, stop_after=15)
    short = _program("--reconnect-seconds", str(_PATIENCE))
    away = ("camera 0 was lost", f"did not come back within {_PATIENCE} s")
    gone = fails_with(*away, "check its cable")
    held = fails_with(*away, "camera 0 does not respond")
    never = _program("--reconnect-seconds", "0")
    immediately = fails_with("camera 0 was lost; check its cable")
    yield Check("unplugged for good", short, gone, camera, ((3, "unplug"),))
    yield Check("unplugged, no reconnecting", never, immediately, camera, ((3, "unplug"),))
    yield Check("frozen for good", short, held, camera, ((3, "freeze"),))


def _troubles(moving: Path, photo: Path) -> Iterator[Check]:
    """Check cameras that cannot be opened, or that send useless images."""
    camera = ("--feed", str(moving), "--format", "mjpeg")
    yield Check(
        "not plugged in", _program(), fails_with("There is no camera 0"), ("--unplug-after", "0")
    )
    yield Check("in use", _guest("busy"), fails_with("camera 0", "is in use"), camera)
    denied = "chmod 0 /dev/video0; exec setpriv --inh-caps=-all --bounding-set=-dac_override"
    yield Check(
        "denied",
        ["bash", "-c", f"{denied},-dac_read_search {shlex.join(_program())}"],
        fails_with("no permission to use", "usermod -aG video"),
        camera,
    )
    yield Check(
        "always the same image",
        _program(),
        warns("exactly the same image"),
        still(photo),
        stop_after=8,
    )
    yield Check(
        "black images",
        _program(),
        warns("only black images"),
        still(out("b.png")),
        stop_after=8,
    )
    yield Check("cut off images", _guest("damaged"), warns("arrive damaged"), camera)


def still(saved: Path) -> tuple[str, ...]:
    """Return the harness's options for a camera that always sends the identical image."""
    return ("--feed", str(saved), "--format", "yuyv")


def _ends(moving: Path) -> Iterator[Check]:
    """Check the end of the process while its camera is frozen or being reconnected."""
    camera = ("--feed", str(moving), "--format", "mjpeg")
    yield Check("Ctrl-C while frozen", _guest("quit", "2"), ends_promptly, camera)
    yield Check("q while frozen", _guest("quit", "2", "window"), ends_promptly, camera)
    yield Check("q while reconnecting", _guest("quit", "9", "window"), ends_promptly, camera)


def prepare(photo: Path) -> Path:
    """Write the other images of the cameras; return a video that pans over the photo."""
    image = cv2.imread(str(photo))
    assert image is not None
    wide = cv2.resize(image, (704, 480), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(out("b.png")), 0 * wide)
    cv2.imwrite(str(out("small.jpg")), cv2.resize(wide, (320, 240)))
    moving = out("moving.mp4")
    with av.open(str(moving), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for step in (*range(60), *range(60, 0, -1)):
            view = wide[:, step : step + 640].copy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="bgr24")))
        container.mux(stream.encode(None))
    return moving


# ---- running it ------------------------------------------------------------------------------


def run(check: Check, harness: Path) -> Result:
    """Run one check's command in the virtual machine."""
    steps = [f"sleep {wait}; echo {shlex.quote(word)} >/run/webcam" for wait, word in check.words]
    if check.stop_after is not None:
        steps.append(f"sleep {check.stop_after}; kill $$")
    log = out("p.jsonl")
    until = f"until [ -s {shlex.quote(str(log))} ]; do sleep 0.2; done"
    script = f"({'; '.join([until, *steps])}) & " if steps else ""
    for old in (log, out("r.mp4")):
        old.unlink(missing_ok=True)
    done = subprocess.run(
        [
            *(str(harness), "--time-limit", str(_TIME_LIMIT), *check.harness),
            *("--", "bash", "-c", f"{script}exec {shlex.join(check.command)}"),
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return Result(done.returncode, done.stdout, done.stderr, [json.loads(line) for line in lines])


def main() -> int:
    """Run the checks and return the exit code, 0 if all pass."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--harness", type=Path, default=_HARNESS, help="default: %(default)s")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="run the checks whose names contain it"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep screenshots there")
    options = parser.parse_args()
    harness = options.harness.resolve()
    if not os.access(harness, os.X_OK):
        print(
            f"There is no webcam harness at {harness}; give the path of its command with "
            "--harness.",
            file=sys.stderr,
        )
        return 2
    skimage = importlib.util.find_spec("skimage")
    if skimage is None or skimage.origin is None:
        print("scikit-image, the source of the photo, is missing; install live-cam[demo].")
        return 2
    photo = Path(skimage.origin).parent / "data" / "chelsea.png"
    failed = 0
    with tempfile.TemporaryDirectory() as out:
        os.environ |= {"OUT": out, "PHOTO": str(photo)}
        moving = prepare(photo)
        checks = (_formats(moving), _losses(moving), _troubles(moving, photo), _ends(moving))
        for check in chain(*checks):
            if options.only in check.name:
                failed += not passes(check, harness)
        for saved in Path(out).glob("*.png") if options.keep else ():
            shutil.copy(saved, options.keep)
    return 1 if failed else 0


def passes(check: Check, harness: Path) -> bool:
    """Run a check, print its verdict, and return whether it passed."""
    start = time.monotonic()
    result = run(check, harness)
    try:
        verdict = f"ok    {check.name}: {check.judge(result)}"
    except (CheckError, IndexError, ValueError) as error:
        verdict = f"FAIL  {check.name}: {error}\n{result.stdout}{result.stderr}"
    print(f"{verdict} [{time.monotonic() - start:.0f} s]", flush=True)
    return verdict.startswith("ok")


if __name__ == "__main__":
    sys.exit(main())
