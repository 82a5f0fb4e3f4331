"""Networks with numerical flaws, and images of unusual sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from live_cam.runtime.opencv import cv2
from tests.support import tiny
from tests.support.networks import randomised

SIZES = ((1, 1), (1, 500), (500, 1), (2, 3), (17, 16), (40, 60))
"""Height and width."""
WHITE, BLACK = 255, 0
Change = Callable[[Any], None]


def checkpoint(path: Path, classes: int, change: Change = lambda _module: None) -> Path:
    """Write random weights with a flaw."""
    module = randomised(tiny.tiny(num_classes=classes))
    with torch.no_grad():
        change(module)
    torch.save(module.state_dict(), path)
    return path


def folder(path: Path, images: Sequence[NDArray[np.uint8]]) -> Path:
    path.mkdir()
    for number, image in enumerate(images):
        assert cv2.imwrite(str(path / f"{number}.png"), image)
    return path


def plain(level: int, height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


def odd_images(path: Path, count: int) -> Path:
    """Write images of noise and of single colours, from one pixel up."""
    random = np.random.default_rng(0)
    images = []
    for number in range(count):
        height, width = SIZES[number % len(SIZES)]
        if number % 2:
            images.append(plain(37 * number % 256, height, width))
        else:
            images.append(random.integers(0, 256, (height, width, 3), np.uint8))
    return folder(path, images)


def unresponsive(module: Any) -> None:
    module[8].weight.zero_()


def overflowing_on_white(module: Any) -> None:
    """Multiply infinity by 0 behind the second convolution, unless the frame is dark."""
    module[0].weight.zero_()[:, :, 1, 1] = 1e20
    module[0].bias.zero_()
    module[2].weight.abs_().mul_(1e20)
    module[6].weight[0] = 0


def overflowing_always(module: Any) -> None:
    module[0].bias.fill_(1e38)
    module[2].weight.mul_(1e20)
