"""From a frame to its explanation: the network, loaded when first needed, and Grad-CAM on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from live_cam.closing import Closing
from live_cam.errors import EngineError, WeightsError
from live_cam.explanation import Explanation, Prediction
from live_cam.settings import ACCELERATORS, EMBEDDED_MODEL, TOP_K
from live_cam.timing import StageTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from live_cam.capture import Frame
    from live_cam.classifier import Classifier
    from live_cam.engines.selection import EngineSelector
    from live_cam.gradcam import CAMResult
    from live_cam.preprocess import Preprocessor
    from live_cam.settings import Settings

_EPSILON = 1e-30


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    classifier: Classifier
    preprocess: Preprocessor
    selector: EngineSelector
    target_class: int | None


class Explainer(Closing):
    """Explains frames by the network that the settings name.

    torch is imported by `load`, not before: the first picture is on the screen by then.

    Attributes:
        activity: What it is busy with before it can explain; None once it can.
        network: The network's and the target layer's name, once loaded: `vgg19 · features.35`.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """Take the settings; nothing is loaded yet.

        Args:
            settings: Which network, weights, layer, class, device and precision.
            say: Told what the user must know, a sentence a call.
        """
        self.activity: str | None = f"loading {settings.model}…"
        self.network = ""
        self._settings = settings
        self._say = say
        self._loaded: _Loaded | None = None

    def load(self) -> None:
        """Import torch, choose the device, load the network and open the plain engine on it.

        Faster engines are opened in the background and take over when they are ready.

        Raises:
            UsageError: A wrong name, file or class; the message says which.
            WeightsError: The weights cannot be had.
            EngineError: The engine that was asked for is not installed.
        """
        from live_cam.labels import find_class
        from live_cam.precision import select_device
        from live_cam.preprocess import Preprocessor

        settings = self._settings
        _share_threads(settings)
        device = select_device("cpu" if settings.device in ACCELERATORS else settings.device)
        classifier = self._load_classifier(device)
        wanted = settings.target_class
        self._loaded = _Loaded(
            classifier=classifier,
            preprocess=Preprocessor(classifier.input_size, classifier.mean, classifier.std, device),
            target_class=None if wanted is None else find_class(classifier.labels, wanted),
            selector=self._open_engines(classifier, device),
        )
        self.network = f"{classifier.name} · {classifier.layer}"
        self.activity = None

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
        return self._loaded.selector.description if self._loaded else ""

    @property
    def settled(self) -> bool:
        """Whether it is decided which engine explains."""
        return self._loaded is not None and self._loaded.selector.settled

    def _load_classifier(self, device: torch.device) -> Classifier:
        from live_cam.classifier import load_classifier, missing_download

        settings = self._settings
        download = None if settings.weights else missing_download(settings.model)
        if download:
            self.activity = f"downloading the weights of {settings.model} ({download})…"
        try:
            return load_classifier(
                settings.model,
                weights=settings.weights,
                labels=settings.labels,
                layer=settings.layer,
                device=device,
            )
        except WeightsError as error:
            if not settings.fallback or settings.weights or settings.layer:
                raise
            self._say(f"Using {EMBEDDED_MODEL} instead of {settings.model}: {error}")
            self.activity = f"loading {EMBEDDED_MODEL} instead of {settings.model}…"
            return load_classifier(EMBEDDED_MODEL, labels=settings.labels, device=device)

    def explain(self, frame: Frame) -> Explanation:
        """Say what the network sees in a frame and which part of it made it say so.

        Raises:
            NonFiniteError: The network's scores or gradients are not finite.
            RuntimeError: Called before `load` or after `close`.
        """
        loaded = self._loaded
        if loaded is None:
            raise RuntimeError("an Explainer explains only between load() and close()")
        timer = StageTimer()
        with timer.stage("total"):
            with timer.stage("preprocess"):
                x = loaded.preprocess(frame.image)
            result = loaded.selector.explain(x, loaded.target_class, timer, frame.image)
        return _to_explanation(result, loaded.classifier.labels, frame, timer)

    def close(self) -> None:
        """Close the engines. May be called twice."""
        loaded, self._loaded = self._loaded, None
        if loaded:
            loaded.selector.close()


def _share_threads(settings: Settings) -> None:
    """Leave one of the processor's cores to those who capture, draw and record.

    Measured on two cores with VGG-19 (docs/performance.md): where the network takes both, each of
    its parallel parts waits for the core that draws, the window stutters, and hardly more frames
    are explained.
    """
    import torch

    default = _cores() if settings.every_frame else max(1, _cores() - 1)
    torch.set_num_threads(settings.threads or default)


@cache
def _cores() -> int:
    """Return how many threads torch takes by itself, asked before it is told another number."""
    import torch

    return torch.get_num_threads()


def _to_explanation(
    result: CAMResult, labels: tuple[str, ...], frame: Frame, timer: StageTimer
) -> Explanation:
    cam = result.cam[0]
    heatmap = (cam / cam.max().clamp_min(_EPSILON)).numpy()
    scores = result.logits[0].softmax(dim=0)
    best = scores.topk(min(TOP_K, len(labels)))
    class_index = int(result.class_index[0])
    return Explanation(
        heatmap=heatmap,
        class_index=class_index,
        label=labels[class_index],
        score=float(scores[class_index]),
        top=tuple(
            Prediction(index, labels[index], score)
            for index, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ),
        frame_index=frame.index,
        timestamp=frame.timestamp,
        seconds=timer.seconds,
    )
