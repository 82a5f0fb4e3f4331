"""Calibration images for int8: the user's first frames and the demo's photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from live_cam.capture.demo import demo_photos
from live_cam.errors import EngineError, UsageError
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_SMALLEST_VIEW = 0.3
_BRIGHTNESS = 20.0
_CONTRAST = (0.6, 1.4)


def calibration_images(
    frames: Sequence[NDArray[np.uint8]], count: int, seed: int = 0
) -> Iterator[NDArray[np.uint8]]:
    """Yield random views of frames and photos, alternating between the two.

    A camera's first frames are much alike, and photos do not show the user's scene. Both together,
    randomly cropped, mirrored, brightened and darkened, cover the range of the activations.

    Args:
        frames: The user's, H×W×3 BGR; may be empty if the demo extra is installed.
        count: The number of views.
        seed: For the random numbers.

    Raises:
        EngineError: There are no frames, and the photos are not installed.
    """
    try:
        photos = demo_photos()
    except UsageError:
        photos = []
    if not frames and not photos:
        raise EngineError(
            "there are no images to calibrate int8 on; install the demo's photos with: "
            "pip install 'live-cam[demo]'"
        )
    generator = np.random.default_rng(seed)
    sources = [images for images in (photos, list(frames)) if images]
    for index in range(count):
        turn, source = divmod(index, len(sources))
        images = sources[source]
        yield _view(images[turn % len(images)], generator)


def _view(image: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    share = generator.uniform(_SMALLEST_VIEW, 1)
    height, width = (max(1, round(side * share)) for side in image.shape[:2])
    top = generator.integers(0, image.shape[0] - height + 1)
    left = generator.integers(0, image.shape[1] - width + 1)
    view = image[top : top + height, left : left + width]
    if generator.random() < 0.5:
        view = view[:, ::-1]
    contrast = generator.uniform(*_CONTRAST)
    brightness = generator.uniform(-_BRIGHTNESS, _BRIGHTNESS)
    adjusted = cv2.addWeighted(np.ascontiguousarray(view), contrast, view, 0, brightness)
    return np.asarray(adjusted, np.uint8)
