"""From a camera's frame to a network's input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from live_cam.opencv import cv2
from live_cam.resizing import shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


class Preprocessor:
    """Makes frames into what a network was trained on.

    The whole frame is squashed into the network's input, as the Grad-CAM authors' code does, so
    that every part of the picture can speak for a class, and the map is stretched back over it.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        device: torch.device | None = None,
    ) -> None:
        """Take what the network was trained with.

        Args:
            input_size: Height and width of its input in pixels.
            mean: Of the red, green and blue channel in [0, 1], to subtract.
            std: Likewise, to divide by.
            device: Where the network is; None is the CPU.
        """
        self._height, self._width = input_size
        self._device = device or torch.device("cpu")
        # (pixel / 255 - mean) / std, as one multiplication and one addition.
        deviation = torch.tensor(std, device=self._device).view(3, 1, 1)
        self._factor = 1.0 / (255.0 * deviation)
        self._offset = -torch.tensor(mean, device=self._device).view(3, 1, 1) / deviation

    def __call__(self, image: NDArray[np.uint8]) -> Tensor:
        """Return 1×3×H×W float32 (red, green, blue; normalised) on the network's device.

        Args:
            image: H×W×3 uint8, BGR, of any size.

        Raises:
            ValueError: The image is not H×W×3 uint8.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != "uint8":
            raise ValueError(f"expected H×W×3 uint8, got {image.shape} {image.dtype}")
        if image.shape[0] >= self._height and image.shape[1] >= self._width:
            small = shrunk(image, self._width, self._height)
        else:
            size = self._width, self._height
            small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        pixels = torch.from_numpy(rgb).to(self._device).permute(2, 0, 1)
        return torch.addcmul(self._offset, pixels.float(), self._factor)[None]
