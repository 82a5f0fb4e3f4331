"""The explainer of the live loop: the explanation of a frame, and what earlier frames add to it."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from live_cam.errors import EngineError, NonFiniteError, UnexplainedError
from live_cam.question import Question
from live_cam.runtime.closing import Closing
from live_cam.runtime.timed_text import TimedText
from live_cam.runtime.timing import StageTimer
from live_cam.settings import ACCELERATORS, CHECK_EVERY

if TYPE_CHECKING:
    from collections.abc import Callable

    from live_cam.engines.selection import EngineSelector
    from live_cam.explain.core import ExplanationCore, Plan
    from live_cam.explain.loading import Loaded
    from live_cam.explain.session import Session
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.settings import NetworkSettings, Settings

_WARNING_SECONDS: Final = 8.0
_PAUSES: Final = (2.0, 5.0, 10.0, 20.0, 60.0)
"""Seconds between two attempts while nothing can explain; the last one repeats."""


class Explainer(Closing):
    """Explains frames by the network that the settings name.

    `load` imports torch; the first image is on the screen before.

    Attributes:
        activity: What keeps it from explaining, or None.
        question: The question about the next frames. It may be changed at any time.
        labels: The names of the network's classes, once loaded.
        network: The network's and the target layer's name, once loaded: `vgg19 · features.35`.
    """

    def __init__(
        self,
        settings: Settings,
        notify: Callable[[str], None],
        begin: Callable[[tuple[str, ...]], Question] | None = None,
    ) -> None:
        """Prepare; `load` loads the network.

        Args:
            settings: The network, weights, layer, device and precision.
            notify: Called with each message for the user, one sentence per call.
            begin: Called with the names of the network's classes before the first frame; returns
                the first question. The default is Grad-CAM of the top class.
        """
        self.activity: str | None = f"loading {settings.model}…"
        self.question = Question()
        self.labels: tuple[str, ...] = ()
        self.network = ""
        self._begin = begin
        self._settings = settings
        self._notify = notify
        self._core: ExplanationCore | None = None
        self._session: Session | None = None
        self._warning = TimedText()
        self._failed = 0
        self._again_at = 0.0
        self._explained = 0
        self._overflowed = 0
        self._not_finite: NonFiniteError | None = None

    def load(self) -> None:
        """Import torch, select the device, load the network and open the plain engine.

        Faster engines open in the background and take over when they are ready. If the device
        selected by `auto` fails, loading falls back to the CPU; a device that the user named must
        work.

        Raises:
            UsageError: A name, file or class is wrong, or the engine does not support the precision
                or device; the message says which.
            WeightsError: The weights are not available.
            EngineError: The engine that the user named is not installed, or the device that the
                user named has failed or has too little memory.
        """
        from live_cam.explain.conflicts import check_engine
        from live_cam.explain.core import ExplanationCore
        from live_cam.explain.loading import share_threads

        settings = self._settings
        check_engine(settings)
        share_threads(settings.threads, spare=0 if settings.every_frame else 1)
        core = ExplanationCore(
            settings,
            self._open_engines,
            self._notify,
            warn=self._warn,
            busy=self._set_activity,
            release=self._close_session,
        )
        core.load()
        self._core = core
        self._open_session(core)
        self.activity = None
        if self._begin:
            self.question = self._begin(self.labels)

    def _open_engines(self, network: Loaded, settings: NetworkSettings) -> EngineSelector:
        from live_cam.engines import open_engine
        from live_cam.engines.candidates import candidates
        from live_cam.engines.selection import EngineSelector
        from live_cam.network.cut import cut

        classifier, device = network.classifier, network.device
        halves, others = None, []
        try:
            # Before the plain engine adds its hook to the network and runs it.
            halves = None if settings.engine == "hook" else cut(classifier.module, classifier.layer)
        except EngineError as error:
            if settings.engine != "auto" or settings.precision == "int8":
                self._notify(f"Explaining with the engine hook: {error}")
        if halves is not None:
            others = candidates(
                classifier,
                halves,
                engine=settings.engine,
                precision=settings.precision,
                device=device,
                accelerator=settings.device if settings.device in ACCELERATORS else None,
            )
        precision = "fp32" if settings.precision == "int8" else settings.precision
        return EngineSelector(
            partial(open_engine, "hook", classifier, precision=precision, device=device),
            others,
            self._notify,
            self._warn,
            patient=self._settings.every_frame,
        )

    def _open_session(self, core: ExplanationCore) -> Session:
        """Return the network's session, a new one after the network was loaded again."""
        if self._session is None:
            from live_cam.explain.session import Session

            settings, classifier = self._settings, core.network.classifier
            self._session = Session(
                core.network,
                check_every=settings.check or CHECK_EVERY,
                steady=settings.smoothing > 0,
            )
            self.labels = classifier.labels
            self.network = f"{classifier.name} · {classifier.layer}"
        return self._session

    def _plan(self, core: ExplanationCore, question: Question) -> Plan:
        return self._open_session(core).plan(question)

    def _close_session(self) -> None:
        session, self._session = self._session, None
        if session:
            session.close()

    # ---- state ---------------------------------------------------------------------------------

    def _set_activity(self, activity: str) -> None:
        self.activity = activity

    def _warn(self, text: str) -> None:
        """Notify the user of a problem, and show it on the image."""
        self._notify(text)
        self._warning.show(_problem(text), _WARNING_SECONDS)

    @property
    def warning(self) -> str | None:
        """The problem of the last few seconds, or None."""
        return self._warning.text

    @property
    def engine(self) -> str:
        """The present engine, once loaded: `torch cpu fp32`."""
        return self._core.description if self._core else ""

    @property
    def settled(self) -> bool:
        """Whether no other engine can take over."""
        return self._core is not None and self._core.settled

    @property
    def incomplete(self) -> bool:
        """Whether explaining the last frame again would add to its explanation."""
        return self._session is not None and self._session.incomplete(self.question)

    def repeat(self, frame: Frame) -> None:
        """Record that a frame shows what the last explained one showed.

        Args:
            frame: A later one.
        """
        if self._session:
            self._session.repeat(frame)

    # ---- explaining ----------------------------------------------------------------------------

    def explain(self, frame: Frame) -> Explanation:
        """Explain what the network recognises in a frame, and where.

        If an engine or device fails, another one explains the same frame and question, and the rest
        of the run, even if the user named the one that failed.

        Raises:
            NonFiniteError: The network's logits or gradients are not finite. The user is notified
                once, and `activity` shows it until a frame is explained again.
            UnexplainedError: No engine can explain at present, which `activity` shows. Later calls
                try again, after growing pauses.
            EngineError: The same, in a run without a window or with every frame explained.
            RuntimeError: Called before `load` or after `close`.
        """
        core, question = self._core, self.question
        if core is None:
            raise RuntimeError("frames are explained only between load() and close()")
        if self._failed and time.monotonic() < self._again_at:
            raise UnexplainedError(self.activity)
        plan, timer = partial(self._plan, core, question), StageTimer()
        try:
            explained = core.explain([frame], question, plan, timer=timer)
            if self._open_session(core).follow(explained, question, frame):
                explained = core.explain([frame], question, plan, timer=timer)
        except NonFiniteError as error:
            self._open_session(core).skip()
            self._record_overflow(frame, error)
            raise
        except EngineError as error:
            fault = error
        else:
            # Until the engine is settled, the time goes to the trials.
            explanation = self._open_session(core).finish(explained, checkable=core.settled)
            if self._failed:
                self._failed = 0
                self._warn(f"Explaining again with {self.engine}.")
            self._explained += 1
            self.activity = None
            return explanation
        raise self._unexplained(fault)

    def check(self) -> None:
        """Check that at least one frame was explained.

        Raises:
            NonFiniteError: No frame had finite logits and gradients.
        """
        if self._not_finite and not self._explained:
            raise self._not_finite

    def _record_overflow(self, frame: Frame, error: NonFiniteError) -> None:
        if not self._overflowed:
            self._notify(f"Frame {frame.index} is shown without an explanation: {error}")
        self._overflowed += 1
        self._not_finite = error
        self.activity = "no explanation: logits or gradients are not finite"

    def _unexplained(self, fault: EngineError) -> EngineError:
        """Return the error of a frame that no engine can explain, and notify the user once."""
        settings = self._settings
        text = f"no remaining engine can explain the image: {fault}"
        if settings.headless or settings.every_frame:
            return EngineError(
                f"{text} Use a smaller network with `model`, or close other programs."
            )
        if not self._failed:
            self._notify(f"Showing the image alone: {text}")
        self._again_at = time.monotonic() + _PAUSES[min(self._failed, len(_PAUSES) - 1)]
        self._failed += 1
        self.activity = _problem(f"no explanation: {fault}")
        return UnexplainedError(text)

    def close(self) -> None:
        """Close the engines. May be called twice."""
        core, self._core = self._core, None
        if core:
            core.close()
        if core and self._overflowed > 1:
            self._notify(
                f"{self._overflowed} frames were shown without an explanation, "
                f"and {self._explained} with one."
            )


def _problem(text: str) -> str:
    """Return the problem that a message names, for the image: without reason and remedy."""
    return re.split(r" \(|; ", text)[0].replace("`", "")
