"""Point a webcam at something and see, live, what a neural network says it is and why.

The public names are loaded when they are first used, so that importing the package imports
neither torch nor OpenCV.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from live_cam.cam.gradcam import GradCAM
    from live_cam.capture import open_source
    from live_cam.explain.batch import BatchExplainer
    from live_cam.explanation import Explanation, Prediction
    from live_cam.frame import Frame
    from live_cam.live.pipeline import LivePipeline
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
    "LivePipeline": "live.pipeline",
    "NetworkSettings": "settings",
    "Prediction": "explanation",
    "Question": "question",
    "Recorder": "record.recorder",
    "Settings": "settings",
    "load_classifier": "network.classifier",
    "open_source": "capture",
}

__all__ = [
    "BatchExplainer",
    "Classifier",
    "Explanation",
    "Frame",
    "GradCAM",
    "LivePipeline",
    "NetworkSettings",
    "Prediction",
    "Question",
    "Recorder",
    "Settings",
    "load_classifier",
    "open_source",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
