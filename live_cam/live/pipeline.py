"""The live loop: it alone wires the stages, and reads like a table of contents."""

from __future__ import annotations

import math
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from live_cam.capture import Opening, open_source
from live_cam.explain.explainer import Explainer
from live_cam.labels import find_classes
from live_cam.live.actions import point, press
from live_cam.live.controls import Controls, Outcome
from live_cam.live.figures import Figures
from live_cam.live.limits import Limits
from live_cam.live.schedule import EveryFrame, NewestFirst, Schedule, Shown
from live_cam.live.window import Window
from live_cam.overlay import Overlay, peak
from live_cam.record.outputs import RunOutputs
from live_cam.runtime.opencv import cv2
from live_cam.runtime.timed_text import KEY_SECONDS
from live_cam.temporal.stabiliser import Stabiliser

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.capture import Source
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.question import Question
    from live_cam.settings import Settings

_KEY_INTERVAL = 0.015
_REFRESH_INTERVAL = 0.2


class _EndedError(Exception):
    """The run ended before the source was open."""


class _Input(NamedTuple):
    """Where frames and their explanations come from, once open."""

    source: Source
    schedule: Schedule


class LivePipeline:
    """Explains a source's frames and sends the images to a window, a recording and a log.

    The source and the explainer run in their own threads (`live_cam.live.schedule`). Drawing and
    the window stay in the thread that calls `run`, since macOS allows windows only in the main
    thread.

    Attributes:
        controls: What the user wants now. `press` and `change` replace it.
        observer: Receives what the loop does, for measurements; or None.
    """

    class Observer(Protocol):
        """Watches the loop without touching it."""

        def shown(self, shown: Shown) -> None:
            """Called in the main thread with each new image, once it is shown and recorded."""

        def explained(self, frame: Frame, explanation: Explanation) -> None:
            """Called in the explainer's thread with each explanation and its frame."""

    def __init__(
        self,
        settings: Settings,
        notify: Callable[[str], None] = print,
        *,
        open_source: Callable[[], Source] | None = None,
    ) -> None:
        """Nothing is opened before `run`.

        Args:
            settings: The settings of the run.
            notify: Called with each message for the user, a sentence.
            open_source: Opens the source of frames, or None for the one that the settings name.
        """
        self.controls = Controls.of(settings)
        self.observer: LivePipeline.Observer | None = None
        self._settings = settings
        self._notify = notify
        self._open_frames = open_source or partial(_open_source, settings)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._limits = Limits(settings)
        self._explainer = Explainer(settings, notify, self._begin)
        self._overlay = Overlay()
        self._stabiliser = Stabiliser(
            settings.smoothing, track=settings.track, carry=not settings.every_frame
        )
        self._figures = Figures()
        self._recording = RunOutputs(settings, notify, self._figures.confirmation)
        self._window: Window | None = None
        self._shown: Shown | None = None
        self._frozen = False
        self._drawn_at = 0.0
        self._snapshots = 0

    def stop(self) -> None:
        """End `run` soon, and cleanly. May be called from any thread or signal handler."""
        self._stop.set()

    def press(self, key: str) -> None:
        """Do what a key does. May be called from any thread.

        Args:
            key: Its name, as `Window.poll` returns it.
        """
        self._perform(partial(press, key=key))

    def change(self, change: Callable[[Controls], Controls]) -> Controls:
        """Replace the controls, and return the new ones. May be called from any thread."""
        with self._lock:
            self.controls = change(self.controls)
            return self.controls

    @property
    def engine(self) -> str:
        """The engine, device and precision once the network is loaded: `torch cpu fp32`."""
        return self._explainer.engine

    @property
    def settled(self) -> bool:
        """Whether the engine has been chosen."""
        return self._explainer.settled

    def run(self) -> None:
        """Run until the source ends, a limit is reached, the user quits, or `stop` is called.

        Raises:
            LiveCamError: Something failed. What was recorded until then is on the disk.
        """
        # OpenCV's threads would wait for the cores that the network uses.
        cv2.setNumThreads(1)
        with suppress(_EndedError), ExitStack() as resources:
            opened = source, schedule = self._open(resources)
            while not self._ending:
                shown = self._next(schedule)
                if shown is not None:
                    if self._limits.reached(shown.frame.timestamp):
                        break
                    self._advance(opened, shown)
                    schedule.load()
                elif schedule.ended or (source.live and self._limits.reached(time.monotonic())):
                    break
                else:
                    self._refresh(opened)
                self._poll_window(opened)
                self._apply_controls(schedule)
            if not self._ending:
                self._explainer.check()

    @property
    def _ending(self) -> bool:
        return self._stop.is_set() or self.controls.quit

    # ---- opening -------------------------------------------------------------------------------

    def _open(self, resources: ExitStack) -> _Input:
        settings = self._settings
        if not settings.headless:
            self._window = resources.enter_context(Window())
        resources.enter_context(self._recording)
        source = resources.enter_context(self._open_source())
        self._notify(f"{source.name}: {source.description}")
        resources.enter_context(self._explainer)
        scheduling = EveryFrame if settings.every_frame else NewestFirst
        schedule: Schedule = scheduling(source, self._explainer, self._record_explanation)
        resources.callback(schedule.close)
        return _Input(source, schedule)

    def _open_source(self) -> Source:
        """Open the source; meanwhile the window stays responsive, and the run can be ended."""
        opening = Opening(self._open_frames)
        while (source := opening.wait(_KEY_INTERVAL)) is None:
            self._poll_window(None)
            if self._ending:
                opening.abandon()
                raise _EndedError
        return source

    def _begin(self, labels: tuple[str, ...]) -> Question:
        """Lock the classes that the settings name; called in the explainer's thread."""
        locked = find_classes(labels, self._settings.target_classes)
        return self.change(partial(replace, labels=labels, locked=locked)).question()

    def _record_explanation(self, frame: Frame, explanation: Explanation) -> None:
        """Count and log an explanation; called in the explainer's thread."""
        controls = self.controls
        self._figures.explained.tick()
        if self.observer:
            self.observer.explained(frame, explanation)
        if not self._recording.logs and controls.target is None:
            return
        height, width = frame.image.shape[:2]
        x, y = peak(explanation.heatmap, width, height, region=explanation.region)
        self._figures.game.record(controls.target, (x + 0.5) / width, (y + 0.5) / height)
        self._recording.log(explanation, (width - 1 - x if controls.look.mirror else x, y))

    # ---- images --------------------------------------------------------------------------------

    def _next(self, schedule: Schedule) -> Shown | None:
        """Return what to show next; None if nothing new came for a moment."""
        if self._settings.every_frame and self._recording.busy:
            # Every image is recorded, so the next one waits for the disk; keys do not.
            self._stop.wait(_KEY_INTERVAL)
            return None
        return schedule.next(_KEY_INTERVAL)

    def _advance(self, opened: _Input, shown: Shown) -> None:
        """Show the next image, and record it."""
        self._shown = shown
        # While a file waits on its first frame for the network, nothing is recorded.
        if not shown.waiting:
            self._limits.count(shown.frame)
            self._figures.shown.tick()
        image = self._show(opened, shown)
        if not shown.waiting:
            self._recording.write(image, shown.frame.timestamp)
        if self.observer:
            self.observer.shown(shown)

    def _refresh(self, opened: _Input) -> None:
        """Show the same frame again, with its newest explanation and figures."""
        if self._window and self._shown and time.monotonic() - self._drawn_at >= _REFRESH_INTERVAL:
            self._shown = self._shown._replace(explanation=opened.schedule.explanation)
            self._show(opened, self._shown)

    def _show(self, opened: _Input, shown: Shown) -> NDArray[np.uint8]:
        """Draw a frame, show the image, save requested snapshots of it, and return it."""
        explanation = self._stabiliser.stabilise(
            shown.frame, shown.explanation, self._rested(opened.schedule)
        )
        status = self._figures.status(
            self.controls, shown, *opened, self._explainer, self._recording
        )
        image, panes = self._overlay.draw(shown.frame, explanation, status)
        self._drawn_at = time.monotonic()
        self.change(partial(replace, top=explanation.top if explanation else (), panes=panes))
        if self._window:
            self._window.show(image)
        while self._snapshots < self.controls.snapshots:
            self._snapshots += 1
            self._recording.snapshot(image)
        return image

    def _rested(self, schedule: Schedule) -> float:
        """Return for how many seconds the image has been unchanged since the last drawing."""
        if self._frozen:
            return math.inf  # a frozen image settles immediately
        return time.monotonic() - self._drawn_at if schedule.still else 0.0

    # ---- keys ----------------------------------------------------------------------------------

    def _poll_window(self, opened: _Input | None) -> None:
        """Act on keys and the mouse, and show the effect."""
        if not self._window:
            return
        key = self._window.poll()
        if self._window.closed:
            self.change(partial(replace, quit=True))
            return
        actions = [partial(press, key=key)] if key is not None else []
        actions += [partial(point, event=event) for event in self._window.pointer_events()]
        for action in actions:
            self._perform(action)
        if actions and self._shown and opened:
            self._show(opened, self._shown)

    def _perform(self, action: Callable[[Controls], Outcome]) -> None:
        with self._lock:
            self.controls, confirmation = action(self.controls)
        if confirmation:
            self._figures.confirmation.show(confirmation, KEY_SECONDS)

    def _apply_controls(self, schedule: Schedule) -> None:
        """Pass the controls on to the explainer, the window, the schedule and the recording."""
        controls = self.controls
        if controls.labels:
            self._explainer.question = controls.question()
        if self._window and self._window.full_screen != controls.full_screen:
            self._window.full_screen = controls.full_screen
        if controls.frozen != self._frozen and self._shown:
            self._frozen = controls.frozen
            schedule.freeze(self._shown.frame) if self._frozen else schedule.thaw()
        recording = self._recording.set_recording(controls.recording)
        if recording != controls.recording:
            self.change(partial(replace, recording=recording))


def _open_source(settings: Settings) -> Source:
    return open_source(
        settings.source,
        camera_size=settings.camera_size,
        camera_fps=settings.camera_fps,
        reconnect=settings.reconnect_seconds,
        loop=not settings.headless and not settings.every_frame,
        hold=0 if settings.every_frame else 2.0,
    )
