"""Short animations: a GIF by Pillow, or an MP4 by the recorder."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from PIL import Image

from live_cam.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

RATE: Final = 8
"""Pictures per second."""
_HOLD: Final = 2 * RATE
"""For how many pictures' time the last one is shown."""


def write_animation(path: Path, pictures: Iterator[NDArray[np.uint8]], count: int) -> None:
    """Write pictures one after another, and hold the last one.

    Args:
        path: A `.gif` or a video.
        pictures: H×W×3 uint8, BGR, all of one size; drawn when they are needed.
        count: How many there are, at least 1.

    Raises:
        RecordingError: There is no encoder, or the file cannot be written.
    """
    if path.suffix.lower() == ".gif":
        _write_gif(path, pictures, count)
    else:
        _write_video(path, pictures)


def _write_gif(path: Path, pictures: Iterator[NDArray[np.uint8]], count: int) -> None:
    # GIF counts in hundredths of a second: their rounding must not add up.
    shown_at = [round(100 * number / RATE) for number in range(count)]
    shown_at.append(shown_at[-1] + 100 * _HOLD // RATE)
    durations = [10 * (end - start) for start, end in pairwise(shown_at)]
    frames = map(_dithered, pictures)
    next(frames).save(path, save_all=True, append_images=frames, duration=durations, loop=0)


def _dithered(picture: NDArray[np.uint8]) -> Image.Image:
    """Reduce a picture to 256 colours of its own, mixed by dots: heatmaps would show bands."""
    image = Image.fromarray(picture[..., ::-1])
    return image.quantize(palette=image.quantize(), dither=Image.Dither.FLOYDSTEINBERG)


def _write_video(path: Path, pictures: Iterator[NDArray[np.uint8]]) -> None:
    with Recorder(path, overwrite=True, wait=True) as recorder:
        number = 0
        for number, picture in enumerate(pictures):
            recorder.write(picture, number / RATE)
        for held in range(1, _HOLD):
            recorder.write(picture, (number + held) / RATE)
