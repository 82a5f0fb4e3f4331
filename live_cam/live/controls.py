"""What the user changes while the program runs, and what it asks of the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from live_cam.labels import matching_classes
from live_cam.question import AGAINST, FOR, EvidenceKind, Question

if TYPE_CHECKING:
    from live_cam.explanation import Prediction
    from live_cam.geometry import Region
    from live_cam.settings import Settings

_SUGGESTIONS: Final = 6


@dataclass(slots=True)
class Controls:
    """The state that keys change, and what of the image they refer to."""

    view: str = "overlay"
    """One of `settings.VIEWS`."""
    method: str = "gradcam"
    """One of `settings.METHODS`."""
    locked: tuple[int, ...] = ()
    """The classes that are explained whatever the network says; none: its top class."""
    evidence: EvidenceKind = FOR
    """One of `question.FOR`, `AGAINST` and `VERSUS`."""
    check: bool = False
    """Whether explanations are checked by hiding their hottest region."""
    randomised: bool = False
    """Whether a network with randomised weights answers."""
    focus: int | None = None
    """Which of the feature maps is shown large, from 0, the strongest; None: their sum."""
    box: bool = False
    """Whether a box is drawn around where the evidence lies."""
    target: Region | None = None
    """The box in which the evidence's peak is wanted, in shares of the frame; None: no box."""
    bars: bool = True
    """Whether the most probable classes are shown as bars."""
    theme: str = "dark"
    """One of `settings.THEMES`."""
    full_screen: bool = False
    """Whether the window fills the screen."""
    entry: str | None = None
    """What was typed of a class's name so far; None: keys are actions."""
    labels: tuple[str, ...] = field(default=(), repr=False)
    """The names of the network's classes; set by the loop once they are known."""
    top: tuple[Prediction, ...] = ()
    """The most probable classes as they are shown; set by the loop."""
    panes: tuple[Region, ...] = ()
    """Where the feature maps are shown, in shares of the image; set by the loop."""
    pointer: tuple[float, float] = (0.0, 0.0)
    """Where the mouse is, in shares of the image's width and height."""
    pressed: tuple[float, float] | None = None
    """Where its button was pressed; None: it is not pressed."""

    alpha: float = 0.45
    """Weight of the heatmap's colours, in `settings.ALPHA`."""
    mirror: bool = False
    """Whether the image is drawn mirrored."""
    frozen: bool = False
    """Whether the image stands still."""
    help: bool = False
    """Whether the help card is shown."""
    recording: bool = False
    """Whether a recording is wanted."""
    snapshots: int = 0
    """How many snapshots were asked for and not yet saved."""
    quit: bool = False
    """Whether the program is to end."""

    @classmethod
    def of(cls, settings: Settings) -> Controls:
        """Start as the command line says."""
        several = len(settings.target_classes) > 1
        return cls(
            view="classes" if several and settings.view == "overlay" else settings.view,
            method=settings.method,
            evidence=AGAINST if settings.counterfactual else FOR,
            check=settings.check is not None,
            box=settings.box,
            bars=settings.bars,
            theme=settings.theme,
            full_screen=settings.full_screen,
            alpha=settings.alpha,
            mirror=settings.mirror,
            recording=settings.record is not None,
        )

    def question(self) -> Question:
        """What the network is to be asked, so that the view can show it."""
        return Question.of_view(
            self.view,
            self.method,
            self.evidence,
            self.locked,
            most=len(self.labels) or None,
            check=self.check,
            randomised=self.randomised,
        )

    @property
    def suggestions(self) -> tuple[int, ...]:
        """The classes that what was typed may mean, the likeliest first."""
        return matching_classes(self.labels, self.entry or "")[:_SUGGESTIONS]
