"""Checks the program on a real V4L2 camera, in the virtual machine of a webcam harness.

A person runs this, with the project's Python; it takes some minutes. The harness is a command
`run [--feed FILE] [--size WxH] [--format yuyv|mjpeg] … -- COMMAND` that gives COMMAND a camera at
/dev/video0, obeys words (`unplug`, `plug`, `freeze`, `thaw`) written to /run/webcam, and keeps
what is written to $OUT.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROOT: Final = Path(__file__).resolve().parent.parent
_HARNESS: Final = _ROOT.parent / "shared" / "webcam" / "run"
_FORMATS: Final = {"yuyv": "YUYV", "mjpeg": "MJPG"}
_SIZES: Final = ("640x480", "1280x720")
_CAPTURE_SECONDS: Final = 6.0
_TIME_LIMIT: Final = 150
_PAUSE: Final = 2.5  # a gap in the capture that only a lost camera makes, in seconds
_CATS: Final = ("tabby", "tiger cat", "Egyptian cat")


class CheckError(Exception):
    """What was seen is not what should be."""


@dataclass(frozen=True)
class Result:
    """How a command ended in the virtual machine."""

    code: int
    stdout: str
    stderr: str
    predictions: list[dict[str, Any]]


@dataclass(frozen=True)
class Check:
    """A command, what happens to its camera meanwhile, and what must come of it."""

    name: str
    command: list[str]
    judge: Callable[[Result], str]
    """Returns what was measured, or raises `CheckError`."""
    harness: tuple[str, ...] = ()
    words: str = ""
    """What the camera is told once the first picture is explained: seconds to wait and a word, …"""


def require(condition: bool, problem: str) -> None:
    """Raise what was seen unless it is right."""
    if not condition:
        raise CheckError(problem)


# ---- what runs in the virtual machine --------------------------------------------------------


def measure(seconds: float) -> None:
    """Read the camera, without a network, and print what came as JSON."""
    from live_cam.capture import open_source

    with open_source("0") as source:
        frames = [frame for frame in [source.read()] if frame]
        times = [frame.timestamp for frame in frames]
        while times[-1] - times[0] < seconds:
            frame = source.read()
            if frame is None:
                break
            times.append(frame.timestamp)
        seen = {
            "description": source.description,
            "rate": (len(times) - 1) / (times[-1] - times[0]),
            "shape": frames[0].image.shape,
        }
    print(json.dumps(seen))


def _measuring() -> list[str]:
    return [sys.executable, __file__, "--measure", str(_CAPTURE_SECONDS)]


def _program(seconds: float) -> list[str]:
    options = f"run --source 0 --model efficientnet_lite0 --headless --seconds {seconds}"
    log = str(Path(os.environ["OUT"]) / "p.jsonl")
    return [sys.executable, "-m", "live_cam", *options.split(), "--predictions", log, "--overwrite"]


# ---- what must come of it --------------------------------------------------------------------


def _captures(pixels: str, size: str) -> Callable[[Result], str]:
    def judge(result: Result) -> str:
        require(result.code == 0, f"ended with {result.code}")
        seen = json.loads(result.stdout.splitlines()[-1])
        wanted = f"{size.replace('x', '×')} {pixels} at 30 fps"
        width, height = map(int, size.split("x"))
        require(seen["description"] == wanted, f"{seen['description']} instead of {wanted}")
        require(seen["shape"] == [height, width, 3], f"pictures of shape {seen['shape']}")
        require(29 <= seen["rate"] <= 31, f"{seen['rate']:.1f} pictures per second")
        return f"{seen['rate']:.1f} pictures per second, {seen['description']}"

    return judge


def _names_the_cat(result: Result) -> str:
    require(result.code == 0, f"ended with {result.code}")
    require(bool(result.predictions), "nothing was explained")
    named = sum(line["label"] in _CATS for line in result.predictions)
    share = named / len(result.predictions)
    require(share > 0.9, f"only {share:.0%} of the explanations name a cat")
    first, last = result.predictions[0], result.predictions[-1]
    rate = (len(result.predictions) - 1) / (last["timestamp"] - first["timestamp"])
    return f"{last['label']} ({last['score']:.2f}), {rate:.1f} explanations per second"


def _goes_on_after_a_gap(result: Result) -> str:
    said = _names_the_cat(result)
    times = [line["timestamp"] for line in result.predictions]
    frames = [line["frame"] for line in result.predictions]
    gaps = [b - a for a, b in pairwise(times)]
    require(max(gaps) > _PAUSE, f"the camera was never away: the longest gap is {max(gaps):.1f} s")
    require(times[-1] - times[gaps.index(max(gaps)) + 1] > 1, "nothing came after the gap")
    require(frames == sorted(set(frames)), "the frames' indices do not go on counting")
    return f"a gap of {max(gaps):.1f} s; {said}"


def _says(*parts: str) -> Callable[[Result], str]:
    def judge(result: Result) -> str:
        # The harness has words of its own there, each after its name.
        lines = [line for line in result.stderr.splitlines() if not line.startswith("webcam:")]
        require(result.code == 1, f"ended with {result.code} instead of 1")
        require(bool(lines), "no reason was given")
        for part in parts:
            require(part in lines[-1], f"{part!r} is not in: {lines[-1]}")
        require("Traceback" not in result.stderr, "a traceback was shown")
        return lines[-1]

    return judge


def checks(feed: Path) -> Iterator[Check]:
    """Yield all checks; those without a network come first for each camera."""
    photo = ("--feed", str(feed))
    for given, pixels in _FORMATS.items():
        for size in _SIZES:
            camera = (*photo, "--format", given, "--size", size)
            name = f"{given} {size}"
            yield Check(f"{name}: capture", _measuring(), _captures(pixels, size), camera)
            yield Check(f"{name}: program", _program(25), _names_the_cat, camera)
    away = (*photo, "--format", "mjpeg")
    lost = _says("camera 0 was lost", "did not come back within 10 s")
    yield Check(
        "not plugged in", _program(25), _says("There is no camera 0"), ("--unplug-after", "0")
    )
    yield Check(
        "unplugged, plugged in again", _program(40), _goes_on_after_a_gap, away, "3 unplug 3 plug"
    )
    yield Check("unplugged for good", _program(90), lost, away, "3 unplug")
    yield Check("frozen, thawed", _program(40), _goes_on_after_a_gap, away, "3 freeze 5 thaw")
    # Thawed long after the end: a process can't leave the virtual machine's frozen camera before.
    yield Check("frozen for good", _program(90), lost, away, "3 freeze 30 thaw")


# ---- running it ------------------------------------------------------------------------------


def run(check: Check, harness: Path) -> Result:
    """Run one check's command in the virtual machine."""
    words = check.words.split()
    steps = [
        f"sleep {s}; echo {w} >/run/webcam" for s, w in zip(words[::2], words[1::2], strict=True)
    ]
    log = Path(os.environ["OUT"]) / "p.jsonl"
    until = f"until [ -s {shlex.quote(str(log))} ]; do sleep 0.2; done"
    script = f"({'; '.join([until, *steps])}) & " if steps else ""
    log.unlink(missing_ok=True)
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
    """Run the checks and return the exit code: 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--harness", type=Path, default=_HARNESS, help="default: %(default)s")
    parser.add_argument("--only", default="", metavar="TEXT", help="run the checks named like this")
    parser.add_argument("--measure", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return 0
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
        print("scikit-image, whose photo is shown, is missing; install live-cam[demo].")
        return 2
    failed = 0
    with tempfile.TemporaryDirectory() as out:
        os.environ["OUT"] = out
        for check in checks(Path(skimage.origin).parent / "data" / "chelsea.png"):
            if options.only not in check.name:
                continue
            start = time.monotonic()
            result = run(check, harness)
            try:
                verdict = f"ok    {check.name}: {check.judge(result)}"
            except CheckError as error:
                failed += 1
                verdict = f"FAIL  {check.name}: {error}\n{result.stdout}{result.stderr}"
            print(f"{verdict} [{time.monotonic() - start:.0f} s]", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
