"""Runs the stills pipeline and records its messages and results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from live_cam.explanation import Explanation
from live_cam.runtime.opencv import cv2
from live_cam.settings import StillsSettings
from live_cam.stills.pipeline import StillsPipeline

EMBEDDED = "efficientnet_lite0"


class Observer:
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.steps = 0
        self.done = 0
        self.labels: dict[str, list[str]] = {}

    def notify(self, text: str) -> None:
        self.messages.append(text)

    def begin(self, steps: int) -> None:
        self.steps = steps

    def step(self, count: int = 1) -> None:
        self.done += count

    def explained(
        self, source: Path, explanations: Sequence[Explanation], overlays: Sequence[Path]
    ) -> None:
        assert all(path.exists() for path in overlays)
        self.labels[source.name] = [explanation.label for explanation in explanations]


def run(*paths: Path | str, **settings: Any) -> tuple[StillsPipeline, Observer]:
    """Explain images with the embedded network, unless the settings name another."""
    settings = {"model": EMBEDDED, "paths": tuple(map(str, paths))} | settings
    observer = Observer()
    pipeline = StillsPipeline(StillsSettings(**settings), observer)
    pipeline.run()
    assert observer.done == observer.steps, "the progress bar is full at the end"
    return pipeline, observer


def read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return np.asarray(image)


def record(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
