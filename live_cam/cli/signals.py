"""Ctrl-C and its like."""

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
"""Of the blocks that signals stop at present, the outermost first: whether one has come."""


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[threading.Event]:
    """End in good order on the first Ctrl-C, SIGTERM or SIGHUP, and at once on the second.

    The second one need not be the same: whoever presses Ctrl-C after a SIGTERM means it.

    A block within another one, whose signal was lost since an import swallowed the exception, is
    stopped as it begins.

    SIGHUP never ends it at once, since a terminal that is closed sends it twice, by its shell and
    by the system; where it is ignored, as `nohup` has it, it stays so.

    Args:
        stop: Ends what is going on in the block; called in the main thread.

    Yields:
        An event that is set once a signal has come.
    """
    come = threading.Event()
    hangup = getattr(signal, "SIGHUP", None)
    numbers = [getattr(signal, name) for name in _STOP_SIGNALS if hasattr(signal, name)]
    if hangup and signal.getsignal(hangup) is signal.SIG_IGN:
        numbers.remove(hangup)
    late = any(outer.is_set() for outer in _open)
    # In a thread of somebody's own program, signals are not for us to take.
    if late or threading.current_thread() is not threading.main_thread():
        numbers.clear()
    before = {number: signal.getsignal(number) for number in numbers}

    def end(_number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN if each == hangup else signal.SIG_DFL)
        come.set()
        stop()

    for number in numbers:
        signal.signal(number, end)
    hook, sys.unraisablehook = sys.unraisablehook, _passing_over_races(sys.unraisablehook)
    _open.append(come)
    try:
        if late:
            stop()
        yield come
    finally:
        _open.remove(come)
        sys.unraisablehook = hook
        for number, handler in before.items():
            # After the first one, the next still ends it at once while all else is closed.
            if signal.getsignal(number) is end:
                signal.signal(number, handler)


def _passing_over_races(hook: _Hook) -> _Hook:
    """Keep quiet about a second signal that came together with the first: that one was heard."""

    def pass_over(problem: sys.UnraisableHookArgs) -> None:
        if not (
            isinstance(problem.exc_value, OSError)
            and "ignored due to race condition" in str(problem.exc_value)
        ):
            hook(problem)

    return pass_over


def interrupt() -> None:
    """End what the main thread is doing, for `stopped_by_signals`.

    Raises:
        KeyboardInterrupt: Always.
    """
    raise KeyboardInterrupt
