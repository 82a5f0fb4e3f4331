"""Wrong command lines, derived from the options: each option with each kind of mistake."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import NamedTuple

import click

from live_cam.cli import cli, main, types

NEEDED = {"image": ["picture.png"], "video": ["file.mkv", "out.mkv"], "evaluate": ["folder"]}
"""The required arguments of each command."""


class Mistake(NamedTuple):
    """A wrong command line, and the required parts of its error message."""

    arguments: list[str]
    parts: list[str]


class Response(NamedTuple):
    """The program's response to a command line."""

    code: int
    text: str
    heavy: list[str]
    """The slow libraries that were loaded."""


def options() -> Iterator[tuple[str, click.Option, str]]:
    """Yield each command's options with their long names."""
    for name, command in sorted(cli.commands.items()):
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield name, parameter, max(parameter.opts, key=len)


def has_optional_value(option: click.Option) -> bool:
    return not option.is_flag and isinstance(option.flag_value, int)


def wrong_values(kind: click.ParamType) -> list[tuple[str, str]]:  # type: ignore[type-arg]
    """Return values that a type must reject, each with a required part of the error message."""
    if isinstance(kind, types.Number | types.WholeNumber):
        outside = [str((kind.min or 0) - 1)] + ([str(kind.max + 1)] if kind.max is not None else [])
        words = (*outside, "ten", "nan", "inf", "", "640x480")
        wrong = [(value, "is not a") for value in words]
        fits_five = kind.max is None or kind.max >= 5
        half = isinstance(kind, types.Number) and (kind.min or 0) < 1
        return [
            *wrong,
            ("5s", "did you mean 5?" if fits_five else "is not a"),
            ("0,5", "did you mean 0.5?" if half else "is not a"),
        ]
    if isinstance(kind, types.Choice | types.Device):
        words = kind.choices if isinstance(kind, types.Choice) else ("cuda", "auto")
        near = words[0] + "e"
        return [("", repr(words[-1])[1:-1]), ("0,5", words[0]), (near, "did you mean")]
    if isinstance(kind, types.Word):
        return [("", "give"), (" ", "give")]
    if isinstance(kind, types.Size):
        return [(value, "1280x720") for value in ("", "640", "640*480", "1x1", "99999x9", "axb")]
    if isinstance(kind, types.Moment):
        times = ("", "-1", "10s", "0,5", "nan", "1:2:3:4", "9" * 99)
        return [(value, "1:30.5") for value in times]
    if isinstance(kind, types.InputFile):
        return [("", "name"), ("nowhere.x", "existing"), ("folder", "folder; name a file in it")]
    if isinstance(kind, types.OutputPath):
        return [("", "name"), ("nowhere/x.mp4", "create it first"), ("folder.mp4", "folder")]
    if isinstance(kind, types.OutputFolder):
        return [("", "name"), ("picture.png", "give a folder"), ("picture.png/x", "another")]
    if isinstance(kind, types.InputFolder):
        return [("", "name"), ("picture.png", "folder"), ("nowhere", "existing")]
    raise AssertionError(f"no wrong values are known for {kind}")


def right_values(kind: click.ParamType) -> tuple[str, ...]:  # type: ignore[type-arg]
    """Return two valid values of a type, or none for the other types."""
    if isinstance(kind, types.Choice):
        return kind.choices[0], kind.choices[-1]
    if isinstance(kind, types.Number | types.WholeNumber):
        return (str(kind.max), "1") if kind.max is not None else ("3", "2")
    return ("640x480", "1280x720") if isinstance(kind, types.Size) else ()


def mistakes() -> Iterator[Mistake]:
    """Yield each option of each command with each kind of mistake."""
    for command, option, name in options():
        needed = NEEDED.get(command, [])
        if option.is_flag:
            yield Mistake([command, *needed, f"{name}=yes"], [name, "value"])
            continue
        if not has_optional_value(option):
            yield Mistake([command, *needed, name], [name, "argument"])
        for value, part in wrong_values(option.type):
            shown = [] if command == "run" and value == "" else [value]
            yield Mistake([command, *needed, f"{name}={value}"], [name, *shown, part])
    for command, definition in cli.commands.items():
        for argument in definition.params:
            if not isinstance(argument, click.Argument):
                continue
            for value, part in wrong_values(argument.type):
                words = NEEDED[command].copy()
                words[definition.params.index(argument) if command == "video" else 0] = value
                yield Mistake([command, *words], [part])
        if command in NEEDED:
            yield Mistake([command], ["Missing argument"])
        yield Mistake([command, *NEEDED.get(command, []), "--"] + ["a"] * 3, ["a"])


def misspelt() -> Iterator[Mistake]:
    """Yield each option with two letters swapped; click suggests the right one."""
    for command, _, name in options():
        swapped = name[:-2] + name[-1] + name[-2]
        if name[-1] != name[-2] and len(name) > 7:
            arguments = [command, *NEEDED.get(command, []), swapped]
            yield Mistake(arguments, [swapped, "Did you mean", name])


def respond(arguments: list[str]) -> Response:
    """Run a command line in this process."""
    sys.argv = ["live-cam", *arguments]
    logging.getLogger("live_cam").handlers.clear()
    output = io.StringIO()
    code: object = None
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    heavy = sorted({"torch", "torchvision", "av", "openvino"} & set(sys.modules))
    return Response(code, output.getvalue(), heavy)


if __name__ == "__main__":
    json.dump([respond(arguments) for arguments in json.load(sys.stdin)], sys.stdout)
