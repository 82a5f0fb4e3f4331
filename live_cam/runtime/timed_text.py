"""Text that is shown for a limited time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_SECONDS: Final = 1.0
"""Duration for the confirmation of a key press."""
SENTENCE_SECONDS: Final = 3.0
"""Duration for a sentence: long enough to read a file name or an error."""


class TimedText:
    """Text that disappears after some seconds.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._text = ""
        self._until = float("-inf")

    def show(self, text: str, seconds: float = SENTENCE_SECONDS) -> None:
        """Show a text for some seconds, replacing the previous one."""
        self._text, self._until = text, self._clock() + seconds

    @property
    def text(self) -> str | None:
        """The text to show now, or None."""
        return self._text if self._clock() < self._until else None
