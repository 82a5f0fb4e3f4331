"""Every option given in every way people get them wrong, made of the options themselves."""

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
"""The arguments without which a command is wrong for another reason."""
BARE = ("demo",)
"""Commands that would go on, were an option right."""


class Mistake(NamedTuple):
    """One wrong command line, and what the sentence about it must hold."""

    arguments: list[str]
    parts: list[str]


class Said(NamedTuple):
    """What came of it."""

    code: int
    text: str
    heavy: list[str]
    """Which of the slow libraries had been loaded."""


def options() -> Iterator[tuple[str, click.Option, str]]:
    """Each command's options, with the name by which a user knows them best."""
    for name, command in sorted(cli.commands.items()):
        for each in command.params:
            if isinstance(each, click.Option):
                yield name, each, max(each.opts, key=len)


def has_optional_value(option: click.Option) -> bool:
    return not option.is_flag and isinstance(option.flag_value, int)


def wrong_values(kind: click.ParamType) -> list[tuple[str, str]]:  # type: ignore[type-arg]
    """Values that a type must refuse, each with what the sentence must say beside it."""
    if isinstance(kind, types.Number | types.WholeNumber):
        outside = [str((kind.min or 0) - 1)] + ([str(kind.max + 1)] if kind.max is not None else [])
        wrong = [(each, "give a") for each in (*outside, "ten", "nan", "inf", "", "640x480")]
        fits_five = kind.max is None or kind.max >= 5
        half = isinstance(kind, types.Number) and (kind.min or 0) < 1
        return [
            *wrong,
            ("5s", "did you mean 5?" if fits_five else "give a"),
            ("0,5", "did you mean 0.5?" if half else "give a"),
        ]
    if isinstance(kind, types.Choice | types.Device):
        words = kind.choices if isinstance(kind, types.Choice) else ("cuda", "auto")
        near = words[0] + "e"
        return [("", repr(words[-1])[1:-1]), ("0,5", words[0]), (near, "did you mean")]
    if isinstance(kind, types.Word):
        return [("", "give"), (" ", "give")]
    if isinstance(kind, types.Size):
        return [(each, "1280x720") for each in ("", "640", "640*480", "1x1", "99999x9", "axb")]
    if isinstance(kind, types.Moment):
        return [(each, "1:30.5") for each in ("", "-1", "10s", "0,5", "nan", "1:2:3:4", "9" * 99)]
    if isinstance(kind, types.InputFile):
        return [("", "name"), ("nowhere.x", "existing"), ("folder", "folder; name a file in it")]
    if isinstance(kind, types.OutputFile):
        return [("", "name"), ("nowhere/x.mp4", "create it first"), ("folder.mp4", "folder")]
    if isinstance(kind, types.OutputFolder):
        return [("", "name"), ("picture.png", "give a folder"), ("picture.png/x", "another")]
    if isinstance(kind, types.InputFolder):
        return [("", "name"), ("picture.png", "folder"), ("nowhere", "existing")]
    raise AssertionError(f"nobody has thought of how {kind} is got wrong")


def right_values(kind: click.ParamType) -> tuple[str, ...]:  # type: ignore[type-arg]
    """Two values that a type takes, where that is easily said."""
    if isinstance(kind, types.Choice):
        return kind.choices[0], kind.choices[-1]
    if isinstance(kind, types.Number | types.WholeNumber):
        return (str(kind.max), "1") if kind.max is not None else ("3", "2")
    return ("640x480", "1280x720") if isinstance(kind, types.Size) else ()


def mistakes() -> Iterator[Mistake]:
    """Wrong command lines: each option of each command, each way."""
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
    for command, each in cli.commands.items():
        for argument in each.params:
            if not isinstance(argument, click.Argument):
                continue
            for value, part in wrong_values(argument.type):
                words = NEEDED[command].copy()
                words[each.params.index(argument) if command == "video" else 0] = value
                yield Mistake([command, *words], [part])
        if command in NEEDED:
            yield Mistake([command], ["Missing argument"])
        yield Mistake([command, *NEEDED.get(command, []), "--"] + ["a"] * 3, ["a"])


def misspelt() -> Iterator[Mistake]:
    """Each option with two of its letters swapped: click knows which one is meant."""
    for command, _, name in options():
        swapped = name[:-2] + name[-1] + name[-2]
        if name[-1] != name[-2] and len(name) > 7:
            arguments = [command, *NEEDED.get(command, []), swapped]
            yield Mistake(arguments, [swapped, "Did you mean", name])


def answer(arguments: list[str]) -> Said:
    """Give a command line to the program, in this process."""
    sys.argv = ["live-cam", *arguments]
    logging.getLogger("live_cam").handlers.clear()
    shown = io.StringIO()
    code: object = None
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    heavy = sorted({"torch", "torchvision", "av", "openvino"} & set(sys.modules))
    return Said(code, shown.getvalue(), heavy)


if __name__ == "__main__":
    json.dump([answer(each) for each in json.load(sys.stdin)], sys.stdout)
