"""The live loop: it alone wires the stages, and reads like a table of contents."""

from __future__ import annotations

import math
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from live_cam.capture import Opening, open_source
from live_cam.explain.explainer import Explainer
from live_cam.labels import find_classes
from live_cam.live.actions import point, press, status_of
from live_cam.live.controls import Controls
from live_cam.live.limits import Limits
from live_cam.live.pointing import PointingGame
from live_cam.live.schedule import EveryFrame, NewestFirst, Schedule, Shown
from live_cam.live.window import Window
from live_cam.overlay import Overlay, peak
from live_cam.record.outputs import RunOutputs
from live_cam.runtime.opencv import cv2
from live_cam.runtime.timed_text import KEY_SECONDS, TimedText
from live_cam.runtime.timing import FPSMeter
from live_cam.temporal.stabiliser import Stabiliser

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.capture import Source
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.overlay.status import Status
    from live_cam.question import Question
    from live_cam.settings import Settings

_KEY_INTERVAL = 0.015
_REFRESH_INTERVAL = 0.2


class _EndedError(Exception):
    """The end came before the source was open."""


class LivePipeline:
    """Frames in, explanations on them, images out: to a window, a recording and a log.

    The source and the explainer run in threads of their own (`live_cam.live.schedule`); drawing and
    the window stay in the thread that calls `run`, since macOS allows windows in the main thread
    only.

    Attributes:
        controls: What keys change; anyone may change it while the loop runs.
        observer: Told what the loop does, where someone wants to measure it.
    """

    class Observer(Protocol):
        """Someone who watches the loop and does not touch it."""

        def shown(self, shown: Shown) -> None:
            """Take note of a new image that is out, in the main thread."""

        def explained(self, frame: Frame, explanation: Explanation) -> None:
            """Take note of an explanation, in the explainer's thread."""

    def __init__(
        self,
        settings: Settings,
        notify: Callable[[str], None] = print,
        *,
        open_source: Callable[[], Source] | None = None,
    ) -> None:
        """Take the settings; nothing is opened yet.

        Args:
            settings: What to do.
            notify: Called with what the user must know, one sentence a call.
            open_source: Opens where frames come from; None: what the settings name.
        """
        self.controls = Controls.of(settings)
        self.observer: LivePipeline.Observer | None = None
        self._settings = settings
        self._notify = notify
        self._open_frames = open_source or partial(_open_source, settings)
        self._stop = threading.Event()
        self._limits = Limits(settings)
        self._explainer = Explainer(settings, notify, self._begin)
        self._overlay = Overlay(settings.colormap)
        self._stabiliser = Stabiliser(
            settings.smoothing, track=settings.track, carry=not settings.every_frame
        )
        self._game = PointingGame()
        self._shown_meter = FPSMeter()
        self._explained_meter = FPSMeter()
        self._window: Window | None = None
        self._schedule: Schedule | None = None
        self._shown: Shown | None = None
        self._frozen = False
        self._drawn_at = 0.0
        self._confirmation = TimedText()
        self._recording = RunOutputs(settings, notify, self._confirmation)

    def stop(self) -> None:
        """End `run` soon and in good order. May be called from any thread or signal handler."""
        self._stop.set()

    @property
    def engine(self) -> str:
        """What computes the explanations, once the network is loaded: `torch cpu fp32`."""
        return self._explainer.engine

    @property
    def settled(self) -> bool:
        """Whether it is decided which engine explains."""
        return self._explainer.settled

    def run(self) -> None:
        """Run until the source ends, a limit is reached, the user quits, or `stop` is called.

        Raises:
            LiveCamError: Something failed; what was recorded until then is on the disk.
        """
        # OpenCV's threads would wait for the cores that the network computes on.
        cv2.setNumThreads(1)
        with suppress(_EndedError), ExitStack() as resources:
            source, schedule = self._open(resources)
            while not self._stop.is_set() and not self.controls.quit:
                shown = self._next(schedule)
                if shown is not None:
                    if self._limits.reached(shown.frame.timestamp):
                        break
                    self._advance(shown, source)
                    schedule.load()
                elif schedule.ended or (source.live and self._limits.reached(time.monotonic())):
                    break
                else:
                    self._refresh(source, schedule.explanation)
                self._poll_window(source)
                self._apply_controls(schedule)
            if not self._stop.is_set() and not self.controls.quit:
                self._explainer.check()

    # ---- opening -------------------------------------------------------------------------------

    def _open(self, resources: ExitStack) -> tuple[Source, Schedule]:
        settings = self._settings
        if not settings.headless:
            self._window = resources.enter_context(Window())
        resources.enter_context(self._recording)
        source = resources.enter_context(self._open_source())
        self._notify(f"{source.name}: {source.description}")
        resources.enter_context(self._explainer)
        scheduling = EveryFrame if settings.every_frame else NewestFirst
        schedule: Schedule = scheduling(source, self._explainer, self._note_explanation)
        resources.callback(schedule.close)
        self._schedule = schedule
        return source, schedule

    def _open_source(self) -> Source:
        """Open the source; the window and whoever wants to stop do not wait for it."""
        opening = Opening(self._open_frames)
        while (source := opening.wait(_KEY_INTERVAL)) is None:
            self._poll_window(None)
            if self._stop.is_set() or self.controls.quit:
                opening.abandon()
                raise _EndedError
        return source

    def _note_explanation(self, frame: Frame, explanation: Explanation) -> None:
        """Count and log an explanation; called in the explainer's thread."""
        self._explained_meter.tick()
        if self.observer:
            self.observer.explained(frame, explanation)
        if not self._recording.logs and self.controls.target is None:
            return
        height, width = frame.image.shape[:2]
        x, y = peak(explanation.heatmap, width, height, region=explanation.region)
        self._game.note(self.controls.target, (x + 0.5) / width, (y + 0.5) / height)
        self._recording.log(explanation, (width - 1 - x if self.controls.mirror else x, y))

    # ---- images ------------------------------------------------------------------------------

    def _next(self, schedule: Schedule) -> Shown | None:
        """Return what to show next; None if nothing new came for a moment."""
        if self._settings.every_frame and self._recording.busy:
            # Each image is recorded: the next one waits for the disk, but no key does.
            self._stop.wait(_KEY_INTERVAL)
            return None
        return schedule.next(_KEY_INTERVAL)

    def _advance(self, shown: Shown, source: Source) -> None:
        """Show the next image, and record it."""
        self._shown = shown
        # A file waits on its first frame for the network; that wait is not part of the video.
        if not shown.waiting:
            self._limits.count(shown.frame)
            self._shown_meter.tick()
        drawn = self._draw(source, shown)
        if not shown.waiting:
            self._recording.write(drawn, shown.frame.timestamp)
        if self.observer:
            self.observer.shown(shown)

    def _refresh(self, source: Source, explanation: Explanation | None) -> None:
        """Show the same image again with what has changed meanwhile around it."""
        if self._window and self._shown and time.monotonic() - self._drawn_at >= _REFRESH_INTERVAL:
            self._shown = self._shown._replace(explanation=explanation)
            self._draw(source, self._shown)

    def _draw(self, source: Source, shown: Shown) -> NDArray[np.uint8]:
        explanation = self._stabiliser.stabilise(shown.frame, shown.explanation, self._rested)
        self.controls.top = explanation.top if explanation else ()
        drawn = self._overlay.draw(shown.frame, explanation, self._status(source, shown))
        self._drawn_at = time.monotonic()
        height, width = drawn.shape[:2]
        self.controls.panes = tuple(pane.shares(width, height) for pane in self._overlay.panes)
        if self._window:
            self._window.show(drawn)
        while self.controls.snapshots:
            self.controls.snapshots -= 1
            self._recording.snapshot(drawn)
        return drawn

    @property
    def _still(self) -> bool:
        """Whether nothing has changed since the frame that was explained last."""
        return self._schedule is not None and self._schedule.still

    @property
    def _rested(self) -> float:
        """For how many seconds nothing has changed but for noise since the last image."""
        if self._frozen:
            return math.inf  # nothing may move there: it comes to rest at once
        return time.monotonic() - self._drawn_at if self._still else 0.0

    def _status(self, source: Source, shown: Shown) -> Status:
        explanation = shown.explanation
        return replace(
            status_of(self.controls),
            network=self._explainer.network,
            engine=self._explainer.engine,
            source=f"{source.name} · {source.description}",
            shown_fps=self._shown_meter.rate,
            explained_fps=self._explained_meter.rate,
            age=shown.frame.timestamp - explanation.timestamp if explanation else None,
            still=self._still,
            saved=self._schedule.saved if self._schedule else 0,
            pointing=self._game.score(self.controls.target),
            recording=self._recording.seconds,
            notice=self._notice(source),
            confirmation=self._confirmation.text,
        )

    def _notice(self, source: Source) -> str | None:
        explainer = self._explainer
        lost = None if self.controls.frozen else source.trouble
        return self._recording.trouble or lost or explainer.activity or explainer.warning

    # ---- keys ----------------------------------------------------------------------------------

    def _poll_window(self, source: Source | None) -> None:
        if not self._window:
            return
        key = self._window.poll()
        if self._window.closed:
            self.controls.quit = True
            return
        done = [press(self.controls, key)] if key is not None else []
        done += [point(self.controls, event) for event in self._window.pointer_events()]
        for confirmation in filter(None, done):
            self._confirmation.show(confirmation, KEY_SECONDS)
        if done and self._shown and source:
            self._draw(source, self._shown)

    def _apply_controls(self, schedule: Schedule) -> None:
        """Make the loop do what the controls say."""
        if self.controls.labels:
            self._explainer.question = self.controls.question()
        if self._window and self._window.full_screen != self.controls.full_screen:
            self._window.full_screen = self.controls.full_screen
        if self.controls.frozen != self._frozen and self._shown:
            self._frozen = self.controls.frozen
            schedule.freeze(self._shown.frame) if self._frozen else schedule.thaw()
        self.controls.recording = self._recording.set_recording(self.controls.recording)

    def _begin(self, labels: tuple[str, ...]) -> Question:
        """Find the classes that the command line names; called in the explainer's thread."""
        self.controls.locked = find_classes(labels, self._settings.target_classes)
        self.controls.labels = labels
        return self.controls.question()


def _open_source(settings: Settings) -> Source:
    return open_source(
        settings.source,
        camera_size=settings.camera_size,
        camera_fps=settings.camera_fps,
        reconnect=settings.reconnect_seconds,
        loop=not settings.headless and not settings.every_frame,
        hold=0 if settings.every_frame else 2.0,
    )
