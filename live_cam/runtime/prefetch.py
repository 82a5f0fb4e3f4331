"""Producing items in batches on a separate thread, one batch ahead of the consumer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

T = TypeVar("T")

_MOST_BYTES: Final = 256 * 2**20
"""Size at which a batch is complete, so that a large item forms a batch of its own."""


def batches_ahead(
    items: Iterable[T], size: int, nbytes: Callable[[T], int]
) -> Generator[list[T], None, None]:
    """Iterate over items on a separate thread, one batch ahead.

    A caller that stops early must close the generator. If producing an item fails, the exception
    is raised after the batch of the items before it.

    Args:
        items: Produced lazily, on the thread.
        size: Maximum number of items in a batch.
        nbytes: Returns the number of bytes that an item occupies.

    Yields:
        Batches, until the items are exhausted.
    """
    stop = threading.Event()
    iterator = iter(items)
    failures: list[Exception] = []

    def next_batch() -> list[T]:
        batch: list[T] = []
        batch_bytes = 0
        try:
            while len(batch) < size and batch_bytes < _MOST_BYTES:
                if stop.is_set() or failures:
                    break
                batch.append(next(iterator))
                batch_bytes += nbytes(batch[-1])
        except StopIteration:
            pass
        except Exception as error:  # raised again in the caller's thread
            failures.append(error)
        return batch

    with ThreadPoolExecutor(1, "reader") as thread:
        try:
            pending = thread.submit(next_batch)
            while batch := pending.result():
                pending = thread.submit(next_batch)
                yield batch
        finally:
            stop.set()
    if failures:
        raise failures[0]
