"""The stills pipeline: find, read, explain and write images."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final, Protocol

from live_cam.capture.image_file import unreadable
from live_cam.capture.image_paths import find_images
from live_cam.errors import NonFiniteError, UsageError
from live_cam.explain.batch import BatchExplainer
from live_cam.labels import find_classes
from live_cam.question import AGAINST, FOR, TOP_CLASS, EvidenceKind, Question
from live_cam.record.destinations import make_folder
from live_cam.record.still_names import OVERLAY, is_output
from live_cam.settings import METHODS
from live_cam.stills.naming import check_free, class_parts, name_stills
from live_cam.stills.reading import read_ahead
from live_cam.stills.writing import LONGEST_SIDE, Writer, outputs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.explanation import Explanation
    from live_cam.settings import StillsSettings
    from live_cam.stills.naming import Still
    from live_cam.stills.reading import LoadedStill


_PERTURBATION_STEPS: Final = 100


class StillsPipeline:
    """Explains images in batches and writes the outputs of each.

    Attributes:
        explained: The number of images explained so far.
        failed: The number of images that could not be explained.
        total: The number of images.
    """

    class Observer(Protocol):
        """Receives messages, progress and results."""

        def notify(self, text: str) -> None:
            """Show the user a sentence."""

        def begin(self, steps: int) -> None:
            """Start the progress display; called once the network is loaded."""

        def step(self, count: int = 1) -> None:
            """Advance the progress by some of the steps."""

        def explained(
            self, source: Path, explanations: Sequence[Explanation], overlays: Sequence[Path]
        ) -> None:
            """Report an image's explanations, one per class, and their overlay files."""

    def __init__(self, settings: StillsSettings, observer: Observer) -> None:
        """Store the settings; nothing is opened before `run`.

        Args:
            settings: What to explain and write.
            observer: Receives messages, progress and results.
        """
        self.explained = 0
        self.failed = 0
        self.total = 0
        self._settings = settings
        self._observer = observer
        self._parts: list[str] = [""]
        self._steps_left = 0
        self._perturbed = 0

    def run(self) -> None:
        """Explain all images.

        Raises:
            UsageError: A name or value is wrong, or a file would be overwritten; nothing has been
                written.
            LiveCamError: Something failed; the files written so far are complete.
        """
        settings = self._settings
        stills = self._find_stills()
        if len(settings.target_classes) < 2:
            self._check_outputs(stills)  # before the network is loaded
        with BatchExplainer(
            settings,
            self._observer.notify,
            batch=settings.batch,
            more_layers=settings.more_layers,
            progress=self._advance_perturbation,
        ) as explainer:
            explainer.load()
            classes = find_classes(explainer.labels, settings.target_classes)
            self._parts = class_parts(explainer.labels, classes)
            self._check_outputs(stills)
            if settings.output:
                make_folder(settings.output)
            self._observer.begin(self._steps_each * len(stills))
            question = self._question(classes)
            writer = Writer(settings, explainer, question, self._step)
            batch_size = 1 if question.perturbs else explainer.batch_size
            with closing(read_ahead(stills, batch_size)) as batches:
                for batch in batches:
                    self._explain(batch, explainer, question, writer)

    # ---- preparation ---------------------------------------------------------------------------

    def _find_stills(self) -> list[Still]:
        images = find_images(self._settings.paths)
        paths = [path for path in images if not is_output(path)]
        if not paths:
            raise UsageError(
                f"found only images written by an earlier run, such as {images[0]}; give others, "
                "or rename them."
            )
        skipped = len(images) - len(paths)
        if skipped:
            count = "one image" if skipped == 1 else f"{skipped} images"
            self._observer.notify(f"Skipped {count} written by an earlier run.")
        self.total = len(paths)
        return name_stills(paths, self._settings.output)

    def _check_outputs(self, stills: Sequence[Still]) -> None:
        settings = self._settings
        if not settings.overwrite:
            check_free(path for still in stills for path in outputs(settings, still, self._parts))

    def _question(self, classes: tuple[int, ...]) -> Question:
        settings = self._settings
        evidence: EvidenceKind = AGAINST if settings.counterfactual else FOR
        return Question(classes or (TOP_CLASS,), (settings.method,), evidence)

    # ---- images ------------------------------------------------------------------------------

    def _explain(
        self,
        batch: Sequence[LoadedStill],
        explainer: BatchExplainer,
        question: Question,
        writer: Writer,
    ) -> None:
        usable: list[tuple[Still, NDArray[np.uint8]]] = []
        for still, image in batch:
            if image is not None and max(image.shape) <= LONGEST_SIDE:
                usable.append((still, image))
                continue
            self.failed += 1
            self._observer.notify(f"{_problem(still.source, image)} Skipping it.")
            self._observer.step(self._steps_each)
        self._steps_left = len(usable) * self._steps_each
        self._perturbed = 0
        results = _explain_each(explainer, [image for _, image in usable], question)
        for place, ((still, image), result) in enumerate(zip(usable, results, strict=True), 1):
            try:
                self._write(still, image, result, writer)
            except NonFiniteError as error:
                self.failed += 1
                self._observer.notify(f"{still.source} cannot be explained; skipping it: {error}")
            self._step(self._steps_left - (len(usable) - place) * self._steps_each)

    def _write(
        self,
        still: Still,
        image: NDArray[np.uint8],
        result: Explanation | NonFiniteError,
        writer: Writer,
    ) -> None:
        if isinstance(result, NonFiniteError):
            raise result
        explanations = result.split_by_class()
        writer.write(still, image, explanations, self._parts)
        self.explained += 1
        overlays = [still.output(OVERLAY, part) for part in self._parts]
        self._observer.explained(still.source, explanations, overlays)

    @property
    def _steps_each(self) -> int:
        """Steps per image: one, more for a slow method, and one per image of an animation."""
        perturbed = 0 if self._settings.method in METHODS else _PERTURBATION_STEPS
        animated = self._settings.maps + 1 if self._settings.feature_maps else 0
        return 1 + perturbed + animated * len(self._parts)

    def _advance_perturbation(self, share: float) -> None:
        """Advance to the given share of the current image's explanation."""
        done = round(share * _PERTURBATION_STEPS)
        self._step(done - self._perturbed)
        self._perturbed = done

    def _step(self, count: int = 1) -> None:
        self._steps_left -= count
        self._observer.step(count)


def _explain_each(
    explainer: BatchExplainer, images: Sequence[NDArray[np.uint8]], question: Question
) -> list[Explanation | NonFiniteError]:
    """Explain images, some of which may make the network overflow."""
    try:
        return [*explainer.explain(images, question)]
    except NonFiniteError as error:
        if len(images) == 1:
            return [error]
    # The batch does not tell which image failed; explained one by one, the others succeed.
    return [result for image in images for result in _explain_each(explainer, [image], question)]


def _problem(source: Path, image: NDArray[np.uint8] | None) -> str:
    """Describe why an image cannot be explained."""
    if image is None:
        return unreadable([source])
    height, width = image.shape[:2]
    return (
        f"{source} has {width}×{height} pixels, but its overlay is a JPEG, which allows at most "
        f"{LONGEST_SIDE} per side; make it smaller."
    )
