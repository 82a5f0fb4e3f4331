"""How far a long job is: a bar where someone looks on, nothing elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from live_cam.cli.options import say
from live_cam.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress(Closing):
    """A bar with the time left, on which sentences do not get mixed up."""

    def __init__(self) -> None:
        self._bar: Any = None  # click does not name its progress bar's type in public

    def say(self, text: str) -> None:
        """Tell the user something, on a line of its own."""
        self.clear()
        say(text)

    def show(
        self, steps: int, *, position: bool = True, note: Callable[[Any], str | None] | None = None
    ) -> None:
        """Show the bar, where standard error is a terminal.

        Args:
            steps: How many there are.
            position: Whether the steps are counted on it.
            note: Says from an item what stands at its end.
        """
        if sys.stderr.isatty():
            self._bar = click.progressbar(
                length=steps,
                file=sys.stderr,
                show_pos=position,
                show_percent=not position,
                item_show_func=note,
            )
            self._bar.__enter__()

    def step(self, count: int = 1, item: object = None) -> None:
        """Take note that some of the steps are done, and of an item for the bar's note."""
        if self._bar:
            self._bar.update(count, item)

    def clear(self) -> None:
        """Take the bar off the line on which something else is going to stand."""
        if self._bar:
            click.echo("\r\033[K", nl=False, err=True)

    def close(self) -> None:
        """Leave the bar as it is. May be called twice."""
        bar, self._bar = self._bar, None
        if bar:
            bar.__exit__(None, None, None)
