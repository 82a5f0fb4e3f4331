"""From a frame to its explanation: the network, loaded when first needed, and Grad-CAM on it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from live_cam.errors import EngineError, NonFiniteError, UnexplainedError
from live_cam.question import Question
from live_cam.runtime.closing import Closing
from live_cam.runtime.timed_text import TimedText
from live_cam.settings import ACCELERATORS, CHECK_EVERY, EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from live_cam.engines.selection import EngineSelector
    from live_cam.explain.inquiry import Inquiry
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.network.classifier import Classifier
    from live_cam.settings import Settings

_WARNING_SECONDS: Final = 8.0
_PAUSES: Final = (2.0, 5.0, 10.0, 20.0, 60.0)
"""Seconds from one try to the next where nothing can explain; the last one stays."""


class Explainer(Closing):
    """Explains frames by the network that the settings name.

    torch is imported by `load`, not before: the first image is on the screen by then.

    Attributes:
        activity: What it is busy with before it can explain; None once it can.
        question: What is asked of the frames from now on; anyone may change it.
        labels: The names of the network's classes, once loaded.
        network: The network's and the target layer's name, once loaded: `vgg19 · features.35`.
    """

    def __init__(
        self,
        settings: Settings,
        notify: Callable[[str], None],
        begin: Callable[[tuple[str, ...]], Question] | None = None,
    ) -> None:
        """Take the settings; nothing is loaded yet.

        Args:
            settings: Which network, weights, layer, device and precision.
            notify: Called with what the user must know, one sentence a call.
            begin: Given the names of the network's classes before the first frame is explained,
                says what is asked of it; None: Grad-CAM of its top class.
        """
        self.activity: str | None = f"loading {settings.model}…"
        self.question = Question()
        self.labels: tuple[str, ...] = ()
        self._begin = begin
        self.network = ""
        self._settings = settings
        self._notify = notify
        self._inquiry: Inquiry | None = None
        self._warning = TimedText()
        self._failed = 0
        self._again_at = 0.0
        self._explained = 0
        self._overflowed = 0
        self._not_finite: NonFiniteError | None = None

    def load(self) -> None:
        """Import torch, choose the device, load the network and open the plain engine on it.

        Faster engines are opened in the background and take over when they are ready. Where the
        device that `auto` chose fails, the CPU steps in; one that the user named must work now.

        Raises:
            UsageError: A wrong name, file or class, or an engine that has no such precision or
                device; the message says which.
            WeightsError: The weights cannot be had.
            EngineError: The engine that was asked for is not installed, or the device that was
                asked for has failed or too little memory.
        """
        from live_cam.explain.conflicts import check_engine
        from live_cam.explain.loading import cpu_may_step_in, share_threads

        settings = self._settings
        check_engine(settings)
        share_threads(settings.threads, spare=0 if settings.every_frame else 1)
        try:
            self._load(settings)
        except EngineError as error:
            if not cpu_may_step_in(settings):
                raise
            self._move_to_cpu(error)
        if self._begin:
            self.question = self._begin(self.labels)

    def _load(self, settings: Settings) -> None:
        from live_cam.explain.inquiry import Inquiry
        from live_cam.explain.loading import load_network

        classifier, preprocess, device = load_network(settings, self._notify, self._note)
        self._inquiry = Inquiry(
            classifier,
            preprocess,
            self._open_engines(classifier, device, settings),
            device,
            check_every=settings.check or CHECK_EVERY,
            steady=settings.smoothing > 0,
        )
        self.labels = classifier.labels
        self.network = f"{classifier.name} · {classifier.layer}"
        if classifier.name == EMBEDDED_MODEL:
            self._settings = replace(settings, model=EMBEDDED_MODEL)  # where it stepped in, too
        self.activity = None

    def _note(self, activity: str) -> None:
        self.activity = activity

    def _warn(self, text: str) -> None:
        """Say what went wrong, on the image too; without the reason, which is long."""
        self._notify(text)
        self._warning.show(text.partition(" (")[0], _WARNING_SECONDS)

    @property
    def warning(self) -> str | None:
        """What went wrong a moment ago, to be shown for now; None: nothing."""
        return self._warning.text

    def _open_engines(
        self, classifier: Classifier, device: torch.device, settings: Settings
    ) -> EngineSelector:
        from live_cam.engines import open_engine
        from live_cam.engines.candidates import candidates
        from live_cam.engines.selection import EngineSelector
        from live_cam.network.cut import cut

        others = []
        try:
            # Before the plain engine hangs its hook on the network and runs it.
            halves = None if settings.engine == "hook" else cut(classifier.module, classifier.layer)
        except EngineError as error:
            halves = None
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
        plain = "fp32" if settings.precision == "int8" else settings.precision
        return EngineSelector(
            lambda: open_engine("hook", classifier, precision=plain, device=device),
            others,
            self._notify,
            self._warn,
            patient=settings.every_frame,
        )

    @property
    def engine(self) -> str:
        """What computes, once loaded: `torch cpu fp32`."""
        return self._inquiry.selector.description if self._inquiry else ""

    @property
    def settled(self) -> bool:
        """Whether it is decided which engine explains."""
        return self._inquiry is not None and self._inquiry.selector.settled

    @property
    def unanswered(self) -> bool:
        """Whether another look at the frame that was explained last would say more of it."""
        return self._inquiry is not None and self._inquiry.unanswered(self.question)

    def stand_still(self, frame: Frame) -> None:
        """Take note that a frame shows what the one that was explained last showed.

        Args:
            frame: A later one.
        """
        if self._inquiry:
            self._inquiry.stand_still(frame)

    def explain(self, frame: Frame) -> Explanation:
        """Say what the network sees in a frame and which part of it made it say so.

        An engine that fails is replaced by the next one, and a device by the CPU, for the rest of
        the run: the same frame, the same question, also where the user named what has failed.

        Raises:
            NonFiniteError: The network's scores or gradients are not finite. The user is told the
                first time, and `activity` says so until a frame is explained again.
            UnexplainedError: Nothing can explain now, which `activity` says. The next calls try it
                again, after pauses that grow.
            EngineError: The same, where nobody watches who could see that.
            RuntimeError: Called before `load` or after `close`.
        """
        if self._inquiry is None:
            raise RuntimeError("an Explainer explains only between load() and close()")
        if self._failed and time.monotonic() < self._again_at:
            raise UnexplainedError(self.activity)
        try:
            explanation, fault = self._attempt(frame)
            # Only here is what the failed attempt held let go of.
            if fault and self._inquiry.device.type != "cpu":
                self._move_to_cpu(fault)
                explanation, fault = self._attempt(frame)
        except NonFiniteError as error:
            if not self._overflowed:
                self._notify(f"Frame {frame.index} is shown without an explanation: {error}")
            self._overflowed += 1
            self._not_finite = error
            self.activity = "no explanation: the network's numbers are not finite"
            raise
        if explanation is None or fault:
            raise self._gone(fault)
        if self._failed:
            self._failed = 0
            self._warn(f"Explaining again with {self.engine}.")
        self._explained += 1
        self.activity = None
        return explanation

    def check(self) -> None:
        """Make sure that not every frame was in vain.

        Raises:
            NonFiniteError: Not one of them could be explained.
        """
        if self._not_finite and not self._explained:
            raise self._not_finite

    def _attempt(self, frame: Frame) -> tuple[Explanation | None, EngineError | None]:
        """Return the explanation of a frame, or why there is none."""
        from live_cam.engines.faults import FAILURES, known_fault, reason

        inquiry = self._inquiry
        assert inquiry is not None
        device = str(inquiry.device)
        try:
            return inquiry.explain(frame, self.question), None
        except (EngineError, *FAILURES) as error:
            fault = known_fault(error, self.engine, device)
            if fault is None and device == "cpu":
                raise  # a bug, for all that one can see
            return None, fault or EngineError(f"the device {device} has failed ({reason(error)}).")

    def _move_to_cpu(self, fault: EngineError) -> None:
        """Load the network once more, on the CPU: from a device that has failed none can be had."""
        from live_cam.engines.faults import FAILURES, free_memory

        self._warn(f"Going on with the CPU: {fault}")
        self.activity = "loading the network on the CPU…"
        inquiry, self._inquiry = self._inquiry, None
        if inquiry:
            with suppress(*FAILURES):
                inquiry.close()
            device = str(inquiry.device)
            del inquiry
            free_memory(device)
        self._settings = replace(self._settings, device="cpu", precision="auto")
        self._load(self._settings)

    def _gone(self, fault: EngineError | None) -> EngineError:
        """Take note that nothing can explain, and say so: once, unless it ends the run."""
        settings = self._settings
        text = f"no engine is left that can explain: {fault}"
        if settings.headless or settings.every_frame:
            return EngineError(f"{text} Use a smaller network with --model, or end other programs.")
        if not self._failed:
            self._notify(f"Showing the image alone: {text}")
        self._again_at = time.monotonic() + _PAUSES[min(self._failed, len(_PAUSES) - 1)]
        self._failed += 1
        self.activity = f"no explanation: {fault}".partition(" (")[0]
        return UnexplainedError(text)

    def close(self) -> None:
        """Close the engines. May be called twice."""
        inquiry, self._inquiry = self._inquiry, None
        if inquiry:
            inquiry.close()
        if inquiry and self._overflowed > 1:
            self._notify(
                f"{self._overflowed} frames were shown without an explanation, "
                f"and {self._explained} with one."
            )
