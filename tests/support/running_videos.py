"""Runs the video pipeline and records its messages and progress."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from live_cam.settings import VideoSettings
from live_cam.video.pipeline import VideoPipeline


class Observer:
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.length: Fraction | None = None
        self.frames: list[int] = []
        self.seconds = Fraction(0)

    def notify(self, text: str) -> None:
        self.messages.append(text)

    def begin(self, seconds: Fraction | None) -> None:
        self.length = seconds

    def advance(self, frames: int, seconds: Fraction) -> None:
        self.frames.append(frames)
        self.seconds = seconds


def run(source: Path, target: Path, **settings: Any) -> tuple[VideoPipeline, Observer]:
    """Explain a video, by default with a transparent heatmap, so that frames keep their colours."""
    chosen: dict[str, Any] = {"input": source, "output": target, "alpha": 0.0} | settings
    observer = Observer()
    pipeline = VideoPipeline(VideoSettings(**chosen), observer)
    pipeline.run()
    return pipeline, observer
