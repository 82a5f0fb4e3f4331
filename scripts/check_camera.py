"""Checks the program on a real V4L2 camera, in the virtual machine of a webcam harness.

A person runs this, with the project's Python; it takes some minutes. The harness is a command
`run [--feed FILE] [--size WxH] [--format yuyv|mjpeg] … -- COMMAND` that gives COMMAND a camera at
/dev/video0, obeys words (`unplug`, `plug`, `freeze`, `thaw`) written to /run/webcam, and keeps
what is written to $OUT. Where a camera must come back as another one, a word is used that the
harness does not promise: one that sets, in its shell, what the next `plug` plugs in.
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
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av

from live_cam.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROOT: Final = Path(__file__).resolve().parent.parent
_HARNESS: Final = _ROOT.parent / "shared" / "webcam" / "run"
_FORMATS: Final = {"yuyv": "YUYV", "mjpeg": "MJPG"}
_SIZES: Final = ("640x480", "1280x720")
_TIME_LIMIT: Final = 400
_PAUSE: Final = 2.5  # a gap in the capture that only a lost camera makes, in seconds
_PATIENCE: Final = 10  # of the program, in seconds, where a camera does not come back
_QUITTING: Final = 2.0  # seconds, at most, from the key to the end of the process
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

    @property
    def sentences(self) -> list[str]:
        """What was said, without the words of the harness, each after its name."""
        return [line for line in self.stderr.splitlines() if not line.startswith("webcam:")]


@dataclass(frozen=True)
class Check:
    """A command, what happens to its camera meanwhile, and what must come of it."""

    name: str
    command: list[str]
    judge: Callable[[Result], str]
    """Returns what was measured, or raises `CheckError`."""
    harness: tuple[str, ...] = ()
    words: tuple[tuple[float, str], ...] = ()
    """What the camera is told once the first picture is explained: seconds to wait, and a word."""
    stop_after: float | None = None
    """Seconds after that at which the command is asked to end; None: it ends by itself."""


def require(condition: bool, problem: str) -> None:
    """Raise what was seen unless it is right."""
    if not condition:
        raise CheckError(problem)


# ---- what runs in the virtual machine --------------------------------------------------------


def _guest(*task: str) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("camera_guest.py")), *task]


def _program(*options: str) -> list[str]:
    given = "run --source 0 --model efficientnet_lite0 --engine hook --headless --overwrite"
    files = ["--predictions", str(_out("p.jsonl"))]
    return [sys.executable, "-m", "live_cam", *given.split(), *files, *options]


def _out(name: str) -> Path:
    return Path(os.environ["OUT"]) / name


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
        return (
            f"{seen['rate']:.1f} pictures per second, none later than {seen['longest']:.2f} s, "
            f"{seen['description']}, open after {seen['opened']:.2f} s"
        )

    return judge


def _names_the_cat(result: Result) -> str:
    require(result.code == 0, f"ended with {result.code}")
    require(len(result.predictions) > 1, "hardly anything was explained")
    named = sum(line["label"] in _CATS for line in result.predictions)
    share = named / len(result.predictions)
    require(share > 0.9, f"only {share:.0%} of the explanations name a cat")
    first, last = result.predictions[0], result.predictions[-1]
    rate = (len(result.predictions) - 1) / (last["timestamp"] - first["timestamp"])
    return f"{last['label']} ({last['score']:.2f}), {rate:.1f} explanations per second"


def _goes_on_after_a_gap(*said: str) -> Callable[[Result], str]:
    def judge(result: Result) -> str:
        seen = _names_the_cat(result)
        times = [line["timestamp"] for line in result.predictions]
        frames = [line["frame"] for line in result.predictions]
        gaps = [b - a for a, b in pairwise(times)]
        longest = max(gaps)
        require(longest > _PAUSE, f"the camera was never away: the longest gap is {longest:.1f} s")
        require(times[-1] - times[gaps.index(longest) + 1] > 1, "nothing came after the gap")
        require(frames == sorted(set(frames)), "the frames' indices do not go on counting")
        for part in said:
            require(part in result.stderr, f"{part!r} was not said")
        return f"a gap of {longest:.1f} s; {_recorded(longest)}{seen}"

    return judge


def _recorded(gap: float) -> str:
    """Check the recording, where there is one: one file, with the gap in its times."""
    path = _out("r.mp4")
    if not path.exists():
        return ""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [float(frame.time or 0) for frame in frames]
    path.unlink()
    longest = max(b - a for a, b in pairwise(times))
    require(abs(longest - gap) < 1, f"a gap of {longest:.1f} s in the recording")
    require(len({(frame.width, frame.height) for frame in frames}) == 1, "its size changes")
    return f"recorded {len(frames)} pictures with a gap of {longest:.1f} s; "


def _fails_with(*parts: str) -> Callable[[Result], str]:
    def judge(result: Result) -> str:
        lines = result.sentences
        require(result.code == 1, f"ended with {result.code} instead of 1")
        require(bool(lines), "no reason was given")
        for part in parts:
            require(part in lines[-1], f"{part!r} is not in: {lines[-1]}")
        require("Traceback" not in result.stderr, "a traceback was shown")
        return lines[-1]

    return judge


def _says(part: str) -> Callable[[Result], str]:
    """It goes on to its end, but says what is wrong."""

    def judge(result: Result) -> str:
        require(result.code == 0, f"ended with {result.code}")
        said = [line for line in result.sentences if part in line]
        require(len(said) == 1, f"{part!r} was said {len(said)} times")
        return said[0]

    return judge


def _ends_at_once(result: Result) -> str:
    require(result.code == 0, f"ended with {result.code}")
    seconds = json.loads(result.stdout.splitlines()[-1])["ended_after"]
    require(seconds <= _QUITTING, f"ended {seconds:.1f} s after it was asked to")
    return f"ended {seconds:.2f} s after it was asked to"


# ---- the checks ------------------------------------------------------------------------------


def _formats(moving: Path) -> Iterator[Check]:
    """Each format and size, without a network and with one."""
    for given, pixels in _FORMATS.items():
        for size in _SIZES:
            camera = ("--feed", str(moving), "--format", given, "--size", size)
            name = f"{given} {size}"
            yield Check(f"{name}: capture", _guest("measure", "6"), _captures(pixels, size), camera)
            yield Check(f"{name}: program", _program(), _names_the_cat, camera, stop_after=15)


def _losses(moving: Path) -> Iterator[Check]:
    """Cameras that go away, and those that come back."""
    camera = ("--feed", str(moving), "--format", "mjpeg")
    found = _goes_on_after_a_gap("camera 0 was lost", "camera 0 is back")
    small = f"eval camera[2]={_out('small.jpg')} camera[4]=320x240"
    back = {
        "unplugged, plugged in again": (found, ((3, "unplug"), (4, "plug"))),
        "comes back in another size": (
            _goes_on_after_a_gap("camera 0 is back", "320×240 MJPG"),
            ((3, "unplug"), (1, small), (3, "plug")),
        ),
        "frozen for a moment": (_goes_on_after_a_gap(), ((3, "freeze"), (4, "thaw"))),
        "frozen, thawed": (found, ((3, "freeze"), (12, "thaw"))),
        "frozen, unplugged, plugged in": (found, ((3, "freeze"), (9, "unplug"), (3, "plug"))),
    }
    for name, (judge, words) in back.items():
        recorded = _program("--record", str(_out("r.mp4")))
        yield Check(name, recorded, judge, camera, words, stop_after=15)
    short = _program("--reconnect-seconds", str(_PATIENCE))
    away = ("camera 0 was lost", f"did not come back within {_PATIENCE} s")
    gone = _fails_with(*away, "check its cable")
    held = _fails_with(*away, "camera 0 does not answer")
    never = _program("--reconnect-seconds", "0")
    at_once = _fails_with("camera 0 was lost; check its cable")
    yield Check("unplugged for good", short, gone, camera, ((3, "unplug"),))
    yield Check("unplugged, not looked for", never, at_once, camera, ((3, "unplug"),))
    yield Check("frozen for good", short, held, camera, ((3, "freeze"),))


def _troubles(moving: Path, photo: Path) -> Iterator[Check]:
    """Cameras that cannot be used, or that send what is no good."""
    camera = ("--feed", str(moving), "--format", "mjpeg")
    yield Check(
        "not plugged in", _program(), _fails_with("There is no camera 0"), ("--unplug-after", "0")
    )
    yield Check("in use", _guest("busy"), _fails_with("camera 0", "is in use"), camera)
    denied = "chmod 0 /dev/video0; exec setpriv --inh-caps=-all --bounding-set=-dac_override"
    yield Check(
        "denied",
        ["bash", "-c", f"{denied},-dac_read_search {shlex.join(_program())}"],
        _fails_with("may not be used by you", "usermod -aG video"),
        camera,
    )
    yield Check(
        "always the same picture",
        _program(),
        _says("very same picture"),
        still(photo),
        stop_after=8,
    )
    yield Check(
        "black pictures",
        _program(),
        _says("only black pictures"),
        still(_out("b.png")),
        stop_after=8,
    )
    yield Check("cut off pictures", _guest("damaged"), _says("arrive damaged"), camera)


def still(picture: Path) -> tuple[str, ...]:
    """A camera that always sends this picture, bit by bit the same."""
    return ("--feed", str(picture), "--format", "yuyv")


def _ends(moving: Path) -> Iterator[Check]:
    """The end of the process while its camera is frozen: in a read, and in the way back."""
    camera = ("--feed", str(moving), "--format", "mjpeg")
    for seconds in ("2", "5", "10"):
        name = f"frozen for {seconds} s"
        yield Check(f"{name}: Ctrl-C", _guest("quit", seconds), _ends_at_once, camera)
        yield Check(f"{name}: q", _guest("quit", seconds, "window"), _ends_at_once, camera)


def prepare(photo: Path) -> Path:
    """Make what the cameras show besides the photo; return a video that moves over it."""
    image = cv2.imread(str(photo))
    assert image is not None
    wide = cv2.resize(image, (704, 480), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(_out("b.png")), 0 * wide)
    cv2.imwrite(str(_out("small.jpg")), cv2.resize(wide, (320, 240)))
    moving = _out("moving.mp4")
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
    log = _out("p.jsonl")
    until = f"until [ -s {shlex.quote(str(log))} ]; do sleep 0.2; done"
    script = f"({'; '.join([until, *steps])}) & " if steps else ""
    for old in (log, _out("r.mp4")):
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
    """Run the checks and return the exit code: 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--harness", type=Path, default=_HARNESS, help="default: %(default)s")
    parser.add_argument("--only", default="", metavar="TEXT", help="run the checks named like this")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to leave screenshots")
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
        print("scikit-image, whose photo is shown, is missing; install live-cam[demo].")
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
        for picture in Path(out).glob("*.png") if options.keep else ():
            shutil.copy(picture, options.keep)
    return 1 if failed else 0


def passes(check: Check, harness: Path) -> bool:
    """Run a check, say what came of it, and return whether all is well."""
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
