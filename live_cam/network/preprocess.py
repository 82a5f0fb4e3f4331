"""From an image to a network's input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from live_cam.geometry import Region, fitted
from live_cam.resizing import shrunk
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


class Preprocessor:
    """Turns images into a network's input.

    By default the whole image is squashed into the input, as in the Grad-CAM authors' code, so
    every part of it can be evidence for a class.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        device: torch.device | None = None,
        fit: str = "squash",
    ) -> None:
        """Prepare the normalisation.

        Args:
            input_size: Height and width of the network's input in pixels.
            mean: Mean of the red, green and blue channel in [0, 1].
            std: Standard deviation of the same.
            device: The network's device, the CPU by default.
            fit: One of `settings.FITS`.
        """
        self._fit = fit
        self._height, self._width = input_size
        self._device = device or torch.device("cpu")
        # The padding colour in blue, green and red: it is 0 after normalisation.
        self._padding = tuple(round(255 * channel) for channel in reversed(mean))
        # (pixel / 255 - mean) / std, as one multiplication and one addition.
        deviation = torch.tensor(std, device=self._device).view(3, 1, 1)
        self._factor = 1.0 / (255.0 * deviation)
        self._offset = -torch.tensor(mean, device=self._device).view(3, 1, 1) / deviation

    def region(self, width: int, height: int) -> Region:
        """Return the part of an image that the network sees, in fractions of the image.

        Args:
            width: Width of the image in pixels.
            height: Height of the image in pixels.
        """
        x, y, across, down = fitted(self._fit, width, height, self._width / self._height)
        return Region(x / width, y / height, across / width, down / height)

    def __call__(self, image: NDArray[np.uint8]) -> Tensor:
        """Return 1×3×H×W float32 (red, green, blue; normalised) on the network's device.

        Args:
            image: H×W×3 uint8, BGR, of any size.

        Raises:
            ValueError: The image is not H×W×3 uint8.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != "uint8":
            raise ValueError(f"expected H×W×3 uint8, got {image.shape} {image.dtype}")
        image = self._fitted(image)
        if image.shape[0] >= self._height and image.shape[1] >= self._width:
            small = shrunk(image, self._width, self._height)
        else:
            size = self._width, self._height
            small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        pixels = torch.from_numpy(rgb).to(self._device).permute(2, 0, 1)
        return torch.addcmul(self._offset, pixels.float(), self._factor)[None]

    def _fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        x, y, across, down = fitted(self._fit, width, height, self._width / self._height)
        if across > width or down > height:
            right, bottom = across - width + x, down - height + y
            padded = cv2.copyMakeBorder(
                image, -y, bottom, -x, right, cv2.BORDER_CONSTANT, value=self._padding
            )
            return np.asarray(padded, np.uint8)
        return image[y : y + down, x : x + across]
