"""What must come of the checks in `check_camera.py`; not for use by itself.

A verdict takes what a command said and wrote, and returns what was measured, or raises
`CheckError`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSE: Final = 2.5  # a gap in the capture that only a lost camera makes, in seconds
_QUITTING: Final = 2.0  # seconds, at most, by which a frozen camera delays the end of the process
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


def require(condition: bool, problem: str) -> None:
    """Raise what was seen unless it is right."""
    if not condition:
        raise CheckError(problem)


def out(name: str) -> Path:
    """Return where a file is that the machine and the virtual one share."""
    return Path(os.environ["OUT"]) / name


def captures(pixels: str, size: str) -> Callable[[Result], str]:
    """The camera gives images of this format and size, thirty a second."""

    def judge(result: Result) -> str:
        require(result.code == 0, f"ended with {result.code}")
        seen = json.loads(result.stdout.splitlines()[-1])
        wanted = f"{size.replace('x', '×')} {pixels} at 30 fps"
        width, height = map(int, size.split("x"))
        require(seen["description"] == wanted, f"{seen['description']} instead of {wanted}")
        require(seen["shape"] == [height, width, 3], f"images of shape {seen['shape']}")
        require(29 <= seen["rate"] <= 31, f"{seen['rate']:.1f} images per second")
        return (
            f"{seen['rate']:.1f} images per second, none later than {seen['longest']:.2f} s, "
            f"{seen['description']}, open after {seen['opened']:.2f} s"
        )

    return judge


def names_the_cat(result: Result) -> str:
    """The network sees what is on the photo."""
    require(result.code == 0, f"ended with {result.code}")
    require(len(result.predictions) > 1, "hardly anything was explained")
    named = sum(line["label"] in _CATS for line in result.predictions)
    share = named / len(result.predictions)
    require(share > 0.9, f"only {share:.0%} of the explanations name a cat")
    first, last = result.predictions[0], result.predictions[-1]
    rate = (len(result.predictions) - 1) / (last["timestamp"] - first["timestamp"])
    return f"{last['label']} ({last['score']:.2f}), {rate:.1f} explanations per second"


def goes_on_after_a_gap(*said: str, still: bool = False) -> Callable[[Result], str]:
    """The camera was away and came back, with a still image or a moving one; this was said."""

    def judge(result: Result) -> str:
        seen = names_the_cat(result)
        times = [line["timestamp"] for line in result.predictions]
        frames = [line["frame"] for line in result.predictions]
        gaps = [b - a for a, b in pairwise(times)]
        longest = max(gaps)
        require(longest > _PAUSE, f"the camera was never away: the longest gap is {longest:.1f} s")
        # What does not move is not explained again.
        lasted = times[-1] - times[gaps.index(longest) + 1]
        require(still or lasted > 1, "hardly anything came after the gap")
        require(frames == sorted(set(frames)), "the frames' indices do not go on counting")
        for part in said:
            require(part in result.stderr, f"{part!r} was not said")
        return f"a gap of {longest:.1f} s; {_recorded(longest)}{seen}"

    return judge


def _recorded(gap: float) -> str:
    """Check the recording, where there is one: one file, with the gap in its times."""
    path = out("r.mp4")
    if not path.exists():
        return ""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [float(frame.time or 0) for frame in frames]
    path.unlink()
    longest = max(b - a for a, b in pairwise(times))
    require(abs(longest - gap) < 1, f"a gap of {longest:.1f} s in the recording")
    require(len({(frame.width, frame.height) for frame in frames}) == 1, "its size changes")
    return f"recorded {len(frames)} images with a gap of {longest:.1f} s; "


def fails_with(*parts: str) -> Callable[[Result], str]:
    """The run ends with a sentence that has these parts."""

    def judge(result: Result) -> str:
        lines = result.sentences
        require(result.code == 1, f"ended with {result.code} instead of 1")
        require(bool(lines), "no reason was given")
        for part in parts:
            require(part in lines[-1], f"{part!r} is not in: {lines[-1]}")
        require("Traceback" not in result.stderr, "a traceback was shown")
        return lines[-1]

    return judge


def says(part: str) -> Callable[[Result], str]:
    """It goes on to its end, but says what is wrong."""

    def judge(result: Result) -> str:
        require(result.code == 0, f"ended with {result.code}")
        said = [line for line in result.sentences if part in line]
        require(len(said) == 1, f"{part!r} was said {len(said)} times")
        return said[0]

    return judge


def ends_at_once(result: Result) -> str:
    """A frozen camera does not hold the process."""
    require(result.code == 0, f"ended with {result.code}")
    seen = json.loads(result.stdout.splitlines()[-1])
    # A process this large takes seconds to end in the virtual machine, whatever its camera does.
    said = (
        f"ended {seen['frozen']:.1f} s after it was asked to, and {seen['plain']:.1f} s otherwise"
    )
    require(seen["frozen"] <= seen["plain"] + _QUITTING, said)
    return said
