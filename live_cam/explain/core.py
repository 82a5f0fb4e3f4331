"""Explanations by one network: what a frame of the live loop, a still and a video's frame share."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch

from live_cam.engines.faults import FAILURES, device_fault, free_memory
from live_cam.errors import EngineError, OutOfMemoryError
from live_cam.explain import loading
from live_cam.explain.heatmaps import heatmaps, logits_of, target_classes, top_predictions
from live_cam.explanation import Explanation
from live_cam.network.cut import TRACING
from live_cam.question import TOP_CLASS
from live_cam.runtime.closing import Closing
from live_cam.runtime.timing import StageTimer
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.engines.engine import Engine
    from live_cam.engines.selection import EngineSelector
    from live_cam.explain.heatmaps import Result
    from live_cam.explain.loading import Loaded
    from live_cam.frame import Frame
    from live_cam.question import Question
    from live_cam.settings import NetworkSettings
    from live_cam.temporal.ranking import Ranking


class Plan(NamedTuple):
    """The caller's part in one attempt to answer a question."""

    engine: Engine | None = None
    """Explains in place of the selected engine. No other engine can replace it."""
    extra: Tensor | None = None
    """M×3×H×W: images of which only the logits are wanted, from the same forward pass."""
    ranks: Sequence[int] = ()
    """The classes shown as the most probable, the second and so on; empty for each image's own."""
    ranking: Ranking | None = None
    """Selects the strongest feature maps; None selects each image's own."""


class Explained(NamedTuple):
    """The explanations of N images, with tensors that only their caller needs."""

    explanations: list[Explanation]
    logits: Tensor
    """(N+M)×C float32: of the N images, then of the M extra ones."""
    x: Tensor
    """N×3×H×W: the network's input."""


