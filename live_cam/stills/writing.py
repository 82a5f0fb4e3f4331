"""The output files of an image, each written completely or not at all."""

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
from live_cam.stills.json_record import write_record

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
_MAX_GREY = 65535


class Writer:
    """Writes the outputs that the settings select."""

    def __init__(
        self,
        settings: StillsSettings,
        explainer: BatchExplainer,
        question: Question,
        step: Callable[[], None],
    ) -> None:
        """Prepare the drawing.

        Args:
            settings: Which outputs to write, and how they look.
            explainer: A loaded explainer.
            question: The question that the explanations answer.
            step: Called after each image of an animation.
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
        """Write all outputs of one image.

        Args:
            still: The image file and the names of its outputs.
            image: H×W×3, BGR.
            explanations: One per class.
            parts: Each class's part of the output names.

        Raises:
            RecordingError: A file cannot be written.
        """
        settings, layers = self._settings, self._explainer.layers
        name = self._explainer.classifier.name
        height, width = image.shape[:2]
        for explanation, part in zip(explanations, parts, strict=True):
            if settings.guided:  # first, because it rejects networks without ReLUs
                guided = self._explainer.guided(image, explanation)
                drawn = guided_image(guided, width, height, explanation.region)
                _write_image(still.output(still_names.GUIDED, part), drawn)
            overlay = self._overlay.draw(Frame(image, 0, 0.0), explanation, self._status)
            _write_image(still.output(still_names.OVERLAY, part), overlay.image)
            if settings.heatmap:
                _write_heatmap(still, part, explanation, (width, height))
            if settings.feature_maps:
                self._write_feature_maps(still, part, image, explanation.class_index)
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
    """Return the paths of all files that `Writer.write` writes for an image.

    Args:
        settings: Which outputs to write.
        still: The image file and the names of its outputs.
        parts: Each class's part of the output names.
    """
    per_class = [still_names.OVERLAY]
    if settings.heatmap:
        per_class += [still_names.HEATMAP, still_names.ARRAY]
    if settings.guided:
        per_class.append(still_names.GUIDED)
    if settings.feature_maps:
        per_class.append(still_names.FEATURE_MAPS + settings.feature_maps)
    shared = [still_names.PANEL] * settings.panel + [still_names.RECORD] * settings.json
    return [still.output(ending, part) for part in parts for ending in per_class] + [
        still.output(ending) for ending in shared
    ]


def _write_image(path: Path, drawn: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    # `imwrite` cannot open names outside the system's code page on Windows.
    _, encoded = cv2.imencode(path.suffix, drawn, options)
    with whole_file(path) as draft:
        draft.write_bytes(encoded.tobytes())


def _write_heatmap(
    still: Still, part: str, explanation: Explanation, size: tuple[int, int]
) -> None:
    """Write a heatmap as a grey image at the image's size, and as an array at the layer's.

    Black is 0 and white is 1; in a signed heatmap, black is -1 and mid-grey is 0.
    """
    signed = explanation.maps[0].signed
    resized = to_frame(explanation.heatmap, *size, signed=signed, region=explanation.region)
    share = (resized + 1) / 2 if signed else resized
    grey = np.rint(share * _MAX_GREY).astype(np.uint16)
    _write_image(still.output(still_names.HEATMAP, part), grey)
    with whole_file(still.output(still_names.ARRAY, part)) as draft:
        np.save(draft, explanation.heatmap)
