"""What is printed: text that a terminal shows and does not obey.

Names of files, of cameras and of the tensors in a checkpoint come from strangers. Printed as they
are, they could clear the screen, set its title, or turn the direction of all that follows.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Final

import click

_SHOWN: Final = "\n\u200c\u200d"
"""Line breaks, and the joiners that Persian, Hindi and emoji are written with."""


def printable(text: str) -> str:
    """Return a text with its control and other invisible characters written as their escapes."""
    return "".join(
        each if each.isprintable() or each in _SHOWN else each.encode("unicode_escape").decode()
        for each in text
    )


def tell(text: str) -> None:
    """Print a line of what was asked for."""
    click.echo(printable(text))


def say(text: str) -> None:
    """Tell the user something, beside what the program prints: one line, whatever is in it."""
    # Where the terminal is gone nobody can be told, and what is recorded must not suffer from it.
    with contextlib.suppress(OSError):
        click.echo(printable(text.replace("\n", " ")), err=True)


class SayingHandler(logging.Handler):
    """Says what the program's modules warn of."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record's message."""
        say(record.getMessage())