class ExplanationCore(Closing):
    """Explains images by the network of the settings.

    An engine that fails is replaced by the next one, and a device by the CPU, where the network is
    loaded again: the same images, the same question, for the rest of the run.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        open_engines: Callable[[Loaded, NetworkSettings], EngineSelector],
        notify: Callable[[str], None],
        *,
        warn: Callable[[str], None] | None = None,
        busy: Callable[[str], None] | None = None,
        release: Callable[[], None] = lambda: None,
        network: Loaded | None = None,
    ) -> None:
        """Prepare; `load` loads the network.

        Args:
            settings: Which network, weights, layer, device and precision.
            open_engines: Opens the engines on a network that has just been loaded.
            notify: Called with what the user must know, one sentence a call.
            warn: Called with the sentence that announces a fallback; `notify` by default.
            busy: Called with what takes a while, for display meanwhile. Without it, `notify` is
                called with downloads.
            release: Called before the network is closed, to close what else was opened on it.
            network: Is explained in place of the settings' network, and never moved to the CPU.
        """
        self._settings = settings
        self._open_engines = open_engines
        self._notify = notify
        self._warn = warn or notify
        self._busy = busy
        self._release = release
        self._given = network
        self._network: Loaded | None = None
        self._engines: EngineSelector | None = None
        self._offered: EngineSelector | None = None

    # ---- loading -------------------------------------------------------------------------------

    def load(self) -> None:
        """Choose the device, load the network and open its engines.

        If the device that `auto` chose fails, the CPU is used instead; one that the user named
        must work now.

        Raises:
            UsageError: A wrong name or file, or an engine without such a precision or device.
            WeightsError: The weights cannot be had.
            EngineError: An engine that the user named is not installed or cannot run the network,
                or a device that the user named has failed or has too little memory.
        """
        try:
            self._load()
        except EngineError as error:
            if self._given or not loading.cpu_is_left(self._settings):
                raise
            fault = error
        else:
            return
        self._fall_back_to_cpu(fault)

    def _load(self) -> None:
        network = self._given or loading.load_network(
            self._settings, self._notify, self._busy or self._notify
        )
        self._engines = self._open_engines(network, self._settings)
        self._network = network
        if network.classifier.name == EMBEDDED_MODEL:
            # Where it replaced another network, it still does on the CPU.
            self._settings = replace(self._settings, model=EMBEDDED_MODEL)

    @property
    def network(self) -> Loaded:
        """The network; another object after a fallback to the CPU.

        Raises:
            RuntimeError: Used before `load` or after `close`.
        """
        if self._network is None:
            raise RuntimeError("images are explained only between load() and close()")
        return self._network

    @property
    def engines(self) -> EngineSelector:
        """The network's engines.

        Raises:
            RuntimeError: Used before `load` or after `close`.
        """
        if self._engines is None:
            raise RuntimeError("images are explained only between load() and close()")
        return self._engines

    @property
    def description(self) -> str:
        """What computes at present: `torch cpu fp32`. Empty while no network is loaded."""
        engines = self._engines
        return engines.description if engines else ""

    @property
    def settled(self) -> bool:
        """Whether it is decided which engine explains."""
        engines = self._engines
        return engines is not None and engines.settled

    def prepare(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Return images as the network's input.

        Args:
            images: N of H×W×3, BGR, each of any size.

        Returns:
            N×3×H×W float32, normalised, on the network's device.
        """
        return torch.cat([self.network.preprocess(image) for image in images])

    # ---- explaining ----------------------------------------------------------------------------

    def explain(
        self,
        frames: Sequence[Frame],
        question: Question,
        plan: Callable[[], Plan] = Plan,
        *,
        timer: StageTimer | None = None,
        split: bool = False,
    ) -> Explained:
        """Answer a question about images: one forward pass, one batched gradient.

        Args:
            frames: The images, at least one.
            question: What is asked of each of them.
            plan: Called before each attempt, in which the network may be another one.
            timer: Records the duration of each stage.
            split: Whether the caller tries fewer images at once where memory runs out. Nothing
                falls back then.

        Raises:
            UsageError: A class does not exist, or the engine cannot answer such a question.
            NonFiniteError: The network's logits or gradients are not finite.
            OutOfMemoryError: Memory has run out, and `split` is set or the CPU has none either.
            EngineError: Every engine has failed, on the CPU too.
            RuntimeError: Called before `load` or after `close`.
        """
        timer = timer or StageTimer()
        self.engines.begin()
        self._offered = None
        while True:
            planned = Plan()
            request: _Request | None = None
            try:
                with timer.stage("total"):
                    planned = plan()
                    request = self._request(frames, question, planned, timer)
                    engine, batch, classes = request.engine, request.batch, request.classes
                    with TRACING:
                        if request.needs_evidence:
                            result: Result = engine.evidence(batch, torch.tensor(classes), timer)
                        else:
                            result = []
                            for index in classes:
                                target = None if index == TOP_CLASS else index
                                result.append(engine.explain(batch, target, timer))
                    explanations = self._explanations(frames, question, planned, result, timer)
            except (EngineError, *FAILURES) as error:
                fault = self._fault(error, planned.engine)
                if fault is None:
                    raise  # a bug, as far as anyone can tell
            else:
                self.engines.finish()
                return Explained(explanations, logits_of(result), request.x)
            # Only now is the memory of the failed attempt released.
            del request
            self._recover(fault, planned.engine, split=split)

    def _request(
        self, frames: Sequence[Frame], question: Question, planned: Plan, timer: StageTimer
    ) -> _Request:
        with timer.stage("preprocess"):
            x = self.prepare([frame.image for frame in frames])
            batch = x if planned.extra is None else torch.cat([x, planned.extra])
        classes = target_classes(question, planned.ranks)
        short = question.plain and classes[0] >= TOP_CLASS
        engine = planned.engine
        if engine is None:
            if self._offered is not self.engines:  # once for each frame, not for each attempt
                self._offered = self.engines
                top = None if classes[0] < 0 else classes[0]
                self.engines.offer(x[:1], top, frames[0].image)
            engine = self.engines.ready(len(batch) * (1 if short else len(classes)))
        return _Request(engine, x, batch, classes, engine.has_evidence and not short)

    def _explanations(
        self,
        frames: Sequence[Frame],
        question: Question,
        planned: Plan,
        result: Result,
        timer: StageTimer,
    ) -> list[Explanation]:
        preprocess, labels = self.network.preprocess, self.network.classifier.labels
        explanations = []
        for place, frame in enumerate(frames):
            with timer.stage("maps"):
                maps = heatmaps(result, place, question, labels, planned.ranks, planned.ranking)
            height, width = frame.image.shape[:2]
            region = preprocess.region(width, height)
            explanation = Explanation(
                tuple(maps),
                top=top_predictions(logits_of(result)[place], labels),
                frame_index=frame.index,
                timestamp=frame.timestamp,
                seconds=timer.seconds,
                region=region,
                seen=region,
            )
            explanations.append(explanation)
        return explanations

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits of images, without explaining them and without a fallback.

        Args:
            x: N×3×H×W float32, normalised, on the network's device.

        Returns:
            N×C float32, in the CPU's memory.

        Raises:
            EngineError: The engine or its device has failed, or has too little memory.
            RuntimeError: Called before `load` or after `close`.
        """
        try:
            return self.engines.engine.logits(x).cpu()
        except FAILURES as error:
            fault = self._fault(error, None)
            if fault is None:
                raise
        free_memory(str(self.network.device))
        raise fault

    # ---- failures ------------------------------------------------------------------------------

    def _fault(self, error: Exception, own: Engine | None) -> EngineError | None:
        """Return the failure of an attempt, or None if it is a bug."""
        if own is None:
            return self.engines.fault(error)
        return device_fault(error, own.description, own.device)

    def _recover(self, fault: EngineError, own: Engine | None, *, split: bool) -> None:
        """Free memory, or fall back to the next engine and then to the CPU.

        Raises:
            EngineError: The fault, if the CPU is what has failed.
        """
        device = str(self.network.device)
        if split and isinstance(fault, OutOfMemoryError):
            free_memory(device)
            raise fault
        with suppress(EngineError, *FAILURES):
            if own is None and self.engines.recover(fault):
                return
        if device == "cpu" or self._given:
            raise fault
        self._fall_back_to_cpu(fault)

    def _fall_back_to_cpu(self, fault: EngineError) -> None:
        """Load the network again, on the CPU: a device that has failed gives nothing back."""
        self._warn(f"Falling back to the CPU: {fault}")
        if self._busy:
            self._busy("loading the network on the CPU…")
        device = str(self._network.device) if self._network else "cpu"
        with suppress(*FAILURES):
            self.close()
        free_memory(device)
        self._settings = replace(self._settings, device="cpu", precision="auto")
        self._load()

    def close(self) -> None:
        """Close the engines. May be called twice."""
        engines, self._engines, self._network = self._engines, None, None
        try:
            self._release()
        finally:
            if engines:
                engines.close()


class _Request(NamedTuple):
    """One call of an engine."""

    engine: Engine
    x: Tensor
    """N×3×H×W: the images."""
    batch: Tensor
    """The same, with the extra ones behind them."""
    classes: list[int]
    """Class indices, or ranks below 0."""
    needs_evidence: bool
    """Whether activations and gradients are needed, or Grad-CAM of each class is enough."""
