"""Arguments as the command line writes them: `layer` is `--layer` there."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import click

_ARGUMENT: Final = re.compile(r"`([a-z_]+)(?:=([^`=\s]+))?`")
"""How the core names an argument, with a value or without one (see `live_cam.errors`)."""


def as_options(text: str) -> str:
    """Return a text of the core with its arguments as options: `device=cpu` as `--device cpu`.

    What is in backticks and is no option stays as it is.
    """

    def option(found: re.Match[str]) -> str:
        name, value = found.groups()
        if (switch := _flags().get(f"{name}={value}")) is not None:
            return switch
        flag = _flags().get(name)
        if flag is None:
            return found.group()
        return f"{flag} {value}" if value else flag

    return _ARGUMENT.sub(option, text)


@cache
def _flags() -> dict[str, str]:
    """Return how each argument of the settings is written, over all commands.

    A switch with an opposite has an entry for each value: `audio=False` is `--no-audio`.
    """
    from live_cam.cli import cli

    flags = {}
    for command in cli.commands.values():
        for parameter in command.params:
            if not parameter.name:
                continue
            flags[parameter.name] = _written(parameter)
            if parameter.secondary_opts:
                flags[f"{parameter.name}=True"] = _written(parameter)
                flags[f"{parameter.name}=False"] = max(parameter.secondary_opts, key=len)
    return flags


def _written(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name
