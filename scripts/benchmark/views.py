"""The cost of each view and each check on top of the plain overlay."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from live_cam.bench.contest import quartiles
from live_cam.capture.demo import SIZE, DemoScene
from live_cam.explain.explainer import Explainer
from live_cam.frame import Frame
from live_cam.live.controls import Controls
from live_cam.look import VIEWS, Look
from live_cam.overlay import Overlay
from live_cam.overlay.status import Status
from live_cam.question import AGAINST, VERSUS, Question
from live_cam.runtime.opencv import cv2
from live_cam.runtime.report import Cell, Column, Section
from live_cam.settings import CHECK_EVERY, DEFAULT_SMOOTHING
from live_cam.temporal.stabiliser import Stabiliser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from live_cam.explanation import Explanation
    from live_cam.settings import Settings

_PLAIN: Final = "overlay"
_STEP: Final = 7
"""Frames of the demo scene from one round to the next."""
_RATE: Final = 30.0


@dataclass(slots=True, eq=False)
class _Look:
    """A view or an extra that a user may switch on, and its times in seconds."""

    name: str
    controls: Controls
    smoothing: float = 0.0
    track: bool = False
    explaining: list[float] = field(default_factory=list)
    drawing: list[float] = field(default_factory=list)
    """The first image with an explanation."""
    drawing_again: list[float] = field(default_factory=list)
    """The next image, with the same explanation."""
    overlay: Overlay = field(default_factory=Overlay)
    stabiliser: Stabiliser = field(init=False)

    def __post_init__(self) -> None:
        self.stabiliser = Stabiliser(self.smoothing, track=self.track)

    def draw(self, frame: Frame, explanation: Explanation) -> float:
        """Draw as the live loop does, and return the time it took, in seconds."""
        controls = self.controls
        status = Status(
            network="network · layer",
            engine="engine",
            source="demo",
            shown_fps=_RATE,
            explained_fps=_RATE,
            age=0.1,
            look=controls.look,
        )
        start = time.perf_counter()
        stabilised = self.stabiliser.stabilise(frame, explanation)
        self.overlay.draw(frame, stabilised, status)
        return time.perf_counter() - start


def _looks() -> list[_Look]:
    def look(name: str, **changes: object) -> _Look:
        return _Look(name, Controls(look=Look(bars=False)).with_look(**changes))

    def state(name: str, **changes: object) -> _Look:
        plain = look(name)
        return replace(plain, controls=replace(plain.controls, **changes))  # type: ignore[arg-type]

    return [
        *(look(view, view=view) for view in VIEWS),
        look("bars", bars=True),
        look("box", box=True),
        state("counterfactual", evidence=AGAINST),
        state("versus the runner-up", evidence=VERSUS),
        state("a check", check=True),
        state("randomised weights", randomised=True),
        replace(look("smoothing"), smoothing=DEFAULT_SMOOTHING),
        replace(look("tracking"), track=True),
        replace(look("maps, smoothed and tracked", view="maps"), smoothing=1.0, track=True),
    ]


def views_section(settings: Settings, rounds: int, notify: Callable[[str], None]) -> Section:
    """Measure every view, and every extra of the plain one.

    Args:
        settings: Network, weights, engine and device.
        rounds: The number of frames per view.
        notify: Called with a sentence before each round.

    Raises:
        LiveCamError: The demo's photos are not installed, or the network cannot be loaded.
    """
    looks = _looks()
    with ExitStack() as stack:
        scene = stack.enter_context(DemoScene())
        notify(f"Opening {settings.model} for the views …")
        # With `check=1`, every explanation carries a check once the controls ask for it.
        explainer = stack.enter_context(_opened(replace(settings, check=1, smooth=0.0)))
        # Randomised weights are always explained by the plain engine.
        plain = stack.enter_context(_opened(replace(settings, engine="hook", smooth=0.0)))
        _settle(explainer, scene)
        _randomise(plain, scene)
        stack.enter_context(_one_thread())
        order = random.Random(0)
        for number in range(-1, rounds):
            notify(f"Measuring the views of {settings.model}: {number + 1} of {rounds} …")
            images = [scene.frame((number + 1) * _STEP + step) for step in (0, 1)]
            for look in order.sample(looks, len(looks)):
                by = plain if look.controls.randomised else explainer
                _measure(look, by, [Frame(each, 0, 0.0) for each in images], count=number >= 0)
        engine = explainer.engine
    return _section(looks, f"{settings.model} by {engine}")


def _measure(look: _Look, explainer: Explainer, frames: list[Frame], *, count: bool) -> None:
    number = len(look.drawing) + 1
    first, second = (
        Frame(each.image, 2 * number + place, (2 * number + place) / _RATE)
        for place, each in enumerate(frames)
    )
    explainer.question = look.controls.question()
    explainer.explain(first)  # fills the caches; the next explanation then carries the check
    start = time.perf_counter()
    explanation = explainer.explain(first)
    seconds = time.perf_counter() - start
    drawing, again = look.draw(first, explanation), look.draw(second, explanation)
    if count:
        look.explaining.append(seconds)
        look.drawing.append(drawing)
        look.drawing_again.append(again)


@contextmanager
def _opened(settings: Settings) -> Iterator[Explainer]:
    with Explainer(settings, lambda _text: None) as explainer:
        explainer.load()
        yield explainer


def _settle(explainer: Explainer, scene: DemoScene) -> None:
    """Explain until the engine is settled."""
    frame = Frame(scene.frame(0), 0, 0.0)
    explainer.explain(frame)
    while not explainer.settled:
        explainer.explain(frame)


def _randomise(explainer: Explainer, scene: DemoScene) -> None:
    """Explain until all weights are randomised; only the time after that is measured."""
    explainer.question = Question(randomised=True)
    frame = Frame(scene.frame(0), 0, 0.0)
    explainer.explain(frame)
    while explainer.incomplete:
        explainer.explain(frame)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let OpenCV use one thread, as the live loop does."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _section(looks: list[_Look], network: str) -> Section:
    (plain,) = (each for each in looks if each.name == _PLAIN)
    rows: list[dict[str, Cell]] = []
    for look in looks:
        row: dict[str, Cell] = {"name": look.name}
        for key in ("explaining", "drawing", "drawing_again"):
            own, baseline = getattr(look, key), getattr(plain, key)
            row[key] = quartiles([a / b for a, b in zip(own, baseline, strict=True)]).median
            row[f"{key}_seconds"] = quartiles(own).median
        if look.controls.question() == plain.controls.question():
            row["explaining"] = row["explaining_seconds"] = None
        if look is plain:
            row["explaining"] = 1.0
            row["explaining_seconds"] = quartiles(look.explaining).median
        rows.append(row)
    columns = (
        Column("name", "view or extra"),
        Column("explaining", "explaining ×", "{:.2f}"),
        Column("drawing", "drawing ×", "{:.2f}"),
        Column("drawing_again", "next frame ×", "{:.2f}"),
    )
    times = ", ".join(
        f"{name} {1e3 * quartiles(values).median:.1f} ms"
        for name, values in (
            ("explaining", plain.explaining),
            ("drawing", plain.drawing),
            ("the next frame", plain.drawing_again),
        )
    )
    note = (
        f"{network}, {SIZE[0]}×{SIZE[1]}. ×: median time relative to the plain overlay of the same "
        f"frame, without bars, smoothing and tracking, which takes in this run: {times}. "
        "Explaining: from the frame to the explanation; –: the same as for the overlay. Drawing: "
        "the first image with a new explanation; next frame: the image after it, whose colours "
        f"are cached. A check: the explanation that carries it, one in {CHECK_EVERY}. Randomised "
        "weights: once all are randomised, by the plain engine."
    )
    return Section(f"Views: {network.split(maxsplit=1)[0]}", columns, tuple(rows), (note,))
