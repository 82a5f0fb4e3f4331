"""A slot for the newest value only: a slow reader skips the values in between."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Passes the newest value between threads; a new value overwrites an unread one."""

    def __init__(self) -> None:
        """Start without a value."""
        self._changed = threading.Condition()
        self._value: T | None = None
        self._held = False

    def put(self, value: T) -> None:
        """Make this the newest value, unless one is held."""
        with self._changed:
            if not self._held:
                self._value = value
                self._changed.notify_all()

    def newer(self, than: T | None, timeout: float) -> T | None:
        """Wait until the newest value is a different object than `than`, and return it.

        Args:
            than: The last value the caller received, or None to accept any.
            timeout: Seconds to wait.

        Returns:
            The newest value, or None after the timeout.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._value is not None and self._value is not than, timeout
            )
            return None if self._value is than else self._value

    def hold(self, value: T) -> None:
        """Make this the newest value and ignore `put` until `release`."""
        with self._changed:
            self._held = True
            self._value = value
            self._changed.notify_all()

    def release(self) -> None:
        """Accept new values again."""
        with self._changed:
            self._held = False
