"""A place for the newest value alone: a slow reader skips what came in between."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Hands the newest value from one thread to others; older ones that nobody took are lost."""

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
        """Return the newest value as soon as it is another one than `than`.

        Args:
            than: What the caller has already; None takes whatever there is.
            timeout: Seconds to wait for it.

        Returns:
            The newest value; None if there was no other one in time.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._value is not None and self._value is not than, timeout
            )
            return None if self._value is than else self._value

    def hold(self, value: T) -> None:
        """Make this the newest value and ignore what is put, until `release`."""
        with self._changed:
            self._held = True
            self._value = value
            self._changed.notify_all()

    def release(self) -> None:
        """Take what is put again."""
        with self._changed:
            self._held = False
