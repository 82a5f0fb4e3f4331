"""Images taken in batches by a thread of its own, one batch ahead of whoever explains them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

T = TypeVar("T")

_MOST_BYTES: Final = 256 * 2**20
"""Of decoded images in a batch: a large one is explained by itself."""


def batches_ahead(
    items: Iterable[T], size: int, weigh: Callable[[T], int]
) -> Generator[list[T], None, None]:
    """Take items in a thread of its own, one batch ahead.

    Args:
        items: Made when they are taken.
        size: How many there are in a batch, at most.
        weigh: Says how many bytes an item holds.

    Yields:
        Batches, until all are taken. Whoever stops earlier closes the generator. Where making an
        item fails, its exception is raised after the batch of those before it.
    """
    stop = threading.Event()
    rest = iter(items)
    failed: list[Exception] = []

    def take() -> list[T]:
        batch: list[T] = []
        taken_bytes = 0
        try:
            while len(batch) < size and taken_bytes < _MOST_BYTES:
                if stop.is_set() or failed:
                    break
                batch.append(next(rest))
                taken_bytes += weigh(batch[-1])
        except StopIteration:
            pass
        except Exception as error:  # it is raised in the caller's thread
            failed.append(error)
        return batch

    with ThreadPoolExecutor(1, "reader") as thread:
        try:
            pending = thread.submit(take)
            while batch := pending.result():
                pending = thread.submit(take)
                yield batch
        finally:
            stop.set()
    if failed:
        raise failed[0]
