"""The core of every explanation, of live frames, stills and videos alike."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

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

    from live_cam.engines.engine import Engine
    from live_cam.engines.selection import EngineSelector
    from live_cam.explain.heatmaps import Result
    from live_cam.explain.loading import Loaded
    from live_cam.frame import Frame
    from live_cam.question import Question
    from live_cam.settings import NetworkSettings
    from live_cam.temporal.hysteresis import Ranking


class Plan(NamedTuple):
    """What the caller adds to a question, for one attempt."""

    engine: Engine | None = None
    """Explains instead of the selected engine. No other engine can replace it."""
    extra: Tensor | None = None
    """M×3×H×W: images that join the forward pass for their logits alone."""
    ranks: Sequence[int] = ()
    """The classes shown as the most probable, the second and so on. None: each image's own."""
    ranking: Ranking | None = None
    """Selects the strongest feature maps, by default each image's own."""


class Explained(NamedTuple):
    """The explanations of N images, with the tensors behind them."""

    explanations: list[Explanation]
    logits: Tensor
    """(N+M)×C float32: the N images' logits, then those of the M extra ones."""
    x: Tensor
    """N×3×H×W: the images as the network's input."""


class ExplanationCore(Closing):
    """Explains images by the network of the settings.

    If memory runs out, cached memory is freed. If an engine fails, the next one explains the same
    images. If the device fails, the network is loaded again on the CPU, for the rest of the run.
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
            settings: The network, weights, layer, device and precision.
            open_engines: Opens the engines on a network after it was loaded.
            notify: Called with each message for the user, one sentence per call.
            warn: Called with the sentence about a fallback; `notify` by default.
            busy: Called with the name of a step that takes long. By default, `notify` receives
                those of loading.
            release: Called before the network is closed, to close what the caller opened on it.
            network: Explained instead of the settings' network, without a fallback to the CPU.
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
        """Select the device, load the network and open its engines.

        If the device selected by `auto` fails, loading falls back to the CPU; a device that the
        user named must work.

        Raises:
            UsageError: A name or file is wrong, or the engine does not support the precision or
                device.
            WeightsError: The weights are not available.
            EngineError: The engine that the user named is not installed or cannot run the network,
                or the device that the user named has failed or has too little memory.
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
            # If it replaced another network, it also does after a fallback to the CPU.
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
        """The present engine: `torch cpu fp32`. Empty while no network is loaded."""
        engines = self._engines
        return engines.description if engines else ""

    @property
    def settled(self) -> bool:
        """Whether no other engine can take over."""
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
        """Explain images, in one forward pass and one batched gradient.

        Args:
            frames: The images, at least one.
            question: The question about each of them.
            plan: Called at the start of each attempt; the network may be a new one.
            timer: Records the duration of each stage.
            split: Whether the caller will try fewer images at once if memory runs out, so that no
                fallback is needed.

        Raises:
            UsageError: A class does not exist, or the engine does not support the question.
            NonFiniteError: The network's logits or gradients are not finite.
            OutOfMemoryError: Memory has run out and `split` is set, or also on the CPU.
            EngineError: Every engine has failed, also on the CPU.
            RuntimeError: Called before `load` or after `close`.
        """
        timer = timer or StageTimer()
        self.engines.begin()
        self._offered = None
        while True:
            planned = Plan()
            request: _Request | None = None
            result: Result = []
            try:
                with timer.stage("total"):
                    planned = plan()
                    request = self._request(frames, question, planned, timer)
                    engine, classes = request.engine, request.classes
                    with TRACING:
                        if isinstance(classes, Tensor):
                            result = engine.evidence(request.batch, classes, timer)
                        else:
                            result = []
                            for index in classes:
                                result.append(engine.explain(request.batch, index, timer))
                    explanations = self._explanations(frames, question, planned, result, timer)
            except (EngineError, *FAILURES) as error:
                fault = self._fault(error, planned.engine)
                if fault is None:
                    raise  # a bug, as far as anyone can tell
            else:
                self.engines.finish()
                return Explained(explanations, logits_of(result), request.x)
            # Only now is the memory of the failed attempt released.
            del request, result
            self._recover(fault, planned.engine, split=split)

    def _request(
        self, frames: Sequence[Frame], question: Question, planned: Plan, timer: StageTimer
    ) -> _Request:
        with timer.stage("preprocess"):
            x = self.prepare([frame.image for frame in frames])
            batch = x if planned.extra is None else torch.cat([x, planned.extra])
        classes = target_classes(question, planned.ranks)
        engine = planned.engine
        if engine is None:
            if self._offered is not self.engines:  # once per frame, not once per attempt
                self._offered = self.engines
                first = None if classes[0] < 0 else classes[0]
                self.engines.offer(x[:1], first, frames[0].image)
            engine = self.engines.ready(len(batch) * len(classes))
        if engine.has_evidence and not (question.plain and classes[0] >= TOP_CLASS):
            return _Request(engine, x, batch, torch.tensor(classes))
        each = [None if index == TOP_CLASS else index for index in classes]
        return _Request(engine, x, batch, each)

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
        """Return the logits of images, without maps and without a fallback.

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
        """Return the typed error of a failed attempt, or None if it is a bug."""
        if own is None:
            return self.engines.fault(error)
        return device_fault(error, own.description, own.device)

    def _recover(self, fault: EngineError, own: Engine | None, *, split: bool) -> None:
        """Free memory, or fall back to the next engine and then to the CPU.

        Raises:
            EngineError: The fault, if none of these is left.
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
        """Load the network again, on the CPU: nothing can be copied from a failed device."""
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
    """The images, followed by the extra ones."""
    classes: Tensor | list[int | None]
    """Of `Engine.evidence`, or one after the other of `Engine.explain`."""
