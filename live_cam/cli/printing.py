"""Prints text without characters that control the terminal.

Names of files, cameras and tensors come from untrusted sources. Printed unchanged, they could
clear the screen, set the title or reverse the direction of the text.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Final

import click

from live_cam.cli.wording import as_options

_SHOWN: Final = "\n\u200c\u200d"
"""Line breaks, and the joiners in Persian, Hindi and emoji."""
_REPLACEMENTS: Final = {
    "×": "x",
    "…": "...",
    "·": "-",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "–": "-",
    "—": "-",
    "−": "-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}
"""Replacements for characters missing from a terminal's encoding."""


def printable(text: str) -> str:
    """Return a text with control and other invisible characters as escapes."""
    return "".join(
        character
        if character.isprintable() or character in _SHOWN
        else character.encode("unicode_escape").decode()
        for character in text
    )


def legible(text: str, encoding: str | None) -> str:
    """Return a text in characters of a terminal's encoding, replaced by similar ones if needed.

    Args:
        text: The text to show.
        encoding: The terminal's encoding, or None if unknown, which means ASCII.
    """
    name = encoding or "ascii"
    try:
        text.encode(name)
    except UnicodeEncodeError:
        # Most sentences need only a replaced dash or arrow, and no escapes.
        replaced = "".join(
            character if _has(name, character) else _REPLACEMENTS.get(character, character)
            for character in text
        )
        return replaced.encode(name, "backslashreplace").decode(name)
    except LookupError:  # an encoding that Python does not know
        return legible(text, "ascii")
    return text


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def print_line(text: str) -> None:
    """Print a line of the command's result to standard output."""
    click.echo(legible(printable(text), sys.stdout.encoding))


def print_error(text: str) -> None:
    """Print lines to standard error."""
    # A closed terminal must not end a recording.
    with contextlib.suppress(OSError):
        click.echo(legible(printable(text), sys.stderr.encoding), err=True)


def notify(text: str) -> None:
    """Print a message of the core to standard error, on one line."""
    print_error(as_options(text.replace("\n", " ")))


class NotifyHandler(logging.Handler):
    """Prints the program's log messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record's message."""
        notify(record.getMessage())
