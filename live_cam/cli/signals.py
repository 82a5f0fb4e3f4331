"""Ctrl-C and its like."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """End in good order on the first Ctrl-C or SIGTERM, and at once on the second.

    Args:
        stop: Ends what is going on in the block; called in the main thread.
    """
    numbers = [getattr(signal, name) for name in _STOP_SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop()

    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt() -> None:
    """End what is going on as Ctrl-C does by itself: by a `KeyboardInterrupt`."""
    raise KeyboardInterrupt
