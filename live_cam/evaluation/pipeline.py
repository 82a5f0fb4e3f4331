"""From a folder to figures: it alone wires the stages, and reads like a table of contents."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from live_cam.capture.image_file import read_image, unreadable
from live_cam.errors import NonFiniteError
from live_cam.evaluation.images import find_classes_shown, find_named_images
from live_cam.evaluation.measuring import Measuring
from live_cam.evaluation.summary import Evaluated, Evaluation
from live_cam.explain.batch import BatchExplainer
from live_cam.record.destinations import check_output, whole_file
from live_cam.settings import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from live_cam.settings import EvaluationSettings


class EvaluationPipeline:
    """Measures the methods on every image of a folder.

    Attributes:
        evaluation: What is known so far; None before the network is loaded.
    """

    class Observer(Protocol):
        """Who is told what happens, to tell the user."""

        def notify(self, text: str) -> None:
            """Pass on what the user must know, a sentence a call."""

        def begin(self, steps: int) -> None:
            """Take note that everything is ready, and how many steps there are."""

        def step(self, count: int = 1) -> None:
            """Take note that some of these steps are done."""

    def __init__(self, settings: EvaluationSettings, observer: Observer) -> None:
        """Take the settings; nothing is opened yet.

        Args:
            settings: What to do.
            observer: Is told what happens.
        """
        self.evaluation: Evaluation | None = None
        if settings.precision == "auto":  # half precision would be measured along with the maps
            settings = replace(settings, precision="fp32")
        self._settings = settings
        self._observer = observer
        self._methods = tuple(dict.fromkeys(settings.methods)) or METHODS

    def run(self) -> None:
        """Measure all images, and write the file, whatever ends it.

        Raises:
            UsageError: A wrong name or value, or a file that would be written over; nothing has
                been done then.
            LiveCamError: Something failed; `evaluation` has what was measured until then.
        """
        settings = self._settings
        if settings.json:
            check_output(settings.json, overwrite=settings.overwrite)
        named = find_named_images(settings.folder, settings.truth)
        with BatchExplainer(
            settings, self._observer.notify, batch=settings.batch, more_layers=settings.more_layers
        ) as explainer:
            explainer.load()
            classes = find_classes_shown(named, explainer.labels, self._observer.notify)
            with Measuring(explainer, self._methods, settings.steps) as measuring:
                self.evaluation = self._begun(explainer, measuring, len(named))
                self._observer.begin(len(named) * self._steps_each)
                try:
                    for seed, (each, shows) in enumerate(zip(named, classes, strict=True)):
                        self._measure(measuring, self.evaluation, each.path, shows, seed)
                finally:
                    self._write(self.evaluation)

    def _begun(self, explainer: BatchExplainer, measuring: Measuring, total: int) -> Evaluation:
        engine, classifier = explainer.engine, explainer.classifier
        network = {
            "model": classifier.name,
            "weights": str(self._settings.weights) if self._settings.weights else None,
            "layers": list(explainer.layers),
            "fit": self._settings.fit,
            "engine": engine.name,
            "device": engine.device,
            "precision": engine.precision,
        }
        return Evaluation(
            folder=self._settings.folder,
            network=network,
            labels=explainer.labels,
            methods=self._methods,
            fractions=measuring.fractions,
            total=total,
        )

    @property
    def _steps_each(self) -> int:
        """Steps for an image: one for each method, and one for the random map."""
        return len(self._methods) + 1

    def _measure(
        self,
        measuring: Measuring,
        evaluation: Evaluation,
        path: Path,
        shows: int | None,
        seed: int,
    ) -> None:
        image = read_image(path)
        if image is None:
            evaluation.failed.append(path)
            self._observer.notify(f"{unreadable([path])} It is passed over.")
            self._observer.step(self._steps_each)
            return
        steps = _Steps(self._observer.step)
        try:
            measured = measuring.measure(image, shows, seed, steps)
        except NonFiniteError as error:
            evaluation.failed.append(path)
            self._observer.notify(f"{path} cannot be measured and is passed over: {error}")
            steps(self._steps_each - steps.done)
        else:
            evaluation.done.append(Evaluated(path, shows, measured))

    def _write(self, evaluation: Evaluation) -> None:
        if self._settings.json and evaluation.done:
            with whole_file(self._settings.json) as draft:
                # What is no text in a name becomes an escape of JSON, which stands for it.
                draft.write_text(evaluation.to_json(), encoding="utf-8", errors="backslashreplace")


class _Steps:
    """Counts the steps that it passes on."""

    def __init__(self, step: Callable[[int], None]) -> None:
        self.done = 0
        self._step = step

    def __call__(self, count: int = 1) -> None:
        self.done += count
        self._step(count)
