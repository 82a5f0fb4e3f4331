"""The figures of a run that the image shows: rates, age, activity and messages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from live_cam.live.actions import status_of
from live_cam.live.pointing import PointingGame
from live_cam.runtime.timed_text import TimedText
from live_cam.runtime.timing import FPSMeter

if TYPE_CHECKING:
    from live_cam.capture import Source
    from live_cam.explain.explainer import Explainer
    from live_cam.live.controls import Controls
    from live_cam.live.schedule import Schedule, Shown
    from live_cam.overlay.status import Status
    from live_cam.record.outputs import RunOutputs


class Figures:
    """Measures the loop, and collects the status of a run.

    Attributes:
        shown: Ticks with each new image.
        explained: Ticks with each explanation.
        game: The pointing game, played with each explanation.
        confirmation: What the last key did.
    """

    def __init__(self) -> None:
        self.shown = FPSMeter()
        self.explained = FPSMeter()
        self.game = PointingGame()
        self.confirmation = TimedText()

    def status(
        self,
        controls: Controls,
        shown: Shown,
        source: Source,
        schedule: Schedule,
        explainer: Explainer,
        recording: RunOutputs,
    ) -> Status:
        """Return what the image shows besides the explanation of a frame."""
        explanation = shown.explanation
        lost = None if controls.frozen else source.trouble
        return replace(
            status_of(controls),
            network=explainer.network,
            engine=explainer.engine,
            source=f"{source.name} · {source.description}",
            shown_fps=self.shown.rate,
            explained_fps=self.explained.rate,
            age=shown.frame.timestamp - explanation.timestamp if explanation else None,
            still=schedule.still,
            saved=schedule.saved,
            pointing=self.game.score(controls.target),
            recording=recording.seconds,
            notice=recording.trouble or lost or explainer.activity or explainer.warning,
            confirmation=self.confirmation.text,
        )
