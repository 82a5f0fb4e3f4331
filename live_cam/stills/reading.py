"""Pictures read in batches, the next one while the last one is explained."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from live_cam.capture.stills import read_picture

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.stills.naming import Still

_MOST_BYTES: Final = 256 * 2**20
"""Of decoded pictures in a batch: a large one is explained by itself."""


class Read(NamedTuple):
    """A picture as it was found."""

    still: Still
    image: NDArray[np.uint8] | None
    """H×W×3, BGR; None: it cannot be read."""


def read_ahead(stills: Sequence[Still], size: int) -> Generator[list[Read], None, None]:
    """Read pictures in a thread of its own, one batch ahead.

    Args:
        stills: The pictures.
        size: How many there are in a batch, at most.

    Yields:
        Batches, until all are read. Whoever stops earlier closes the generator.
    """
    stop = threading.Event()
    rest = iter(stills)

    def read() -> list[Read]:
        batch: list[Read] = []
        read_bytes = 0
        while len(batch) < size and read_bytes < _MOST_BYTES and not stop.is_set():
            still = next(rest, None)
            if still is None:
                break
            batch.append(Read(still, read_picture(still.source)))
            image = batch[-1].image
            read_bytes += 0 if image is None else image.nbytes
        return batch

    with ThreadPoolExecutor(1, "pictures") as thread:
        try:
            pending = thread.submit(read)
            while batch := pending.result():
                pending = thread.submit(read)
                yield batch
        finally:
            stop.set()
