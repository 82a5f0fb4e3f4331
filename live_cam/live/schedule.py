"""Which frames are explained and shown: the newest one, or every one.

Both schedules run the source and the explainer in their own threads and hand the main thread what
to show. Both show the source's first image before the network is loaded.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, NamedTuple, Protocol

from live_cam.errors import NonFiniteError, UnexplainedError
from live_cam.live.playback import Playback
from live_cam.runtime.latest import Latest
from live_cam.runtime.worker import Worker
from live_cam.temporal.change import ChangeDetector

if TYPE_CHECKING:
    from collections.abc import Callable

    from live_cam.capture import Source
    from live_cam.explain.explainer import Explainer
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame

_POLL = 0.1
_EXPLAINED_AHEAD = 2


class Shown(NamedTuple):
    """A frame, and the explanation to draw on it."""

    frame: Frame
    explanation: Explanation | None
    """None before the first one, and for a frame that cannot be explained."""
    waiting: bool = False
    """Whether the source still waits for the network on this frame."""


class Schedule(Protocol):
    """Decides which frames are explained and which are shown."""

    def next(self, timeout: float) -> Shown | None:
        """Return what to show next; None if nothing new came within `timeout` seconds.

        Raises:
            LiveCamError: The source or the explainer failed.
        """

    @property
    def explanation(self) -> Explanation | None:
        """The explanation to draw on a frozen frame."""

    still: bool
    """Whether the image is unchanged since the frame that was explained last."""
    saved: int
    """How many frames were not explained because the image was unchanged."""

    @property
    def ended(self) -> bool:
        """Whether the source has ended and all of it was shown.

        Raises:
            LiveCamError: The source or the explainer failed.
        """

    def load(self) -> None:
        """Allow the network to be loaded, once the first image is shown."""

    def freeze(self, frame: Frame) -> None:
        """Pause on this frame, and explain it."""

    def thaw(self) -> None:
        """Resume."""

    def close(self) -> None:
        """End the threads and close the source. The explainer stays open."""


class _Threads:
    """The base of both schedules: a source, and an explainer that `load` allows to load.

    Args:
        source: Where frames come from.
        explainer: Not loaded yet.
        explained: Called in the explainer's thread with each explanation and its frame.

    Attributes:
        still: As in `Schedule`.
        saved: As in `Schedule`.
    """

    def __init__(
        self,
        source: Source,
        explainer: Explainer,
        explained: Callable[[Frame, Explanation], None],
    ) -> None:
        self._stop = threading.Event()
        self._may_load = threading.Event()
        self._source = source
        self._explainer = explainer
        self._explained = explained
        self.still = False
        self.saved = 0
        self._workers = self._start()

    def _start(self) -> tuple[Worker, ...]:
        """Start the threads and return them."""
        raise NotImplementedError

    def _loaded(self) -> bool:
        """Wait for `load`, then load. Return False if the run ends first."""
        while not self._may_load.wait(_POLL):
            if self._stop.is_set():
                return False
        self._explainer.load()
        return True

    def _explain_frame(self, frame: Frame) -> Explanation | None:
        """Return a frame's explanation, or None if it is not finite or no engine can explain now.

        A single frame that overflows in float16 must not end a run of thousands.
        """
        try:
            explanation = self._explainer.explain(frame)
        except (NonFiniteError, UnexplainedError):  # the explainer notifies the user
            return None
        self._explained(frame, explanation)
        return explanation

    def _check(self) -> None:
        for worker in self._workers:
            worker.check()

    def load(self) -> None:
        self._may_load.set()

    def close(self) -> None:
        self._stop.set()
        self._source.close()
        for worker in self._workers:
            worker.join()


class NewestFirst(_Threads):
    """Neither the camera nor the window waits for the network.

    The explainer takes the newest frame as soon as it is free, and skips an unchanged one. Each
    frame is shown with the newest explanation. A source that is not live waits on its first frame
    for the first explanation, so that its beginning is not missed.
    """

    def _start(self) -> tuple[Worker, ...]:
        self._playback = Playback(self._source, self._stop)
        self._frames: Latest[Frame] = Latest()
        self._change = ChangeDetector()
        self._explanation: Explanation | None = None
        self._attempted = False
        self._last: Frame | None = None
        self._waits_for_first = not self._source.live
        if self._waits_for_first:
            self._playback.paused.set()
        workers = (Worker("capture", self._capture), Worker("explainer", self._explain))
        for worker in workers:
            worker.start()
        return workers

    def _capture(self) -> None:
        for frame in self._playback:
            self._frames.put(frame)

    def _explain(self) -> None:
        if not self._loaded():
            return
        frame: Frame | None = None
        while not self._stop.is_set():
            newer = self._frames.newer(frame, _POLL)
            frame = newer or frame
            if frame is None or not (newer or self._explainer.incomplete):
                continue
            # Until the engine is chosen, every frame helps to compare them.
            self.still = (
                self._explainer.settled
                and not self._explainer.incomplete
                and self._change.unchanged(frame)
            )
            if self.still:
                self.saved += 1
                self._explainer.repeat(frame)
                continue
            self._explanation = self._explain_frame(frame)
            self._attempted = True
            self._change.set_reference(frame)

    def next(self, timeout: float) -> Shown | None:
        self._check()
        if self._waits_for_first and self._last is not None and self._attempted:
            self._waits_for_first = False
            self._playback.paused.clear()
            return Shown(self._last, self._explanation)
        frame = self._frames.newer(self._last, timeout)
        if frame is None:
            return None
        self._last = frame
        return Shown(frame, self._explanation, waiting=self._waits_for_first)

    @property
    def explanation(self) -> Explanation | None:
        return self._explanation

    @property
    def ended(self) -> bool:
        if self._workers[0].running:
            return False
        self._check()
        first_is_due = self._waits_for_first and self._last is not None
        return not first_is_due and self._frames.newer(self._last, 0) is None

    def freeze(self, frame: Frame) -> None:
        self._playback.paused.set()
        self._frames.hold(frame)

    def thaw(self) -> None:
        self._frames.release()
        if not self._waits_for_first:
            self._playback.paused.clear()


class EveryFrame(_Threads):
    """Each frame of a file is explained, then shown: once, in order, as fast as possible."""

    def _start(self) -> tuple[Worker, ...]:
        self._frozen = False
        self._queue: queue.Queue[Shown] = queue.Queue(_EXPLAINED_AHEAD)
        self._last: Shown | None = None
        worker = Worker("explainer", self._explain)
        worker.start()
        return (worker,)

    def _explain(self) -> None:
        frame = self._source.read()
        if frame is None:
            return
        self._put(Shown(frame, None, waiting=True))
        if not self._loaded():
            return
        while frame is not None and not self._stop.is_set():
            self._put(Shown(frame, self._explain_frame(frame)))
            frame = self._source.read()

    def _put(self, shown: Shown) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(shown, timeout=_POLL)
            except queue.Full:
                continue
            return

    def next(self, timeout: float) -> Shown | None:
        self._check()
        if self._frozen:
            self._stop.wait(timeout)
            return None
        try:
            self._last = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        return self._last

    @property
    def explanation(self) -> Explanation | None:
        return self._last.explanation if self._last else None

    @property
    def ended(self) -> bool:
        if self._workers[0].running:
            return False
        self._check()
        return self._queue.empty()

    def freeze(self, frame: Frame) -> None:  # noqa: ARG002  # it has its explanation
        self._frozen = True

    def thaw(self) -> None:
        self._frozen = False
