"""What is printed: text that a terminal shows and does not obey.

Names of files, of cameras and of the tensors in a checkpoint come from strangers. Printed as they
are, they could clear the screen, set its title, or turn the direction of all that follows.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Final

import click

from live_cam.cli.wording import as_options

_SHOWN: Final = "\n\u200c\u200d"
"""Line breaks, and the joiners that Persian, Hindi and emoji are written with."""
_SPELT: Final = {
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
"""What stands for a character where a terminal does not have it."""


def printable(text: str) -> str:
    """Return a text with its control and other invisible characters written as their escapes."""
    return "".join(
        each if each.isprintable() or each in _SHOWN else each.encode("unicode_escape").decode()
        for each in text
    )


def legible(text: str, encoding: str | None) -> str:
    """Return a text in characters that a terminal has, and that read as what they stand for.

    Args:
        text: What is to be shown.
        encoding: The terminal's; None: it does not say, and has ASCII alone.
    """
    name = encoding or "ascii"
    try:
        text.encode(name)
    except UnicodeEncodeError:
        # Without this, what is a plain sentence but for one dash would be full of escapes.
        spelt = "".join(each if _has(name, each) else _SPELT.get(each, each) for each in text)
        return spelt.encode(name, "backslashreplace").decode(name)
    except LookupError:  # an encoding that Python does not know
        return legible(text, "ascii")
    return text


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def tell(text: str) -> None:
    """Print a line of what was asked for."""
    click.echo(legible(printable(text), sys.stdout.encoding))


def warn(text: str) -> None:
    """Print lines beside what was asked for."""
    # Where the terminal is gone nobody can be told, and what is recorded must not suffer from it.
    with contextlib.suppress(OSError):
        click.echo(legible(printable(text), sys.stderr.encoding), err=True)


def notify(text: str) -> None:
    """Print a sentence of the core beside what was asked for: one line, whatever is in it."""
    warn(as_options(text.replace("\n", " ")))


class SayingHandler(logging.Handler):
    """Says what the program's modules warn of."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record's message."""
        notify(record.getMessage())
