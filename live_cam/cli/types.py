"""The types of the options, with errors that name the wrong value and the remedy."""

from __future__ import annotations

import difflib
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from live_cam import settings
from live_cam.errors import UsageError, shortened
from live_cam.record.destinations import check_output
from live_cam.runtime.user_path import expanded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from live_cam.look import Range

_CLOCK: Final = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")
_DEVICE_NUMBER: Final = re.compile(r":\d{1,3}\Z")


class Number(click.FloatRange):
    """A finite number in a range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = _number(value)
        if number is None or not math.isfinite(number) or not _lies_in(self, number):
            return self.fail(_no_number(value, self), param, ctx)
        return number


class WholeNumber(click.IntRange):
    """A whole number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            return self.fail(_no_number(value, self), param, ctx)
        return number if _lies_in(self, number) else self.fail(_no_number(value, self), param, ctx)


def whole_number(within: Range) -> WholeNumber:
    """Make the type of an option whose value is an integer in a range."""
    return WholeNumber(int(within.low), int(within.high))


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _lies_in(within: click.FloatRange | click.IntRange, number: float) -> bool:
    low, high = within.min, within.max
    above = low is None or (number > low if within.min_open else number >= low)
    return above and (high is None or number <= high)


def _span(within: click.FloatRange | click.IntRange) -> str:
    if within.max is not None:
        return f"from {within.min:g} to {within.max:g}"
    return f"above {within.min:g}" if within.min_open else f"of at least {within.min:g}"


def _no_number(value: Any, within: Number | WholeNumber) -> str:
    kind = "whole number" if isinstance(within, WholeNumber) else "number"
    # Common mistakes are a decimal comma and a unit behind the number.
    corrected = re.sub(r"(?<=\d)\s*[A-Za-z%]+\Z", "", str(value).strip().replace(",", "."))
    form = r"-?\d{1,12}" if kind == "whole number" else r"-?\d{1,12}(\.\d{1,12})?"
    valid = re.fullmatch(form, corrected) and _lies_in(within, float(corrected))
    hint = f"; did you mean {corrected}?" if valid else "."
    return f"{_quoted(value)} is not a {kind} {_span(within)}{hint}"


def _quoted(value: Any) -> str:
    return shortened(repr(str(value)))


class Choice(click.Choice[str]):
    """One of a few words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in self.choices:
            return str(value)
        return self.fail(_unknown(value, self.choices), param, ctx)


def _unknown(value: Any, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(value)[:99].lower(), choices, 1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{_quoted(value)} is not one of {', '.join(map(repr, choices))}{hint}"


class Word(click.ParamType[str]):
    """A name that is not empty."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.strip():
            return self.fail(
                f"{_quoted(value)} is empty; give a name, or leave it out.", param, ctx
            )
        return str(value)


class Device(Word):
    """The name of a device, which need not exist."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        kind = _DEVICE_NUMBER.sub("", value)
        if kind not in settings.DEVICES:
            return self.fail(_unknown(value, settings.DEVICES), param, ctx)
        return str(value)


class Size(click.ParamType[tuple[int, int]]):
    """Width and height in pixels."""

    name = "WxH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        width, _, height = str(value).lower().partition("x")
        low, high = settings.CAMERA_SIDE
        digits = len(str(int(high)))
        if all(side.isdecimal() and len(side) <= digits for side in (width, height)):
            size = int(width), int(height)
            if all(low <= side <= high for side in size):
                return size
        return self.fail(
            f"{_quoted(value)} is not a size; give width and height in pixels, such as 1280x720, "
            f"each from {low:g} to {high:g}.",
            param,
            ctx,
        )


class Moment(click.ParamType[Fraction]):
    """A time in a video, in seconds."""

    name = "TIME"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        if isinstance(value, Fraction):
            return value
        match = _CLOCK.fullmatch(str(value))
        if match is None or len(str(value)) > len("99999:59:59.999999"):
            return self.fail(
                f"{_quoted(value)} is not a time; give seconds, such as 90.5, or [HH:]MM:SS, such "
                "as 1:30.5.",
                param,
                ctx,
            )
        hours, minutes, seconds = (Fraction(part or 0) for part in match.groups())
        return 3600 * hours + 60 * minutes + seconds


class _FilePath(click.ParamType[Path]):
    name = "FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not str(value).strip():
            return self.fail(f"{_quoted(value)} is empty; name a file.", param, ctx)
        # Shells do not expand the tilde in --weights=~/file.
        path = expanded(value)
        problem = self.problem(path)
        return self.fail(problem, param, ctx) if problem else path

    def problem(self, path: Path) -> str | None:
        """Describe what is wrong with a path, or return None if nothing is."""
        raise NotImplementedError


class InputFile(_FilePath):
    """An existing file."""

    def problem(self, path: Path) -> str | None:
        try:
            if path.is_dir():
                return f"{_quoted(path)} is a folder; name a file in it."
            path.stat()
        except (OSError, ValueError) as error:
            if isinstance(error, FileNotFoundError):
                return f"there is no file {_quoted(path)}; give an existing one."
            reason = getattr(error, "strerror", None) or error
            return f"{_quoted(path)} cannot be read: {reason}; give another file."
        return None


class OutputPath(_FilePath):
    """A file in an existing folder, which may be overwritten later."""

    def __init__(self, endings: Sequence[str] = ()) -> None:
        """Allow only these endings, or any if there are none."""
        self._endings = endings

    def problem(self, path: Path) -> str | None:
        if self._endings and path.suffix.lower() not in self._endings:
            return f"{_quoted(path)} must end in {', '.join(self._endings)}."
        try:
            check_output(path, overwrite=True)
        except UsageError as error:
            return str(error)
        return None


class OutputFolder(_FilePath):
    """A folder that exists or can be created."""

    name = "FOLDER"

    def problem(self, path: Path) -> str | None:
        try:
            path.stat()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            return f"{_quoted(path)} cannot be written: {reason}; give another folder."
        return None if path.is_dir() else f"{_quoted(path)} is a file; give a folder."


class InputFolder(_FilePath):
    """An existing folder."""

    name = "FOLDER"

    def problem(self, path: Path) -> str | None:
        try:
            if path.is_dir():
                return None
            exists = path.exists()
        except (OSError, ValueError):
            exists = False
        if exists:
            return f"{_quoted(path)} is a file; name its folder."
        return f"there is no folder {_quoted(path)}; give an existing one."
