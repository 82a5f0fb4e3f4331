"""What leaves the explainer: the small result that crosses threads.

It has a file of its own, apart from `gradcam.py`, so that those who draw and log explanations do
not import torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from live_cam.geometry import WHOLE, Region

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class and the probability that the network gives it."""

    class_index: int
    label: str
    score: float
    """Softmax probability, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One more map of the same frame, to be shown beside the heatmap."""

    title: str
    """What it shows: `layercam`, `gradcam · tabby or lynx`, `#132`."""
    heatmap: NDArray[np.float32]
    """h×w in [0, 1], or in [-1, 1] where it is signed."""
    signed: bool = False
    """Whether what is below 0 speaks against the class."""
    kind: str = "gradcam for"
    """What it is a map of: method and evidence, or `feature map`."""
    subject: int = 0
    """Its class's, or the feature map's, index."""
    strength: float = 1.0
    """What 1 stands for in it, in the method's own scale: maps of one kind can be compared."""
    prediction: Prediction | None = None
    """The class that it explains; None: it is a single feature map."""
    weight: float | None = None
    """A feature map's, as a share of the layer's largest one: below 0, it speaks against; None: it
    is none."""


@dataclass(frozen=True, slots=True)
class Check:
    """What the network says of a frame without its hottest region, and with nothing but it."""

    class_index: int
    """The class that was explained."""
    before: float
    """Its softmax probability on the whole frame, in [0, 1]."""
    without: float
    """Without the hottest region."""
    alone: float
    """With only the hottest region."""
    instead: Prediction
    """The most probable class without the hottest region."""
    frame_index: int
    """`Frame.index` of the frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Which class was explained for a frame, and where the evidence for it lies."""

    heatmap: NDArray[np.float32]
    """h×w in [0, 1], at the target layer's own resolution; rows run down, columns right. Where it
    is signed, in [-1, 1]."""
    class_index: int
    """The class that the heatmap explains."""
    label: str
    """Its name."""
    score: float
    """Its softmax probability, in [0, 1]."""
    top: tuple[Prediction, ...]
    """The most probable classes, best first. The explained one need not be among them."""
    frame_index: int
    """`Frame.index` of the frame that it explains."""
    timestamp: float
    """`Frame.timestamp` of that frame, in seconds."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each stage took, by the stage's name, in seconds."""
    title: str = "gradcam"
    """What the heatmap shows: the method, and against what."""
    signed: bool = False
    """Whether what is below 0 in the heatmap speaks against the class."""
    kind: str = "gradcam for"
    """As in `Answer`."""
    strength: float = 1.0
    """As in `Answer`."""
    check: Check | None = None
    """The latest faithfulness check of this class, if one is wanted."""
    region: Region = WHOLE
    """Which part of the frame the maps cover."""
    seen: Region = WHOLE
    """Which part of it the network saw: where the maps say anything."""
    randomised: tuple[int, int] | None = None
    """How many of how many layers of the network have randomised weights; None: it is itself."""
    others: tuple[Answer, ...] = ()
    """What was asked for beside the heatmap: other classes, methods or single feature maps."""

    @property
    def subject(self) -> int:
        """As in `Answer`."""
        return self.class_index

    def of_each_class(self) -> tuple[Explanation, ...]:
        """Return an explanation for each class that was asked for: this one, then the others'."""
        rest = [
            replace(
                self,
                heatmap=each.heatmap,
                title=each.title,
                signed=each.signed,
                kind=each.kind,
                strength=each.strength,
                class_index=each.prediction.class_index,
                label=each.prediction.label,
                score=each.prediction.score,
                check=None,
                others=(),
            )
            for each in self.others
            if each.prediction and each.prediction.class_index != self.class_index
        ]
        return (replace(self, others=()), *rest)
