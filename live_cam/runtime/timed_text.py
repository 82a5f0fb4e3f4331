"""Texts that are shown for a moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_SECONDS: Final = 1.0
"""For the confirmation of a key."""
SENTENCE_SECONDS: Final = 3.0
"""For a sentence: long enough to read a file's name, or what went wrong."""


class TimedText:
    """A text that is shown for a moment.

    Args:
        clock: Tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._text = ""
        self._until = float("-inf")

    def show(self, text: str, seconds: float = SENTENCE_SECONDS) -> None:
        """Show a text from now on for some seconds, in place of the one before."""
        self._text, self._until = text, self._clock() + seconds

    @property
    def text(self) -> str | None:
        """The text to show now; None: nothing."""
        return self._text if self._clock() < self._until else None
