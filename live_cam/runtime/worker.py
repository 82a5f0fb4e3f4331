"""A thread whose failure is not lost, and which ends when it is asked to."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 0.7
"""Seconds, twice: whoever closes the window is not kept waiting."""


class Worker:
    """Runs a function in a thread and raises its exception again in the caller's thread.

    The function must look at a stop event of its own; `join` is the end of it.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        """Take the function; `start` runs it.

        Args:
            name: The thread's name, for debuggers.
            work: What to run.
        """
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            self._work()
        except SystemExit:
            pass
        except BaseException as error:  # every failure is the main thread's
            self._error = error

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the function has been started and has not returned."""
        return self._thread.is_alive()

    def check(self) -> None:
        """Raise the function's exception, if it failed, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def wait(self, timeout: float) -> bool:
        """Wait until the function has returned, or for so many seconds; return whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def join(self, timeout: float = _PATIENCE) -> bool:
        """Wait until the function has returned, and interrupt it where it takes too long.

        torch's download knows no stop, and a process that just ends leaves hundreds of megabytes
        of a half download behind: an exception raised in its thread makes it clean up.

        Args:
            timeout: Seconds to wait before interrupting, and again after it.

        Returns:
            Whether the thread has ended. One that hangs in a driver does not keep the process.
        """
        if self._thread.ident is None:
            return True
        self._thread.join(timeout)
        if self._thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident), ctypes.py_object(SystemExit)
            )
            self._thread.join(timeout)
        return not self._thread.is_alive()
