"""From a camera's frame to a network's input."""

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
    """Makes frames into what a network was trained on.

    By default the whole frame is squashed into the network's input, as the Grad-CAM authors' code
    does, so that every part of the image can speak for a class.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        device: torch.device | None = None,
        fit: str = "squash",
    ) -> None:
        """Take what the network was trained with.

        Args:
            input_size: Height and width of its input in pixels.
            mean: Of the red, green and blue channel in [0, 1], to subtract.
            std: Likewise, to divide by.
            device: Where the network is; None is the CPU.
            fit: One of `settings.FITS`.
        """
        self._fit = fit
        self._height, self._width = input_size
        self._device = device or torch.device("cpu")
        # To pad with: what is 0 once it is normalised, in blue, green and red.
        self._padding = tuple(round(255 * channel) for channel in reversed(mean))
        # (pixel / 255 - mean) / std, as one multiplication and one addition.
        deviation = torch.tensor(std, device=self._device).view(3, 1, 1)
        self._factor = 1.0 / (255.0 * deviation)
        self._offset = -torch.tensor(mean, device=self._device).view(3, 1, 1) / deviation

    def region(self, width: int, height: int) -> Region:
        """Return which part of a frame the network sees, in shares of the frame.

        Args:
            width: The frame's width in pixels.
            height: Its height in pixels.
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
        image = self._cut(image)
        if image.shape[0] >= self._height and image.shape[1] >= self._width:
            small = shrunk(image, self._width, self._height)
        else:
            size = self._width, self._height
            small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        pixels = torch.from_numpy(rgb).to(self._device).permute(2, 0, 1)
        return torch.addcmul(self._offset, pixels.float(), self._factor)[None]

    def _cut(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        x, y, across, down = fitted(self._fit, width, height, self._width / self._height)
        if across > width or down > height:
            right, bottom = across - width + x, down - height + y
            padded = cv2.copyMakeBorder(
                image, -y, bottom, -x, right, cv2.BORDER_CONSTANT, value=self._padding
            )
            return np.asarray(padded, np.uint8)
        return image[y : y + down, x : x + across]
