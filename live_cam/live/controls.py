"""The controls: what the user wants while the program runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from live_cam.look import Look
from live_cam.question import AGAINST, FOR, EvidenceKind, Question

if TYPE_CHECKING:
    from live_cam.explanation import Prediction
    from live_cam.geometry import Region
    from live_cam.settings import Method, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What keys and the mouse change, and the parts of the image that they refer to."""

    look: Look = field(default_factory=Look)
    """How the explanation is drawn."""
    method: Method = "gradcam"
    """How the heatmap is computed."""
    locked: tuple[int, ...] = ()
    """Indices of the classes to explain; empty: the top class of each frame."""
    evidence: EvidenceKind = FOR
    """Which evidence is shown."""
    check: bool = False
    """Whether explanations are checked by hiding their hottest region."""
    randomised: bool = False
    """Whether a network with randomised weights is explained."""
    focus: int | None = None
    """The feature map that is shown large, from 0, the strongest, or None for their sum."""
    target: Region | None = None
    """The user's box, in shares of the unmirrored frame, or None without one."""
    full_screen: bool = False
    """Whether the window fills the screen."""
    frozen: bool = False
    """Whether the image stands still."""
    help: bool = False
    """Whether the help card is shown."""
    recording: bool = False
    """Whether a recording is wanted."""
    snapshots: int = 0
    """How many snapshots were requested so far."""
    quit: bool = False
    """Whether the program should end."""
    entry: str | None = None
    """The typed part of a class's name, or None while keys are actions."""
    pointer: tuple[float, float] = (0.0, 0.0)
    """Where the mouse is, in shares of the image's width and height."""
    pressed: tuple[float, float] | None = None
    """Where its button was pressed, or None while it is up."""

    labels: tuple[str, ...] = field(default=(), repr=False)
    """The names of the network's classes; empty before it is loaded."""
    top: tuple[Prediction, ...] = ()
    """The most probable classes on the image."""
    panes: tuple[Region, ...] = ()
    """Where the image shows single feature maps, in shares of its sides."""

    @classmethod
    def of(cls, settings: Settings) -> Controls:
        """Return the controls that a run starts with."""
        return cls(
            look=settings.look,
            method=settings.method,
            evidence=AGAINST if settings.counterfactual else FOR,
            check=settings.check is not None,
            full_screen=settings.full_screen,
            recording=settings.record is not None,
        )

    def with_look(self, **changes: Any) -> Controls:
        """Return the controls with changes to the look."""
        return replace(self, look=replace(self.look, **changes))

    def question(self) -> Question:
        """Return the question that the view needs answered."""
        return Question.of_view(
            self.look.view,
            self.method,
            self.evidence,
            self.locked,
            most=len(self.labels) or None,
            check=self.check,
            randomised=self.randomised,
        )


class Outcome(NamedTuple):
    """The effect of a key or the mouse."""

    controls: Controls
    """The new controls."""
    confirmation: str | None = None
    """A text to show for a moment, or None."""
