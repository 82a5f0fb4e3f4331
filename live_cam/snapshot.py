"""A single picture, saved as it is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.errors import RecordingError
from live_cam.opencv import cv2
from live_cam.outputs import timed_path

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def save_snapshot(picture: NDArray[np.uint8], folder: Path | None = None) -> Path:
    """Save a picture as a PNG named by the time, never over another file.

    Args:
        picture: H×W×3 uint8, BGR.
        folder: Where to; None is the working directory.

    Returns:
        The file that was written.

    Raises:
        RecordingError: The file cannot be written.
    """
    path = timed_path(".png", folder)
    _, encoded = cv2.imencode(".png", picture)
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise RecordingError(
            f"cannot save the snapshot {path}: {error.strerror or error}."
        ) from error
    return path
