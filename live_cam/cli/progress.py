"""How far a long run has come: lines of text, and a bar below them where someone looks on."""

from __future__ import annotations

import sys
from typing import Any

import click

from live_cam.cli.printing import say
from live_cam.closing import Closing


class Progress(Closing):
    """Tells on stderr what happens, with a bar if that is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None  # click does not name its progress bar's type in public

    def say(self, text: str) -> None:
        """Write a line."""
        self.clear()
        say(text)

    def begin(self, steps: int) -> None:
        """Show the bar, unless there is one step only."""
        if steps > 1 and sys.stderr.isatty():
            self._bar = click.progressbar(length=steps, file=sys.stderr, show_pos=True)
            self._bar.__enter__()

    def step(self, count: int = 1) -> None:
        """Move the bar on."""
        if self._bar:
            self._bar.update(count)

    def clear(self) -> None:
        """Take the bar off the line on which something else is going to stand."""
        if self._bar:
            click.echo("\r\033[K", nl=False, err=True)

    def close(self) -> None:
        """Leave the bar as it is. May be called twice."""
        bar, self._bar = self._bar, None
        if bar:
            bar.__exit__(None, None, None)
