"""A thread that hands its exception to the caller and ends on request."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 0.7
"""Seconds, applied twice. Closing the window must not take noticeably long."""


class Worker:
    """Runs a function in a thread and raises its exception in the caller's thread.

    The function must watch a stop event of its own and return once it is set.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        """Prepare the thread, without starting it.

        Args:
            name: The thread's name, for debuggers.
            work: The function to run.
        """
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            self._work()
        except SystemExit:
            pass
        except BaseException as error:  # raised again by `check`
            self._error = error

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the function has been started and has not returned."""
        return self._thread.is_alive()

    def check(self) -> None:
        """Raise the function's exception, if any; only the first call raises it."""
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            # Its traceback holds this frame, too: a cycle.
            del error

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the function to return; return whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def join(self, timeout: float = _PATIENCE) -> bool:
        """Wait for the function to return, and interrupt it if it takes too long.

        A download by torch has no stop event, and simply exiting would leave hundreds of megabytes
        of a partial file behind. An exception raised in its thread makes it clean up.

        Args:
            timeout: Seconds to wait before the interruption, and again after it.

        Returns:
            Whether the thread has ended. A thread that hangs in a driver does not prevent exit.
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
