"""The live loop compared with its explainer alone: the cost of decoding, drawing and recording."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmark.camera import Camera
from live_cam.capture import open_source
from live_cam.explain.explainer import Explainer
from live_cam.live.display import display_problem
from live_cam.live.pipeline import LivePipeline
from live_cam.runtime.report import Cell, Column, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.live.schedule import Shown
    from live_cam.settings import Settings

_SETTLING: Final = 2.0
"""Uncounted seconds after the engine is settled."""
_PATIENCE: Final = 240.0
_BARE_FRAMES: Final = 20
_PAUSE: Final = 0.2
"""Seconds between two explanations while other engines are being opened, which need the cores."""


@dataclass(slots=True)
class _Watch:
    """Records what the live loop does once its engine is settled, and stops it."""

    seconds: float
    pipeline: LivePipeline
    engine: str = ""
    begun: float = field(default_factory=time.monotonic)
    counts_from: float | None = None
    shown_at: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    explained_at: list[float] = field(default_factory=list)
    threads: int = 0

    def shown(self, shown: Shown) -> None:
        """Record an image that was shown."""
        now = time.monotonic()
        if self.counts_from is None and self.pipeline.settled:
            self.counts_from = now + _SETTLING
        if self.counts_from is not None and now >= self.counts_from:
            self.shown_at.append(now)
            self.ages.append(now - shown.frame.timestamp)
        ends = self.begun + _PATIENCE if self.counts_from is None else self.counts_from
        if now > ends + self.seconds:
            self.engine = self.pipeline.engine
            self.pipeline.stop()

    def explained(self, _frame: Frame, _explanation: Explanation) -> None:
        """Record an explanation."""
        import torch

        self.threads = torch.get_num_threads()  # a setting of each thread
        now = time.monotonic()
        if self.counts_from is not None and now >= self.counts_from:
            self.explained_at.append(now)


def loop_section(
    settings: Sequence[Settings], seconds: float, notify: Callable[[str], None]
) -> Section:
    """Measure the live loop with a recording, and with a window if there is a display.

    Args:
        settings: Network, engine, precision and threads of each row; the benchmark sets the source,
            the window and the recording.
        seconds: The duration of each run.
        notify: Called with a sentence before each run.

    Raises:
        LiveCamError: The demo's photos are not installed, or the network cannot be loaded.
    """
    problem = display_problem()
    with Camera() as camera, tempfile.TemporaryDirectory() as folder:
        rows = []
        for chosen in settings:
            complete = replace(
                chosen,
                source=camera.url,
                headless=problem is not None,
                record=Path(folder) / "loop.mp4",
                overwrite=True,
            )
            notify(f"Running the live loop: {chosen.engine} {chosen.precision} …")
            rows.append(_row(complete, seconds, notify))
    columns = (
        Column("engine", "engine"),
        Column("threads", "threads"),
        Column("bare", "bare explanations/s", "{:.1f}"),
        Column("explained", "in the loop", "{:.1f}"),
        Column("share", "share", "{:.2f}"),
        Column("shown", "shown fps", "{:.1f}"),
        Column("interval", "99 % interval ms", "{:.0f}", 1e3),
        Column("age", "median age ms", "{:.1f}", 1e3),
    )
    window = "without a window (there is no display)" if problem else "in a window"
    note = (
        f"MJPEG of an HTTP camera, 1280×720 at 30 fps, decoded, explained, drawn, recorded as "
        f"H.264, {window}. Bare: the explainer alone with the same threads, resizing included. "
        "Age: from an image's arrival until it is shown."
    )
    return Section("The whole loop", columns, tuple(rows), (note,))


def _row(settings: Settings, seconds: float, notify: Callable[[str], None]) -> dict[str, Cell]:
    pipeline = LivePipeline(settings, lambda _text: None)
    watch = _Watch(seconds, pipeline)
    pipeline.observer = watch
    pipeline.run()
    explained = len(watch.explained_at) / seconds
    notify(f"Running the explainer alone: {watch.engine} …")
    bare = _bare_rate(replace(settings, threads=watch.threads))
    return {
        "engine": watch.engine,
        "threads": watch.threads,
        "bare": bare,
        "explained": explained,
        "share": explained / bare,
        "shown": len(watch.shown_at) / seconds,
        "interval": float(np.percentile(np.diff(watch.shown_at), 99)),
        "age": float(np.median(watch.ages)),
    }


def _bare_rate(settings: Settings) -> float:
    """Return explanations per second of the explainer alone: resizing, network, gradient."""
    with open_source(settings.source) as source, Explainer(settings, lambda _text: None) as alone:
        frames = [frame for _ in range(_BARE_FRAMES) if (frame := source.read())]
        source.close()
        alone.load()
        while not alone.settled:
            alone.explain(frames[0])
            time.sleep(_PAUSE)
        seconds = []
        for frame in frames:
            start = time.perf_counter()
            alone.explain(frame)
            seconds.append(time.perf_counter() - start)
    return 1 / float(np.median(seconds))
