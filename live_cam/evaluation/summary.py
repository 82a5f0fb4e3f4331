"""The metrics of all images: as means, as a table and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from live_cam.evaluation.evaluator import RANDOM
from live_cam.record.prediction_log import json_number, prediction_record
from live_cam.runtime.report import Column, Report, Section

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from live_cam.evaluation.evaluator import ImageMetrics, MapMetrics
    from live_cam.runtime.report import Cell

_WIDTH: Final = 80
_AVERAGED: Final = {
    "average_drop": "drop",
    "increase_in_confidence": "increase",
    "deletion_area": "deletion_area",
    "insertion_area": "insertion_area",
    "last_layer_correlation": "last_layer",
    "all_layers_correlation": "all_layers",
}
"""The averaged fields of `MapMetrics`, by the names of their means."""
_COLUMNS: Final = (
    Column("method", "method"),
    Column("average_drop", "drop ↓", "{:.1f} %", 100.0),
    Column("increase_in_confidence", "increase ↑", "{:.0f} %", 100.0),
    Column("deletion_area", "deletion ↓", "{:.3f}"),
    Column("insertion_area", "insertion ↑", "{:.3f}"),
    Column("last_layer_correlation", "last ↓", "{:.2f}"),
    Column("all_layers_correlation", "all ↓", "{:.2f}"),
)
_LEGEND: Final = (
    "drop: the share of the class's probability lost when the image is multiplied by the map; "
    "increase: the share of images on which the probability rises instead. deletion, insertion: "
    "the area under the probability while the hottest pixels are removed first, or restored first "
    "in a blurred image. last, all: rank correlation with the map of the same network after the "
    "weights of its last layer, or of all layers, are randomised. "
    f"{RANDOM}: a map of random numbers, which must do worse at deletion and insertion; drop and "
    "increase favour any map that keeps much of the image."
)
_LIMITS: Final = (
    "The metrics measure whether a map shows what this network's prediction depends on, using "
    "images unlike its training data; not whether the prediction is right, nor whether it is right "
    "for good reasons. The fewer the images, the less a small difference means."
)


@dataclass(frozen=True, slots=True)
class EvaluatedImage:
    """An image with its true class and its metrics."""

    path: Path
    truth: int | None
    """The index of the true class, or None if unknown."""
    metrics: ImageMetrics

    @property
    def right(self) -> bool:
        """Whether the true class is the top class."""
        return self.metrics.top.class_index == self.truth


@dataclass(slots=True)
class Evaluation:
    """The results of the images measured so far."""

    folder: Path
    network: dict[str, Any]
    """The network and how it is run: `model`, `weights`, `layers`, `fit`, `engine`, `device`,
    `precision`."""
    labels: Sequence[str]
    """The labels of the network's classes."""
    methods: tuple[str, ...]
    """The methods, without `RANDOM`."""
    fractions: list[float]
    """The fraction of the image that is changed at each point of a curve."""
    total: int
    """The number of images, measured or not."""
    measured: list[EvaluatedImage] = field(default_factory=list)
    failed: list[Path] = field(default_factory=list)
    """Images that cannot be read, or whose logits are not finite."""

    @property
    def accuracy(self) -> float | None:
        """The share of images whose true class is the top class, or None if no class is known."""
        labelled = self._labelled
        return sum(image.right for image in labelled) / len(labelled) if labelled else None

    @property
    def _labelled(self) -> list[EvaluatedImage]:
        return [image for image in self.measured if image.truth is not None]

    def means(self, method: str) -> dict[str, float | None]:
        """Return a method's mean metrics over all images.

        Args:
            method: One of `methods`, or `RANDOM`.

        Returns:
            The means by name; None where a metric has no value.
        """
        metrics = [image.metrics.methods[method] for image in self.measured]
        return {
            name: _mean([getattr(each, attribute) for each in metrics])
            for name, attribute in _AVERAGED.items()
        }

    def text(self) -> str:
        """Return a table for a terminal, with a legend."""
        rows: list[dict[str, Cell]] = [
            {"method": name, **self.means(name)} for name in (*self.methods, RANDOM)
        ]
        count = len(self.measured)
        title = f"Means over {count} images" if count != 1 else "One image"
        notes = (*self._empty_maps(), _LEGEND, _LIMITS)
        section = Section(title, _COLUMNS, tuple(rows), notes)
        return Report("Can the heatmaps be trusted?", self._facts(), (section,)).text(_WIDTH)

    def _facts(self) -> dict[str, str]:
        network = self.network
        engine = f"{network['engine']} {network['device']} {network['precision']}"
        images = f"{len(self.measured)} of {self.total} in {self.folder}"
        if self.failed:
            images += f"; {len(self.failed)} could not be measured"
        facts = {
            "Network": " · ".join([network["model"], *network["layers"], engine]),
            "Images": images,
            "Curves": f"{len(self.fractions) - 1} steps",
        }
        labelled = len(self._labelled)
        explained = "the true class" if labelled else "the top class"
        if 0 < labelled < len(self.measured):
            explained += f" ({labelled}), or else the top class ({len(self.measured) - labelled})"
        facts["Explained"] = explained
        if self.accuracy is not None:
            right = round(self.accuracy * labelled)
            facts["Accuracy"] = f"{100 * self.accuracy:.1f} % ({right} of {labelled})"
        return facts

    def _empty_maps(self) -> list[str]:
        counts = {name: self._empty(name) for name in self.methods}
        listed = [f"{name} in {count}" for name, count in counts.items() if count]
        if not listed:
            return []
        return [f"Empty maps, without evidence for the class: {', '.join(listed)}."]

    def _empty(self, method: str) -> int:
        return sum(image.metrics.methods[method].empty for image in self.measured)

    def to_json(self) -> str:
        """Return the means and the metrics of every image as JSON.

        The object has `folder`, `network`, `steps` (the fraction of an image that is changed at
        each point of the curves), `pictures` (the counts `total`, `evaluated`, `failed`,
        `labelled` and `right`), `accuracy`, `methods` (the means of each, and the number of
        `empty` maps), `evaluated` (an object per image) and `failed` (the files that could not be
        measured). Probabilities, fractions and areas are in [0, 1].
        """
        labelled = self._labelled
        content = {
            "folder": str(self.folder),
            "network": self.network,
            "steps": self.fractions,
            "pictures": {
                "total": self.total,
                "evaluated": len(self.measured),
                "failed": len(self.failed),
                "labelled": len(labelled),
                "right": sum(image.right for image in labelled),
            },
            "accuracy": self.accuracy,
            "methods": {
                name: self.means(name) | {"empty": self._empty(name)}
                for name in (*self.methods, RANDOM)
            },
            "evaluated": [self._record(image) for image in self.measured],
            "failed": [self._relative(path) for path in self.failed],
        }
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def _record(self, image: EvaluatedImage) -> dict[str, Any]:
        truth, metrics = image.truth, image.metrics
        return {
            "file": self._relative(image.path),
            "shows": None if truth is None else {"class_index": truth, "label": self.labels[truth]},
            "explained": prediction_record(metrics.explained),
            "top": prediction_record(metrics.top),
            "methods": {name: _method_record(each) for name, each in metrics.methods.items()},
        }

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def _method_record(metrics: MapMetrics) -> dict[str, Any]:
    return {
        "kept": json_number(metrics.kept),
        "drop": json_number(metrics.drop),
        "increase": metrics.increase,
        "deletion": _curve(metrics.deletion, metrics.deletion_area),
        "insertion": _curve(metrics.insertion, metrics.insertion_area),
        "last_layer_correlation": metrics.last_layer,
        "all_layers_correlation": metrics.all_layers,
        "empty": metrics.empty,
    }


def _curve(probabilities: Sequence[float], area: float) -> dict[str, Any]:
    return {"area": json_number(area), "scores": [json_number(value) for value in probabilities]}


def _mean(values: Sequence[float | None]) -> float | None:
    """Average the finite values; in half precision, some may not be finite."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return sum(finite) / len(finite) if finite else None
