"""What the image says about the run itself, apart from what it explains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from live_cam.look import Look

if TYPE_CHECKING:
    from live_cam.geometry import Region


class PointingScore(NamedTuple):
    """How a pointing game stands."""

    hits: int
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The live figures and states that are written on the image."""

    look: Look = field(default_factory=Look)
    """How all of it is drawn."""
    network: str = ""
    """The network's and target layer's name: `vgg19 · features.35`."""
    engine: str = ""
    """Device and precision: `cpu fp32`."""
    source: str = ""
    """Name and true format of the source: `camera 0 · 1280×720 MJPG at 30 fps`."""
    shown_fps: float | None = None
    """Different frames shown per second; None: not known yet."""
    explained_fps: float | None = None
    """Explanations per second; None: not known yet."""
    age: float | None = None
    """Seconds that the explanation's frame lies before the frame it is drawn on."""
    still: bool = False
    """Whether nothing has changed since that frame, so that no explanation is needed."""
    saved: int = 0
    """How many explanations were not needed so far, since nothing had changed."""
    locked: bool = False
    """Whether the explained class was chosen by the user."""
    focus: int | None = None
    """Which of the feature maps is shown large; None: their sum."""
    caption: str | None = None
    """What the first map shows, in place of its title; None: its title, unless it is Grad-CAM."""
    target: Region | None = None
    """The box in which the user wants the evidence's peak, in shares of the frame."""
    pointing: PointingScore | None = None
    """How often it was there; None: the user drew no box."""
    frozen: bool = False
    """Whether the image stands still."""
    recording: float | None = None
    """Seconds recorded so far; None: not recording."""
    notice: str | None = None
    """What is going on: `loading vgg19…`, `camera lost, looking for it… 3 of 60 s`."""
    confirmation: str | None = None
    """What the last key did: `saved live-cam-20261123-101500.png`."""
    keys: tuple[tuple[str, str], ...] = ()
    """Pairs of key and meaning to show as a help card; empty: no card."""
