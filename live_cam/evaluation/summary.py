"""The figures of all images: as means, as a table and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from live_cam.evaluation.measuring import RANDOM
from live_cam.record.prediction_log import json_number, prediction_record
from live_cam.runtime.report import Column, Report, Section

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from live_cam.evaluation.measuring import Figures, Measured
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
"""What is averaged, by what the mean is called."""
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
    "drop: how much of the class's probability is lost on the image multiplied by the map; "
    "increase: in how many images it rises. deletion, insertion: area under the probability "
    "while the hottest places go first, or come back first into a blurred image. last, all: "
    "rank correlation with the map of the same network after the weights of its last layer, or of "
    f"all layers, were randomised. {RANDOM}: a map of random numbers, which must do worse at "
    "deletion and insertion; drop and increase are kind to any map that shows much."
)
_LIMITS: Final = (
    "They say whether a map shows what this network's answer depends on, judged by images "
    "unlike any it was trained on; not whether the answer is right, nor whether it has good "
    "reasons. The fewer the images, the less a small difference means."
)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An image that was measured."""

    path: Path
    shows: int | None
    """The class that the user says it shows."""
    measured: Measured

    @property
    def right(self) -> bool:
        """Whether the network says so, too."""
        return self.measured.top.class_index == self.shows


@dataclass(slots=True)
class Evaluation:
    """All that is known of the images measured so far."""

    folder: Path
    network: dict[str, Any]
    """What explained, by what it is: `model`, `weights`, `layers`, `fit`, `engine`, `device`,
    `precision`."""
    labels: Sequence[str]
    """The names of its classes."""
    methods: tuple[str, ...]
    """`RANDOM` not among them."""
    fractions: list[float]
    """Which share of the image is changed after each step of a curve."""
    total: int
    """How many images there are."""
    done: list[Evaluated] = field(default_factory=list)
    failed: list[Path] = field(default_factory=list)
    """Those that cannot be read, or whose scores are not finite."""

    @property
    def accuracy(self) -> float | None:
        """The share of the images whose top class is what they show; None: nobody says."""
        shown = [each.right for each in self.done if each.shows is not None]
        return sum(shown) / len(shown) if shown else None

    def means(self, method: str) -> dict[str, float | None]:
        """Return a method's figures over all images.

        Args:
            method: One of `methods`, or `RANDOM`.

        Returns:
            By name; None where there is none.
        """
        figures = [each.measured.figures[method] for each in self.done]
        return {
            name: _mean([getattr(each, figure) for each in figures])
            for name, figure in _AVERAGED.items()
        }

    def text(self) -> str:
        """Return a table for a terminal, with what it means."""
        rows: list[dict[str, Cell]] = [
            {"method": name, **self.means(name)} for name in (*self.methods, RANDOM)
        ]
        count = len(self.done)
        title = f"Means over {count} images" if count != 1 else "One image"
        notes = (*self._empty_maps(), _LEGEND, _LIMITS)
        section = Section(title, _COLUMNS, tuple(rows), notes)
        return Report("Can the image be trusted?", self._facts(), (section,)).text(_WIDTH)

    def _facts(self) -> dict[str, str]:
        network = self.network
        computes = f"{network['engine']} {network['device']} {network['precision']}"
        images = f"{len(self.done)} of {self.total} in {self.folder}"
        if self.failed:
            images += f"; {len(self.failed)} could not be measured"
        facts = {
            "Network": " · ".join([network["model"], *network["layers"], computes]),
            "Images": images,
            "Curves": f"{len(self.fractions) - 1} steps",
        }
        shown = sum(each.shows is not None for each in self.done)
        explained = "the class that is shown" if shown else "the top class"
        if 0 < shown < len(self.done):
            explained += f" ({shown}), or else the top class ({len(self.done) - shown})"
        facts["Explained"] = explained
        if self.accuracy is not None:
            right = round(self.accuracy * shown)
            facts["Accuracy"] = f"{100 * self.accuracy:.1f} % ({right} of {shown})"
        return facts

    def _empty_maps(self) -> list[str]:
        counts = {name: self._empty(name) for name in self.methods}
        listed = [f"{name} in {count}" for name, count in counts.items() if count]
        if not listed:
            return []
        return [f"Found nothing that speaks for the class: {', '.join(listed)}."]

    def _empty(self, method: str) -> int:
        return sum(each.measured.figures[method].empty for each in self.done)

    def to_json(self) -> str:
        """Return all figures, of every image too, for a program.

        An object with `folder`, `network`, `steps` (which share of an image is changed after each
        step of the curves), `images` (`total`, `evaluated`, `failed`, `labelled`, `right`),
        `accuracy`, `methods` (the means of each, and how many maps were `empty`), `evaluated` (an
        object for each image) and `failed` (the files that could not be measured). Probabilities,
        shares and areas are in [0, 1].
        """
        labelled = [each for each in self.done if each.shows is not None]
        content = {
            "folder": str(self.folder),
            "network": self.network,
            "steps": self.fractions,
            "pictures": {
                "total": self.total,
                "evaluated": len(self.done),
                "failed": len(self.failed),
                "labelled": len(labelled),
                "right": sum(each.right for each in labelled),
            },
            "accuracy": self.accuracy,
            "methods": {
                name: self.means(name) | {"empty": self._empty(name)}
                for name in (*self.methods, RANDOM)
            },
            "evaluated": [self._record(each) for each in self.done],
            "failed": [self._relative(path) for path in self.failed],
        }
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def _record(self, each: Evaluated) -> dict[str, Any]:
        shows, measured = each.shows, each.measured
        return {
            "file": self._relative(each.path),
            "shows": None if shows is None else {"class_index": shows, "label": self.labels[shows]},
            "explained": prediction_record(measured.explained),
            "top": prediction_record(measured.top),
            "methods": {name: _figures(found) for name, found in measured.figures.items()},
        }

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def _figures(found: Figures) -> dict[str, Any]:
    return {
        "kept": json_number(found.kept),
        "drop": json_number(found.drop),
        "increase": found.increase,
        "deletion": _curve(found.deletion, found.deletion_area),
        "insertion": _curve(found.insertion, found.insertion_area),
        "last_layer_correlation": found.last_layer,
        "all_layers_correlation": found.all_layers,
        "empty": found.empty,
    }


def _curve(scores: Sequence[float], area: float) -> dict[str, Any]:
    return {"area": json_number(area), "scores": [json_number(score) for score in scores]}


def _mean(values: Sequence[float | None]) -> float | None:
    """Average what there is: a score may not be finite in half precision."""
    finite = [each for each in values if each is not None and math.isfinite(each)]
    return sum(finite) / len(finite) if finite else None
