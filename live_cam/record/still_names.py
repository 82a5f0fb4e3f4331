"""File endings of the outputs of `live-cam image`, by which later runs recognise them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

OVERLAY: Final = ".cam.jpg"
PANEL: Final = ".panel.jpg"
HEATMAP: Final = ".heatmap.png"
ARRAY: Final = ".heatmap.npy"
GUIDED: Final = ".guided.png"
RECORD: Final = ".json"
FEATURE_MAPS: Final = ".maps."
"""Followed by one of `settings.ANIMATIONS`."""
_IMAGES: Final = (OVERLAY, PANEL, HEATMAP, GUIDED, f"{FEATURE_MAPS}gif")


def is_output(path: Path) -> bool:
    """Whether an image's name says that an earlier run wrote it."""
    return path.name.casefold().endswith(_IMAGES)
