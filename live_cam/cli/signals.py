"""Ctrl-C and other signals that stop the program."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import TypeAlias

    _Hook: TypeAlias = Callable[["sys.UnraisableHookArgs"], object]

_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_open: list[threading.Event] = []
"""The events of the blocks that signals stop at present, the outermost first."""


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[threading.Event]:
    """Stop the block on the first Ctrl-C, SIGTERM or SIGHUP, and end the process on the second.

    The two signals may differ, such as a Ctrl-C after a SIGTERM.

    An import may swallow the exception of a signal. A block inside a block whose signal was lost
    like this is stopped as soon as it begins.

    A second SIGHUP does not end the process, because closing a terminal sends two of them, from
    the shell and from the system. If SIGHUP is ignored, as by `nohup`, it stays ignored.

    Args:
        stop: Stops the block; called in the main thread.

    Yields:
        An event that is set once a signal has arrived.
    """
    received = threading.Event()
    hangup = getattr(signal, "SIGHUP", None)
    numbers = [getattr(signal, name) for name in _STOP_SIGNALS if hasattr(signal, name)]
    if hangup and signal.getsignal(hangup) is signal.SIG_IGN:
        numbers.remove(hangup)
    late = any(outer.is_set() for outer in _open)
    # Signal handlers can be set only in the main thread.
    if late or threading.current_thread() is not threading.main_thread():
        numbers.clear()
    before = {number: signal.getsignal(number) for number in numbers}

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN if number == hangup else signal.SIG_DFL)
        received.set()
        stop()

    for number in numbers:
        signal.signal(number, end)
    hook, sys.unraisablehook = sys.unraisablehook, _ignoring_races(sys.unraisablehook)
    _open.append(received)
    try:
        if late:
            stop()
        yield received
    finally:
        _open.remove(received)
        sys.unraisablehook = hook
        for number, handler in before.items():
            # After a first signal, the next one still ends the process while resources are closed.
            if signal.getsignal(number) is end:
                signal.signal(number, handler)


def _ignoring_races(hook: _Hook) -> _Hook:
    """Suppress the warning about a second signal that arrives together with the first."""

    def filtered(problem: sys.UnraisableHookArgs) -> None:
        if not (
            isinstance(problem.exc_value, OSError)
            and "ignored due to race condition" in str(problem.exc_value)
        ):
            hook(problem)

    return filtered


def interrupt() -> None:
    """Interrupt the main thread, as the `stop` of `stopped_by_signals`.

    Raises:
        KeyboardInterrupt: Always.
    """
    raise KeyboardInterrupt
