"""From a frame to its explanation: the network, loaded when first needed, and Grad-CAM on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.closing import Closing
from live_cam.errors import EngineError, NonFiniteError
from live_cam.question import Question
from live_cam.settings import ACCELERATORS, CHECK_EVERY

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from live_cam.capture import Frame
    from live_cam.classifier import Classifier
    from live_cam.engines.selection import EngineSelector
    from live_cam.explanation import Explanation
    from live_cam.inquiry import Inquiry
    from live_cam.settings import Settings


class Explainer(Closing):
    """Explains frames by the network that the settings name.

    torch is imported by `load`, not before: the first picture is on the screen by then.

    Attributes:
        activity: What it is busy with before it can explain; None once it can.
        question: What is asked of the frames from now on; anyone may change it.
        labels: The names of the network's classes, once loaded.
        network: The network's and the target layer's name, once loaded: `vgg19 · features.35`.
    """

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        begin: Callable[[tuple[str, ...]], Question] | None = None,
    ) -> None:
        """Take the settings; nothing is loaded yet.

        Args:
            settings: Which network, weights, layer, device and precision.
            say: Told what the user must know, a sentence a call.
            begin: Given the names of the network's classes before the first frame is explained,
                says what is asked of it; None: Grad-CAM of its top class.
        """
        self.activity: str | None = f"loading {settings.model}…"
        self.question = Question()
        self.labels: tuple[str, ...] = ()
        self._begin = begin
        self.network = ""
        self._settings = settings
        self._say = say
        self._inquiry: Inquiry | None = None
        self._explained = 0
        self._failed = 0
        self._failure: NonFiniteError | None = None

    def load(self) -> None:
        """Import torch, choose the device, load the network and open the plain engine on it.

        Faster engines are opened in the background and take over when they are ready.

        Raises:
            UsageError: A wrong name, file or class; the message says which.
            WeightsError: The weights cannot be had.
            EngineError: The engine that was asked for is not installed.
        """
        from live_cam.inquiry import Inquiry
        from live_cam.loading import load_network, share_threads

        settings = self._settings
        share_threads(settings.threads, spare=0 if settings.every_frame else 1)
        classifier, preprocess, device = load_network(settings, self._say, self._note)
        self._inquiry = Inquiry(
            classifier,
            preprocess,
            self._open_engines(classifier, device),
            device,
            check_every=settings.check or CHECK_EVERY,
            steady=settings.smoothing > 0,
        )
        self.labels = classifier.labels
        if self._begin:
            self.question = self._begin(self.labels)
        self.network = f"{classifier.name} · {classifier.layer}"
        self.activity = None

    def _note(self, activity: str) -> None:
        self.activity = activity

    def _open_engines(self, classifier: Classifier, device: torch.device) -> EngineSelector:
        from live_cam.engines import open_engine
        from live_cam.engines.candidates import candidates
        from live_cam.engines.cut import cut
        from live_cam.engines.selection import EngineSelector

        settings = self._settings
        others = []
        try:
            # Before the plain engine hangs its hook on the network and runs it.
            halves = None if settings.engine == "hook" else cut(classifier.module, classifier.layer)
        except EngineError as error:
            halves = None
            if settings.engine != "auto" or settings.precision == "int8":
                self._say(f"Explaining with the engine hook: {error}")
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
            open_engine("hook", classifier, precision=plain, device=device),
            others,
            self._say,
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

        Raises:
            NonFiniteError: The network's scores or gradients are not finite. The user is told the
                first time, and `activity` says so until a frame is explained again.
            RuntimeError: Called before `load` or after `close`.
        """
        if self._inquiry is None:
            raise RuntimeError("an Explainer explains only between load() and close()")
        try:
            explanation = self._inquiry.explain(frame, self.question)
        except NonFiniteError as error:
            if not self._failed:
                self._say(f"Frame {frame.index} is shown without an explanation: {error}")
            self._failed += 1
            self._failure = error
            self.activity = "no explanation: the network's numbers are not finite"
            raise
        self._explained += 1
        self.activity = None
        return explanation

    def check(self) -> None:
        """Make sure that not every frame was in vain.

        Raises:
            NonFiniteError: Not one of them could be explained.
        """
        if self._failure and not self._explained:
            raise self._failure

    def close(self) -> None:
        """Close the engines. May be called twice."""
        inquiry, self._inquiry = self._inquiry, None
        if inquiry:
            inquiry.close()
        if inquiry and self._failed > 1:
            self._say(
                f"{self._failed} frames were shown without an explanation, and {self._explained} "
                "with one."
            )
