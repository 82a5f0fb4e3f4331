"""From a frame to its explanation: the network, loaded when first needed, and Grad-CAM on it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from live_cam.closing import Closing
from live_cam.errors import WeightsError
from live_cam.explanation import Explanation, Prediction
from live_cam.settings import EMBEDDED_MODEL, TOP_K
from live_cam.timing import StageTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from live_cam.capture import Frame
    from live_cam.classifier import Classifier
    from live_cam.gradcam import CAMResult, GradCAM
    from live_cam.preprocess import Preprocessor
    from live_cam.settings import Settings

_EPSILON = 1e-30


@dataclass(frozen=True, slots=True, eq=False)
class _Engine:
    classifier: Classifier
    preprocess: Preprocessor
    gradcam: GradCAM
    target_class: int | None


class Explainer(Closing):
    """Explains frames by the network that the settings name.

    torch is imported by `load`, not before: the first picture is on the screen by then.

    Attributes:
        activity: What it is busy with before it can explain; None once it can.
        network: The network's and the target layer's name, once loaded: `vgg19 · features.35`.
        device: Device and precision, once loaded: `cpu fp32`.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """Take the settings; nothing is loaded yet.

        Args:
            settings: Which network, weights, layer, class, device and precision.
            say: Told what the user must know, a sentence a call.
        """
        self.activity: str | None = f"loading {settings.model}…"
        self.network = ""
        self.device = ""
        self._settings = settings
        self._say = say
        self._engine: _Engine | None = None
        self._resources = ExitStack()

    def load(self) -> None:
        """Import torch, choose the device, load the network and open the hook on it.

        Raises:
            UsageError: A wrong name, file or class; the message says which.
            WeightsError: The weights cannot be had.
        """
        from live_cam.gradcam import GradCAM
        from live_cam.labels import find_class
        from live_cam.precision import Precision, select_device
        from live_cam.preprocess import Preprocessor

        settings = self._settings
        device = select_device(settings.device)
        precision = Precision(settings.precision, device)
        classifier = self._load_classifier(device)
        wanted = settings.target_class
        self._engine = _Engine(
            classifier=classifier,
            preprocess=Preprocessor(classifier.input_size, classifier.mean, classifier.std, device),
            gradcam=self._resources.enter_context(
                GradCAM(classifier.module, classifier.layer, precision=precision)
            ),
            target_class=None if wanted is None else find_class(classifier.labels, wanted),
        )
        self.network = f"{classifier.name} · {classifier.layer}"
        self.device = f"{device.type} {precision.name}"
        self.activity = None

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
        engine = self._engine
        if engine is None:
            raise RuntimeError("an Explainer explains only between load() and close()")
        timer = StageTimer()
        with timer.stage("total"):
            with timer.stage("preprocess"):
                x = engine.preprocess(frame.image)
            result = engine.gradcam(x, engine.target_class, timer)
            with timer.stage("readback"):
                return _to_explanation(result, engine.classifier.labels, frame, timer)

    def close(self) -> None:
        """Remove the hook. May be called twice."""
        self._resources.close()
        self._engine = None


def _to_explanation(
    result: CAMResult, labels: tuple[str, ...], frame: Frame, timer: StageTimer
) -> Explanation:
    """Bring the small things over from the device: the map, and the probabilities of a few."""
    cam = result.cam[0]
    heatmap = (cam / cam.max().clamp_min(_EPSILON)).cpu().numpy()
    scores = result.logits[0].softmax(dim=0).cpu()
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
