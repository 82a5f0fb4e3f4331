"""Show, live, what a network recognises in a camera image and which part of the image it looked at.

In Python:

    explanation = live_cam.explain("cat.jpg")           # a file, Pillow image, RGB array or tensor
    explanation.save("cat.cam.jpg")
    with live_cam.GradCAM(model) as cam: result = cam(x)
    live_cam.overlay(image, result.cam)

The rooms, from the roof down; imports run down only, and rooms of one line do not know each other:

    cli                             options, printing, signals, doctor
    live  stills  video  evaluation  bench    the live loop and the other products
    explain                         image and question to Explanation: one core, live and in batches
    engines  temporal               the same maps, faster | maps that follow and do not flicker
    cam  capture  overlay           activations to a map | where frames come from | drawing
    network                         which network: families, weights, input, precision, layer
    record                          video, log, snapshots: files that survive a crash
    runtime                         threads, latest value, timing, imports: nothing of the domain

Beside them stand the types that every room uses: `frame`, `explanation`, `question`, `look`,
`settings`, `labels`, `geometry`, `resizing` and `errors`. None of them imports torch.

The public names are loaded when they are first used, so importing the package imports neither torch
nor OpenCV.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from live_cam.cam.gradcam import GradCAM
    from live_cam.capture import open_source
    from live_cam.explain.batch import BatchExplainer
    from live_cam.explain.front import ImageExplanation, explain, overlay
    from live_cam.explanation import Explanation, Heatmap, Prediction
    from live_cam.frame import Frame
    from live_cam.live.pipeline import LivePipeline
    from live_cam.look import Look
    from live_cam.network.classifier import Classifier, load_classifier
    from live_cam.question import Question
    from live_cam.record.recorder import Recorder
    from live_cam.settings import NetworkSettings, Settings

__version__ = "0.1.0"

_HOMES = {
    "BatchExplainer": "explain.batch",
    "Classifier": "network.classifier",
    "Explanation": "explanation",
    "Frame": "frame",
    "GradCAM": "cam.gradcam",
    "Heatmap": "explanation",
    "ImageExplanation": "explain.front",
    "LivePipeline": "live.pipeline",
    "Look": "look",
    "NetworkSettings": "settings",
    "Prediction": "explanation",
    "Question": "question",
    "Recorder": "record.recorder",
    "Settings": "settings",
    "load_classifier": "network.classifier",
    "open_source": "capture",
}
_CALLABLE_ROOMS = ("explain", "overlay")

__all__ = [
    "BatchExplainer",
    "Classifier",
    "Explanation",
    "Frame",
    "GradCAM",
    "Heatmap",
    "ImageExplanation",
    "LivePipeline",
    "Look",
    "NetworkSettings",
    "Prediction",
    "Question",
    "Recorder",
    "Settings",
    "explain",
    "load_classifier",
    "open_source",
    "overlay",
]


def __getattr__(name: str) -> object:
    if name in _CALLABLE_ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
