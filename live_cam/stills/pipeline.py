"""From files to files: it alone wires the stages, and reads like a table of contents."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final, Protocol

from live_cam.capture.image_paths import find_images
from live_cam.capture.stills import unreadable
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
    from live_cam.stills.reading import Read


_PERTURBATION_STEPS: Final = 100


class StillsPipeline:
    """Explains images in batches, and writes about each of them.

    Attributes:
        explained: How many images were explained so far.
        failed: How many could not be explained.
        total: How many there are.
    """

    class Observer(Protocol):
        """Who is told what happens, to tell the user."""

        def notify(self, text: str) -> None:
            """Pass on what the user must know, a sentence a call."""

        def begin(self, steps: int) -> None:
            """Take note that everything is ready, and how many steps there are."""

        def step(self, count: int = 1) -> None:
            """Take note that some of these steps are done."""

        def explained(
            self, source: Path, explanations: Sequence[Explanation], overlays: Sequence[Path]
        ) -> None:
            """Take note of what was found of an image, and of each class's overlay."""

    def __init__(self, settings: StillsSettings, observer: Observer) -> None:
        """Take the settings; nothing is opened yet.

        Args:
            settings: What to do.
            observer: Is told what happens.
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
            UsageError: A wrong name or value, or a file that would be written over; nothing has
                been done then.
            LiveCamError: Something failed; what was written until then is whole.
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
            progress=self._note_perturbed,
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
            at_once = 1 if question.perturbs else explainer.batch_size
            with closing(read_ahead(stills, at_once)) as batches:
                for batch in batches:
                    self._explain(batch, explainer, question, writer)

    # ---- before --------------------------------------------------------------------------------

    def _find_stills(self) -> list[Still]:
        found = find_images(self._settings.paths)
        paths = [path for path in found if not is_output(path)]
        if not paths:
            raise UsageError(
                f"there are only images that an earlier run wrote, such as {found[0]}; give "
                "others, or rename them."
            )
        passed = len(found) - len(paths)
        if passed:
            what = "one image" if passed == 1 else f"{passed} images"
            self._observer.notify(f"Passed over {what} that an earlier run wrote.")
        self.total = len(paths)
        return name_stills(paths, self._settings.output)

    def _check_outputs(self, stills: Sequence[Still]) -> None:
        settings = self._settings
        if not settings.overwrite:
            check_free(path for still in stills for path in outputs(settings, still, self._parts))

    def _question(self, classes: tuple[int, ...]) -> Question:
        evidence: EvidenceKind = AGAINST if self._settings.counterfactual else FOR
        return Question(classes or (TOP_CLASS,), (self._settings.method,), evidence)

    # ---- images ------------------------------------------------------------------------------

    def _explain(
        self,
        batch: Sequence[Read],
        explainer: BatchExplainer,
        question: Question,
        writer: Writer,
    ) -> None:
        fine: list[tuple[Still, NDArray[np.uint8]]] = []
        for still, image in batch:
            if image is not None and max(image.shape) <= LONGEST_SIDE:
                fine.append((still, image))
                continue
            self.failed += 1
            self._observer.notify(f"{_problem(still.source, image)} It is passed over.")
            self._observer.step(self._steps_each)
        self._steps_left = len(fine) * self._steps_each
        self._perturbed = 0
        said = _each_said(explainer, [image for _, image in fine], question)
        for place, ((still, image), found) in enumerate(zip(fine, said, strict=True), 1):
            try:
                self._write(still, image, found, writer)
            except NonFiniteError as error:
                self.failed += 1
                self._observer.notify(
                    f"{still.source} cannot be explained and is passed over: {error}"
                )
            self._step(self._steps_left - (len(fine) - place) * self._steps_each)

    def _write(
        self,
        still: Still,
        image: NDArray[np.uint8],
        found: Explanation | NonFiniteError,
        writer: Writer,
    ) -> None:
        if isinstance(found, NonFiniteError):
            raise found
        each = found.split_by_class()
        writer.write(still, image, each, self._parts)
        self.explained += 1
        overlays = [still.output(OVERLAY, part) for part in self._parts]
        self._observer.explained(still.source, each, overlays)

    @property
    def _steps_each(self) -> int:
        """Steps for an image: one, more where it takes long, and its animations' images."""
        perturbed = 0 if self._settings.method in METHODS else _PERTURBATION_STEPS
        animated = self._settings.maps + 1 if self._settings.feature_maps else 0
        return 1 + perturbed + animated * len(self._parts)

    def _note_perturbed(self, share: float) -> None:
        """Take note of what share of an image's explanation is done."""
        done = round(share * _PERTURBATION_STEPS)
        self._step(done - self._perturbed)
        self._perturbed = done

    def _step(self, count: int = 1) -> None:
        self._steps_left -= count
        self._observer.step(count)


def _each_said(
    explainer: BatchExplainer, images: Sequence[NDArray[np.uint8]], question: Question
) -> list[Explanation | NonFiniteError]:
    """Explain images, of which some may drive the network out of the range of its numbers."""
    try:
        return [*explainer.explain(images, question)]
    except NonFiniteError as error:
        if len(images) == 1:
            return [error]
    # Nobody knows which one it was, and the others must not suffer for it.
    return [found for image in images for found in _each_said(explainer, [image], question)]


def _problem(source: Path, image: NDArray[np.uint8] | None) -> str:
    """Say why an image cannot be explained."""
    if image is None:
        return unreadable([source])
    height, width = image.shape[:2]
    return (
        f"{source} has {width}×{height} pixels, and a JPEG, which its overlay is, at most "
        f"{LONGEST_SIDE} a side; make it smaller."
    )
