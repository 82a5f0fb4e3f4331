"""The status: what the image shows besides the explanation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from live_cam.look import Look

if TYPE_CHECKING:
    from live_cam.geometry import Region


class PointingScore(NamedTuple):
    """The hits and rounds of a pointing game."""

    hits: int
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the explanation is drawn, and the figures and states on the image."""

    look: Look = field(default_factory=Look)
    """How it is drawn."""
    network: str = ""
    """The network's and target layer's name: `vgg19 · features.35`."""
    engine: str = ""
    """Engine, device and precision: `torch cpu fp32`."""
    source: str = ""
    """Name and actual format of the source: `camera 0 · 1280×720 MJPG at 30 fps`."""
    shown_fps: float | None = None
    """Distinct frames shown per second, or None if unknown."""
    explained_fps: float | None = None
    """Explanations per second, or None if unknown."""
    age: float | None = None
    """Seconds from the explained frame to the frame it is drawn on."""
    still: bool = False
    """Whether the image is unchanged since that frame, so that no explanation is needed."""
    saved: int = 0
    """How many explanations were skipped so far because the image was unchanged."""
    locked: bool = False
    """Whether the explained class was chosen by the user."""
    focus: int | None = None
    """The feature map that is shown large, or None for their sum."""
    caption: str | None = None
    """A title for the first map, or None for its own, which plain Grad-CAM does without."""
    target: Region | None = None
    """The user's box, in shares of the unmirrored frame."""
    pointing: PointingScore | None = None
    """How often the evidence's peak was in it, or None without a box."""
    frozen: bool = False
    """Whether the image stands still."""
    recording: float | None = None
    """Seconds recorded so far, or None while nothing is recorded."""
    notice: str | None = None
    """The current activity or problem: `loading vgg19…`."""
    confirmation: str | None = None
    """The effect of the last key: `saved live-cam-20261123-101500.png`."""
    keys: tuple[tuple[str, str], ...] = ()
    """Pairs of key and meaning for the help card; without any there is no card."""
