"""The evaluation pipeline: find, read and measure images, and write the metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from live_cam.capture.image_file import read_image, unreadable
from live_cam.errors import NonFiniteError
from live_cam.evaluation.evaluator import Evaluator
from live_cam.evaluation.images import find_labelled_images, find_true_classes
from live_cam.evaluation.summary import EvaluatedImage, Evaluation
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
        evaluation: The results so far, or None before the network is loaded.
    """

    class Observer(Protocol):
        """Receives messages and progress."""

        def notify(self, text: str) -> None:
            """Show the user a sentence."""

        def begin(self, steps: int) -> None:
            """Start the progress display; called once the network is loaded."""

        def step(self, count: int = 1) -> None:
            """Advance the progress by some of the steps."""

    def __init__(self, settings: EvaluationSettings, observer: Observer) -> None:
        """Store the settings; nothing is opened before `run`.

        Args:
            settings: What to measure and write.
            observer: Receives messages and progress.
        """
        self.evaluation: Evaluation | None = None
        if settings.precision == "auto":  # rounding in half precision would affect the metrics
            settings = replace(settings, precision="fp32")
        self._settings = settings
        self._observer = observer
        self._methods = tuple(dict.fromkeys(settings.methods)) or METHODS

    def run(self) -> None:
        """Measure all images and write the JSON file, even if the run is cut short.

        Raises:
            UsageError: A name or value is wrong, or a file would be overwritten; nothing has been
                measured.
            LiveCamError: Something failed; `evaluation` has the results so far.
        """
        settings = self._settings
        if settings.json:
            check_output(settings.json, overwrite=settings.overwrite)
        images = find_labelled_images(settings.folder, settings.truth)
        with BatchExplainer(
            settings, self._observer.notify, batch=settings.batch, more_layers=settings.more_layers
        ) as explainer:
            explainer.load()
            classes = find_true_classes(images, explainer.labels, self._observer.notify)
            with Evaluator(explainer, self._methods, settings.steps) as evaluator:
                self.evaluation = self._start(explainer, evaluator, len(images))
                self._observer.begin(len(images) * self._steps_each)
                try:
                    for seed, (image, truth) in enumerate(zip(images, classes, strict=True)):
                        self._measure(evaluator, self.evaluation, image.path, truth, seed)
                finally:
                    self._write(self.evaluation)

    def _start(self, explainer: BatchExplainer, evaluator: Evaluator, total: int) -> Evaluation:
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
            fractions=evaluator.fractions,
            total=total,
        )

    @property
    def _steps_each(self) -> int:
        """Steps per image: one per method, and one for the random map."""
        return len(self._methods) + 1

    def _measure(
        self,
        evaluator: Evaluator,
        evaluation: Evaluation,
        path: Path,
        truth: int | None,
        seed: int,
    ) -> None:
        image = read_image(path)
        if image is None:
            evaluation.failed.append(path)
            self._observer.notify(f"{unreadable([path])} Skipping it.")
            self._observer.step(self._steps_each)
            return
        steps = _Steps(self._observer.step)
        try:
            metrics = evaluator.measure(image, truth, seed, steps)
        except NonFiniteError as error:
            evaluation.failed.append(path)
            self._observer.notify(f"{path} cannot be measured; skipping it: {error}")
            steps(self._steps_each - steps.done)
        else:
            evaluation.measured.append(EvaluatedImage(path, truth, metrics))

    def _write(self, evaluation: Evaluation) -> None:
        if self._settings.json and evaluation.measured:
            with whole_file(self._settings.json) as draft:
                # File names may hold lone surrogates, which UTF-8 cannot encode; JSON escapes them.
                draft.write_text(evaluation.to_json(), encoding="utf-8", errors="backslashreplace")


class _Steps:
    """Forwards steps and counts them."""

    def __init__(self, step: Callable[[int], None]) -> None:
        self.done = 0
        self._step = step

    def __call__(self, count: int = 1) -> None:
        self.done += count
        self._step(count)
