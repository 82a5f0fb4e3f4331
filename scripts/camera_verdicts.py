"""The verdicts of `check_camera.py`.

A verdict receives the result of a command, and returns its measurements as text or raises
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

_PAUSE: Final = 2.5  # seconds without a frame that only a lost camera explains
_QUITTING: Final = 2.0  # the longest delay in seconds that a frozen camera may cause at the end
_CATS: Final = ("tabby", "tiger cat", "Egyptian cat")


class CheckError(Exception):
    """A result is not as required."""


@dataclass(frozen=True)
class Result:
    """The result of a command in the virtual machine."""

    code: int
    stdout: str
    stderr: str
    predictions: list[dict[str, Any]]

    @property
    def sentences(self) -> list[str]:
        """The program's messages, without those of the harness."""
        return [line for line in self.stderr.splitlines() if not line.startswith("webcam:")]


def require(condition: bool, problem: str) -> None:
    """Raise a problem unless a condition holds."""
    if not condition:
        raise CheckError(problem)


def out(name: str) -> Path:
    """Return the path of a file that host and virtual machine share."""
    return Path(os.environ["OUT"]) / name


def captures(pixels: str, size: str) -> Callable[[Result], str]:
    """Require 30 images per second of this format and size."""

    def judge(result: Result) -> str:
        require(result.code == 0, f"ended with {result.code}")
        seen = json.loads(result.stdout.splitlines()[-1])
        wanted = f"{size.replace('x', '×')} {pixels} at 30 fps"
        width, height = map(int, size.split("x"))
        require(seen["description"] == wanted, f"{seen['description']} instead of {wanted}")
        require(seen["shape"] == [height, width, 3], f"images of shape {seen['shape']}")
        require(29 <= seen["rate"] <= 31, f"{seen['rate']:.1f} images per second")
        return (
            f"{seen['rate']:.1f} images per second, longest gap {seen['longest']:.2f} s, "
            f"{seen['description']}, open after {seen['opened']:.2f} s"
        )

    return judge


def names_the_cat(result: Result) -> str:
    """Require that the explanations name the cat of the photo."""
    require(result.code == 0, f"ended with {result.code}")
    require(len(result.predictions) > 1, "fewer than two explanations")
    named = sum(line["label"] in _CATS for line in result.predictions)
    share = named / len(result.predictions)
    require(share > 0.9, f"only {share:.0%} of the explanations name a cat")
    first, last = result.predictions[0], result.predictions[-1]
    rate = (len(result.predictions) - 1) / (last["timestamp"] - first["timestamp"])
    return f"{last['label']} ({last['score']:.2f}), {rate:.1f} explanations per second"


def continues_after_a_gap(*messages: str, still: bool = False) -> Callable[[Result], str]:
    """Require that the camera was lost and came back, with these messages.

    Args:
        *messages: Parts of the program's messages.
        still: Whether the image does not move afterwards.
    """

    def judge(result: Result) -> str:
        seen = names_the_cat(result)
        times = [line["timestamp"] for line in result.predictions]
        frames = [line["frame"] for line in result.predictions]
        gaps = [b - a for a, b in pairwise(times)]
        longest = max(gaps)
        require(longest > _PAUSE, f"the camera was never lost: the longest gap is {longest:.1f} s")
        # A still image is not explained again.
        lasted = times[-1] - times[gaps.index(longest) + 1]
        require(still or lasted > 1, "explanations for less than 1 s after the gap")
        require(frames == sorted(set(frames)), "the frames' indices do not increase")
        for part in messages:
            require(part in result.stderr, f"the message {part!r} is missing")
        return f"a gap of {longest:.1f} s; {_recorded(longest)}{seen}"

    return judge


def _recorded(gap: float) -> str:
    """Check the recording, if there is one: a single file with the gap in its times."""
    path = out("r.mp4")
    if not path.exists():
        return ""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [float(frame.time or 0) for frame in frames]
    path.unlink()
    longest = max(b - a for a, b in pairwise(times))
    require(abs(longest - gap) < 1, f"a gap of {longest:.1f} s in the recording")
    require(len({(frame.width, frame.height) for frame in frames}) == 1, "the image size changes")
    return f"recorded {len(frames)} images with a gap of {longest:.1f} s; "


def fails_with(*parts: str) -> Callable[[Result], str]:
    """Require that the run fails with a sentence that contains these parts."""

    def judge(result: Result) -> str:
        lines = result.sentences
        require(result.code == 1, f"ended with {result.code} instead of 1")
        require(bool(lines), "no error message")
        for part in parts:
            require(part in lines[-1], f"{part!r} is not in: {lines[-1]}")
        require("Traceback" not in result.stderr, "a traceback was shown")
        return lines[-1]

    return judge


def warns(part: str) -> Callable[[Result], str]:
    """Require that the run succeeds and warns once with a sentence that contains this part."""

    def judge(result: Result) -> str:
        require(result.code == 0, f"ended with {result.code}")
        warnings = [line for line in result.sentences if part in line]
        require(len(warnings) == 1, f"{part!r} is in {len(warnings)} messages")
        return warnings[0]

    return judge


def ends_promptly(result: Result) -> str:
    """Require that a frozen camera does not delay the end of the process."""
    require(result.code == 0, f"ended with {result.code}")
    seen = json.loads(result.stdout.splitlines()[-1])
    # Compared with a plain end, because a process this large needs seconds in the virtual machine.
    times = f"ended after {seen['frozen']:.1f} s, and {seen['plain']:.1f} s without the freeze"
    require(seen["frozen"] <= seen["plain"] + _QUITTING, times)
    return times
