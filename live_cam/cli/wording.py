"""Translates the names of arguments into options: `layer` becomes `--layer`."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import click

_ARGUMENT: Final = re.compile(r"`([a-z_]+)(?:=([^`=\s]+))?`")
"""An argument in a message of the core, with or without a value (see `live_cam.errors`)."""


def as_options(text: str) -> str:
    """Return a message of the core with arguments as options: `device=cpu` as `--device cpu`.

    Other words in backticks are kept.
    """

    def option(argument: re.Match[str]) -> str:
        name, value = argument.groups()
        if (switch := _flags().get(f"{name}={value}")) is not None:
            return switch
        flag = _flags().get(name)
        if flag is None:
            return argument.group()
        return f"{flag} {value}" if value else flag

    return _ARGUMENT.sub(option, text)


@cache
def _flags() -> dict[str, str]:
    """Return the spelling of each argument, over all commands.

    `output` is an option of `image` and a positional argument of `video`; the option counts. A
    switch with an opposite has an entry for each value: `audio=False` is `--no-audio`.
    """
    from live_cam.cli import cli

    parameters = [each for command in cli.commands.values() for each in command.params]
    parameters.sort(key=lambda parameter: isinstance(parameter, click.Option))
    flags = {}
    for parameter in parameters:
        if parameter.name:
            flags[parameter.name] = _spelling(parameter)
            if parameter.secondary_opts:
                flags[f"{parameter.name}=True"] = _spelling(parameter)
                flags[f"{parameter.name}=False"] = max(parameter.secondary_opts, key=len)
    return flags


def _spelling(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name
