"""Images read in batches, one batch ahead of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from live_cam.capture.image_file import read_image
from live_cam.runtime.prefetch import batches_ahead

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.stills.naming import Still


class LoadedStill(NamedTuple):
    """A still with its pixels."""

    still: Still
    image: NDArray[np.uint8] | None
    """H×W×3, BGR, or None if the file cannot be read."""

    @property
    def nbytes(self) -> int:
        """The image's size in bytes."""
        return 0 if self.image is None else self.image.nbytes


def read_ahead(stills: Sequence[Still], size: int) -> Generator[list[LoadedStill], None, None]:
    """Read images in a separate thread, one batch ahead.

    Args:
        stills: The images to read.
        size: The largest number of images in a batch.

    Yields:
        Batches. A caller that stops early must close the generator.
    """
    loaded = (LoadedStill(still, read_image(still.source)) for still in stills)
    return batches_ahead(loaded, size, lambda each: each.nbytes)
