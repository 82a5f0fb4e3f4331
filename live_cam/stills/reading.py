"""Images read in batches, the next one while the last one is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from live_cam.capture.image_file import read_image
from live_cam.runtime.prefetch import batches_ahead

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.stills.naming import Still


class Read(NamedTuple):
    """An image as it was found."""

    still: Still
    image: NDArray[np.uint8] | None
    """H×W×3, BGR; None: it cannot be read."""

    @property
    def nbytes(self) -> int:
        """How many bytes it holds."""
        return 0 if self.image is None else self.image.nbytes


def read_ahead(stills: Sequence[Still], size: int) -> Generator[list[Read], None, None]:
    """Read images in a thread of its own, one batch ahead.

    Args:
        stills: The images.
        size: How many there are in a batch, at most.

    Yields:
        Batches, until all are read. Whoever stops earlier closes the generator.
    """
    images = (Read(still, read_image(still.source)) for still in stills)
    return batches_ahead(images, size, lambda read: read.nbytes)
