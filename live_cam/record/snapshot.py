"""Snapshots: single images as shown on screen."""

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
    """Save an image as a PNG named after the current time, without replacing any file.

    Args:
        image: H×W×3 uint8, BGR.
        folder: The folder, or None for the working directory.

    Returns:
        The path of the complete file.

    Raises:
        UsageError: The file cannot be created.
        RecordingError: It cannot be written. No part of it remains.
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
