"""The progress of a long run: lines of text, and a bar below them on a terminal."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from live_cam.cli.printing import notify
from live_cam.runtime.closing import Closing


class Progress(Closing):
    """A bar with the time left, which does not mix with printed lines."""

    def __init__(self) -> None:
        self._bar: Any = None  # click's type of progress bars is private
        self._line = False

    def notify(self, text: str) -> None:
        """Print a message above the bar."""
        self.clear()
        notify(text)

    def show(self, steps: int | None, *, noted: bool = False) -> None:
        """Show the bar if standard error is a terminal.

        Args:
            steps: The number of steps, or None if unknown, which shows notes without a bar.
            noted: Whether to show a note beside the bar instead of the number of steps.
        """
        # A dumb terminal would print the escapes that move the cursor.
        if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            return
        if steps is None:
            self._line = True
            return
        self._bar = click.progressbar(
            length=steps,
            file=sys.stderr,
            show_pos=not noted,
            item_show_func=(lambda note: note or "") if noted else None,
        )
        self._bar.__enter__()

    def step(self, count: int = 1, note: str = "") -> None:
        """Advance by `count` steps, and show a note."""
        if self._bar:
            self._bar.update(count, note)
        elif self._line:
            self.clear()
            click.echo(note, nl=False, err=True)

    def clear(self) -> None:
        """Clear the bar's line for other output."""
        if self._bar or self._line:
            click.echo("\r\033[K", nl=False, err=True)

    def close(self) -> None:
        """Leave the bar as it is and end its line. May be called twice."""
        bar, self._bar = self._bar, None
        line, self._line = self._line, False
        if bar:
            bar.__exit__(None, None, None)
        elif line:
            click.echo(err=True)


class StepProgress(Progress):
    """A bar for a run with a known number of steps."""

    def begin(self, steps: int) -> None:
        """Show the bar, unless there is only one step."""
        if steps > 1:
            self.show(steps)
