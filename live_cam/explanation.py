"""The result of explaining one image: heatmaps, the class each explains, and the top classes.

It is small and imports no torch: it alone crosses threads, processes and networks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from live_cam.geometry import WHOLE, Region
from live_cam.question import FOR, EvidenceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.settings import StillMethod


@dataclass(frozen=True, slots=True)
class Prediction:
    """A class and its probability."""

    class_index: int
    label: str
    probability: float
    """Softmax probability, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """One map of the evidence in an image."""

    values: NDArray[np.float32] = field(repr=False)
    """h×w in [0, 1], or in [-1, 1] if signed. At the target layer's resolution; rows run down,
    columns right."""
    target: Prediction
    """The class it explains. A single feature map is weighted by this class's gradient."""
    title: str = "gradcam"
    """What it shows, in words: `layercam`, `gradcam · tabby or lynx`, `#132`."""
    signed: bool = False
    """Whether values below 0 mark evidence against the class."""
    strength: float = 1.0
    """The raw value that 1 stands for, on the method's own scale."""
    feature_map: int | None = None
    """Index of the feature map that it shows, or None if it combines all of them."""
    weight: float | None = None
    """The feature map's weight, as a share of the layer's largest, in [-1, 1]; None otherwise."""
    method: StillMethod = "gradcam"
    """How it was computed. A single feature map is part of Grad-CAM's."""
    evidence: EvidenceKind = FOR
    """Which evidence it shows, as in `Question`."""

    @property
    def kind(self) -> str:
        """Method and evidence, or `feature map`. Maps of one kind share a scale."""
        return f"{self.method} {self.evidence}" if self.feature_map is None else "feature map"

    @property
    def plain(self) -> bool:
        """Whether it is Grad-CAM's map of the evidence for its class."""
        return (self.method, self.evidence, self.feature_map) == ("gradcam", FOR, None)

    @property
    def subject(self) -> int:
        """The index of the feature map, or else of the class. Unique among the maps of a kind."""
        return self.target.class_index if self.feature_map is None else self.feature_map


@dataclass(frozen=True, slots=True)
class Check:
    """A faithfulness check: the probabilities with the hottest region hidden, and with it alone."""

    class_index: int
    """The explained class."""
    before: float
    """Its softmax probability on the whole image, in [0, 1]."""
    without: float
    """With the hottest region hidden."""
    alone: float
    """With everything else hidden."""
    instead: Prediction
    """The top class with the hottest region hidden."""
    frame_index: int
    """`Frame.index` of the checked frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """The classes that a network recognised in an image, and where the evidence for them lies."""

    maps: tuple[Heatmap, ...]
    """At least one. The map of the explained class comes first; then the maps of other classes, of
    other methods, and single feature maps, as the question asked for them."""
    top: tuple[Prediction, ...]
    """The most probable classes, best first. The explained class may be missing."""
    frame_index: int
    """`Frame.index` of the explained frame."""
    timestamp: float
    """`Frame.timestamp` of that frame, in seconds."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Duration of each stage in seconds, by the stage's name."""
    check: Check | None = None
    """The latest faithfulness check of the explained class, if the question asked for checks."""
    region: Region = WHOLE
    """The part of the image that the maps cover."""
    seen: Region = WHOLE
    """The part of the image that the network received. There is no evidence outside it."""
    randomised: tuple[int, int] | None = None
    """How many of how many layers have randomised weights, or None for the network itself."""

    @property
    def target(self) -> Prediction:
        """The explained class."""
        return self.maps[0].target

    @property
    def class_index(self) -> int:
        """The explained class's index."""
        return self.target.class_index

    @property
    def label(self) -> str:
        """The explained class's name."""
        return self.target.label

    @property
    def probability(self) -> float:
        """The explained class's softmax probability, in [0, 1]."""
        return self.target.probability

    @property
    def heatmap(self) -> NDArray[np.float32]:
        """The values of the first map: h×w float32 in [0, 1], or in [-1, 1] if signed."""
        return self.maps[0].values

    def split_by_class(self) -> tuple[Explanation, ...]:
        """Return one explanation for each explained class, each with a single map."""
        first, *others = self.maps
        maps = [first, *(each for each in others if each.target.class_index != self.class_index)]
        return tuple(
            replace(self, maps=(each,), check=self.check if each is first else None)
            for each in maps
        )
