"""Everything that is written about an image, each file wholly or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.frame import Frame
from live_cam.overlay import Overlay, to_frame
from live_cam.overlay.panel import Panel
from live_cam.overlay.status import Status
from live_cam.record import still_names
from live_cam.record.destinations import whole_file
from live_cam.runtime.opencv import cv2
from live_cam.stills.animation import write_animation
from live_cam.stills.feature_maps import FeatureMaps
from live_cam.stills.guided import guided_image
from live_cam.stills.record import write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from live_cam.explain.batch import BatchExplainer
    from live_cam.explanation import Explanation
    from live_cam.question import Question
    from live_cam.settings import StillsSettings
    from live_cam.stills.naming import Still

_JPEG_QUALITY = 95
LONGEST_SIDE: Final = 65500
"""Pixels: a JPEG's limit."""
_DEEPEST_GREY = 65535


class Writer:
    """Writes what the settings ask for."""

    def __init__(
        self,
        settings: StillsSettings,
        explainer: BatchExplainer,
        question: Question,
        step: Callable[[], None],
    ) -> None:
        """Take what is written, and about what.

        Args:
            settings: Which outputs, and how they look.
            explainer: The network; loaded.
            question: What it is asked.
            step: Called for each image of an animation.
        """
        self._settings = settings
        self._explainer = explainer
        self._question = question
        self._step = step
        self._overlay = Overlay()
        self._panel = Panel(settings.look)
        self._status = Status(look=settings.look)

    def write(
        self,
        still: Still,
        image: NDArray[np.uint8],
        explanations: Sequence[Explanation],
        parts: Sequence[str],
    ) -> None:
        """Write all about one image.

        Args:
            still: The image, and what its outputs are called.
            image: H×W×3, BGR.
            explanations: One for each class.
            parts: What each class is called in the names of its outputs.

        Raises:
            RecordingError: A file cannot be written.
        """
        settings, layers = self._settings, self._explainer.layers
        name = self._explainer.classifier.name
        height, width = image.shape[:2]
        for said, part in zip(explanations, parts, strict=True):
            if settings.guided:  # first, since a network without ReLUs is refused here
                guided = self._explainer.guided(image, said)
                shown = guided_image(guided, width, height, said.region)
                _write_image(still.output(still_names.GUIDED, part), shown)
            drawn = self._overlay.draw(Frame(image, 0, 0.0), said, self._status)
            _write_image(still.output(still_names.OVERLAY, part), drawn.image)
            if settings.heatmap:
                _write_heatmap(still, part, said, (width, height))
            if settings.feature_maps:
                self._write_feature_maps(still, part, image, said.class_index)
        if settings.panel:
            panel = self._panel.draw(image, explanations, f"{name} · {' + '.join(layers)}")
            _write_image(still.output(still_names.PANEL), panel)
        if settings.json:
            with whole_file(still.output(still_names.RECORD)) as draft:
                size = width, height
                write_record(
                    draft, still.source, size, explanations, (name, layers), self._question
                )

    def _write_feature_maps(
        self, still: Still, part: str, image: NDArray[np.uint8], class_index: int
    ) -> None:
        settings = self._settings
        form = settings.feature_maps or ""
        maps = FeatureMaps(
            self._explainer, image, class_index, count=settings.maps, order=settings.order
        )
        status = replace(self._status, look=replace(settings.look, bars=False, box=False))
        with whole_file(still.output(still_names.FEATURE_MAPS + form, part)) as draft:
            images = self._counted(maps.draw(self._overlay, status, form))
            write_animation(draft, images, len(maps))

    def _counted(self, images: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        for drawn in images:
            yield drawn
            self._step()


def outputs(settings: StillsSettings, still: Still, parts: Sequence[str]) -> list[Path]:
    """Return every file that `Writer.write` would write about an image.

    Args:
        settings: Which outputs there are.
        still: The image.
        parts: As `Writer.write` takes them.
    """
    each = [still_names.OVERLAY]
    if settings.heatmap:
        each += [still_names.HEATMAP, still_names.ARRAY]
    if settings.guided:
        each.append(still_names.GUIDED)
    if settings.feature_maps:
        each.append(still_names.FEATURE_MAPS + settings.feature_maps)
    once = [still_names.PANEL] * settings.panel + [still_names.RECORD] * settings.json
    return [still.output(ending, part) for part in parts for ending in each] + [
        still.output(ending) for ending in once
    ]


def _write_image(path: Path, drawn: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    # Not `imwrite`: on Windows it does not find names outside of the system's code page.
    _, encoded = cv2.imencode(path.suffix, drawn, options)
    with whole_file(path) as draft:
        draft.write_bytes(encoded.tobytes())


def _write_heatmap(still: Still, part: str, said: Explanation, size: tuple[int, int]) -> None:
    """Write a map in the image's size, in grey, and as it is, in the layer's resolution.

    In grey black is 0 and white 1; of a signed one black is -1 and the middle 0.
    """
    laid = to_frame(said.heatmap, *size, signed=said.maps[0].signed, region=said.region)
    share = (laid + 1) / 2 if said.maps[0].signed else laid
    grey = np.rint(share * _DEEPEST_GREY).astype(np.uint16)
    _write_image(still.output(still_names.HEATMAP, part), grey)
    with whole_file(still.output(still_names.ARRAY, part)) as draft:
        np.save(draft, said.heatmap)
