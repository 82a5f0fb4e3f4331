"""Images as a source of frames: a single one, or those of a folder one after another."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from live_cam.capture.base import PacedSource, RawFrame
from live_cam.capture.image_file import read_image, unreadable
from live_cam.capture.image_paths import images_in
from live_cam.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

HOLD: Final = 2.0
"""Seconds for which each image is shown."""
_RATE: Final = 30
"""Frames per second."""


class Stills(PacedSource):
    """Images, each held for a while at 30 frames per second.

    Attributes:
        skipped: Unreadable images so far, which were skipped.
    """

    def __init__(
        self, paths: Sequence[Path], name: str, *, hold: float = HOLD, loop: bool = False
    ) -> None:
        """Read the first readable image.

        Args:
            paths: The images, in order.
            name: Display name.
            hold: Seconds for which each image is shown, rounded to at least one frame.
            loop: Whether to start again after the last image, forever.

        Raises:
            UsageError: None of the images is readable.
        """
        super().__init__(name)
        self.skipped: list[Path] = []
        self._paths = paths
        self._repeats = max(1, round(hold * _RATE))
        self._loop = loop
        self._position = -1
        self._shown = 0
        self._frames = 0
        self._image = self._advance()
        if self._image is None:
            raise UsageError(unreadable(paths))
        height, width = self._image.shape[:2]
        size = f"{width}×{height}"
        self.description = size if len(paths) == 1 else f"{len(paths)} images, the first {size}"

    def _next(self) -> RawFrame | None:
        if self._shown == self._repeats:
            self._image = self._advance()
        if self._image is None:
            return None
        raw = RawFrame(self._image, self._frames / _RATE)
        self._shown += 1
        self._frames += 1
        return raw

    def _advance(self) -> NDArray[np.uint8] | None:
        """Read the next readable image, or return None if there is none."""
        self._shown = 0
        if self._loop and len(self._paths) == 1 and self._position == 0:
            return self._image
        for _ in self._paths:
            self._position += 1
            if self._position == len(self._paths):
                if not self._loop:
                    self._position -= 1
                    return None
                self._position = 0
            path = self._paths[self._position]
            image = read_image(path)
            if image is not None:
                return image
            if path not in self.skipped:
                self.skipped.append(path)
                if len(self._paths) > 1:
                    _log.warning("%s is not a readable image and is skipped.", path)
        return None

    def _release(self) -> None:
        self._image = None


def open_image(path: Path, *, hold: float = HOLD, loop: bool = False) -> Stills:
    """Open one image.

    Args:
        path: An existing file.
        hold: Seconds for which it is shown; 0 shows one frame.
        loop: Whether it is shown forever.

    Raises:
        UsageError: The image is not readable.
    """
    return Stills([path], path.name, hold=hold, loop=loop)


def open_folder(folder: Path, *, hold: float = HOLD, loop: bool = False) -> Stills:
    """Open the images in a folder, sorted by name in natural order (2 before 10).

    Args:
        folder: An existing folder; its subfolders are ignored.
        hold: Seconds for which each image is shown; 0 shows one frame each.
        loop: Whether to start again after the last image, forever.

    Raises:
        UsageError: The folder contains no image, or none that is readable.
    """
    return Stills(images_in(folder), folder.resolve().name or str(folder), hold=hold, loop=loop)
