"""How far a long run has come: lines of text, and a bar below them where someone looks on."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from live_cam.cli.printing import notify
from live_cam.runtime.closing import Closing


class Progress(Closing):
    """A bar with the time left, with which sentences do not get mixed up."""

    def __init__(self) -> None:
        self._bar: Any = None  # click does not name its progress bar's type in public
        self._line = False

    def notify(self, text: str) -> None:
        """Write a line."""
        self.clear()
        notify(text)

    def show(self, steps: int | None, *, noted: bool = False) -> None:
        """Show how far it is from now on, where standard error is a terminal.

        Args:
            steps: How many there are; None: nobody knows, and there is no bar but only notes.
            noted: Whether a note stands beside the bar; otherwise the steps are counted there.
        """
        # One that is dumb would show what moves the cursor.
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
        """Take note that some of the steps are done, and show a note."""
        if self._bar:
            self._bar.update(count, note)
        elif self._line:
            self.clear()
            click.echo(note, nl=False, err=True)

    def clear(self) -> None:
        """Free the line on which something else is going to stand."""
        if self._bar or self._line:
            click.echo("\r\033[K", nl=False, err=True)

    def close(self) -> None:
        """Leave what is shown as it is. May be called twice."""
        bar, self._bar = self._bar, None
        line, self._line = self._line, False
        if bar:
            bar.__exit__(None, None, None)
        elif line:
            click.echo(err=True)


class StepProgress(Progress):
    """A bar that counts the steps of a run that knows how many there are."""

    def begin(self, steps: int) -> None:
        """Show the bar, unless there is one step only."""
        if steps > 1:
            self.show(steps)
