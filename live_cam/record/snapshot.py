"""A single image, saved as it is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.record.destinations import create_free, recording_error, timed_name
from live_cam.record.output_file import OutputFile
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def save_snapshot(image: NDArray[np.uint8], folder: Path | None = None) -> Path:
    """Save an image as a PNG named by the time, never over another file.

    Args:
        image: H×W×3 uint8, BGR.
        folder: Where to; None is the working directory.

    Returns:
        The file that was written, wholly.

    Raises:
        UsageError: The file cannot be created.
        RecordingError: It cannot be written; nothing is left of it.
    """
    _, encoded = cv2.imencode(".png", image)
    name = timed_name(".png")
    file = create_free(folder / name if folder else name, OutputFile)
    try:
        try:
            file.write(encoded.tobytes())
        finally:
            file.close()
    except OSError as error:
        raise recording_error(file.path, error) from error
    return file.path
