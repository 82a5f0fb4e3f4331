"""Short animations: GIFs written by Pillow, videos by the recorder."""

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
"""Images per second."""
_HOLD: Final = 2 * RATE
"""The last image stays for this many image periods."""


def write_animation(path: Path, drawings: Iterator[NDArray[np.uint8]], count: int) -> None:
    """Write images as an animation that holds its last one.

    Args:
        path: A `.gif` file or a video file.
        drawings: H×W×3 uint8, BGR, all of one size; drawn lazily.
        count: The number of images, at least 1.

    Raises:
        RecordingError: No encoder is available, or the file cannot be written.
    """
    if path.suffix.lower() == ".gif":
        _write_gif(path, drawings, count)
    else:
        _write_video(path, drawings)


def _write_gif(path: Path, drawings: Iterator[NDArray[np.uint8]], count: int) -> None:
    # GIF durations are in hundredths of a second; rounding start times keeps errors from adding up.
    shown_at = [round(100 * number / RATE) for number in range(count)]
    shown_at.append(shown_at[-1] + 100 * _HOLD // RATE)
    durations = [10 * (end - start) for start, end in pairwise(shown_at)]
    frames = map(_dithered, drawings)
    next(frames).save(path, save_all=True, append_images=frames, duration=durations, loop=0)


def _dithered(drawn: NDArray[np.uint8]) -> Image.Image:
    """Reduce an image to its own palette of 256 colours, dithered so that heatmaps do not band."""
    image = Image.fromarray(drawn[..., ::-1])
    return image.quantize(palette=image.quantize(), dither=Image.Dither.FLOYDSTEINBERG)


def _write_video(path: Path, drawings: Iterator[NDArray[np.uint8]]) -> None:
    with Recorder(path, overwrite=True, wait=True) as recorder:
        number = 0
        for number, drawn in enumerate(drawings):
            recorder.write(drawn, number / RATE)
        for held in range(1, _HOLD):
            recorder.write(drawn, (number + held) / RATE)
