"""The question that the user asks about each frame. It imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from live_cam.settings import METHODS, SHOWN_CLASSES, SHOWN_FEATURE_MAPS

if TYPE_CHECKING:
    from live_cam.look import View
    from live_cam.settings import StillMethod

TOP_CLASS: Final = -1
"""The most probable class. -2 is the second, and so on."""
EvidenceKind = Literal["for", "against", "versus"]
FOR: Final = "for"
AGAINST: Final = "against"
VERSUS: Final = "versus"


@dataclass(frozen=True, slots=True)
class Question:
    """The classes to explain, the methods, and the maps wanted in addition to the heatmap.

    One forward pass and one batched gradient answer all of it.
    """

    classes: tuple[int, ...] = (TOP_CLASS,)
    """Class indices, or ranks below 0. The first is the explained class; the others are explained
    in addition, each class once."""
    methods: tuple[StillMethod, ...] = ("gradcam",)
    """Names in `settings.METHODS`. The first makes the heatmap, the others additional maps."""
    evidence: EvidenceKind = FOR
    """The evidence `FOR` the class, also that `AGAINST` it (its counterfactual, Selvaraju et al.
    2017, section 3.3), or the difference of the class `VERSUS` the runner-up."""
    feature_maps: int = 0
    """The number of the strongest feature maps wanted in addition."""
    check: bool = False
    """Whether explanations are checked now and then by hiding the hottest region."""
    randomised: bool = False
    """Whether a copy of the network with randomised weights is explained instead."""

    @classmethod
    def of_view(
        cls,
        view: View,
        method: StillMethod,
        evidence: EvidenceKind = FOR,
        locked: tuple[int, ...] = (),
        *,
        most: int | None = None,
        check: bool = False,
        randomised: bool = False,
    ) -> Question:
        """Return the question that a view needs.

        Args:
            view: What is shown.
            method: How the heatmap is computed.
            evidence: As the field.
            locked: The classes to explain, or none for the network's top class.
            most: The number of the network's classes, or None if unknown.
            check: As the field.
            randomised: As the field.
        """
        classes = locked or (TOP_CLASS,)
        methods: tuple[StillMethod, ...] = (method,)
        if view == "classes":
            if len(classes) == 1:
                best = tuple(range(TOP_CLASS, TOP_CLASS - SHOWN_CLASSES, -1))
                classes = (*locked, *best)[:SHOWN_CLASSES]
            classes = classes[:most]
        else:
            classes = classes[:1]
        if view == "grid":
            methods += tuple(other for other in METHODS if other != method)
        maps = SHOWN_FEATURE_MAPS if view == "maps" else 0
        return cls(classes, methods, evidence, maps, check=check, randomised=randomised)

    @property
    def plain(self) -> bool:
        """Whether Grad-CAM of a single class answers it, which engines compute faster."""
        needs = len(self.classes), self.methods, self.evidence, self.feature_maps
        return needs == (1, ("gradcam",), FOR, 0)

    @property
    def perturbs(self) -> bool:
        """Whether its method perturbs the image, with a forward pass for each feature map."""
        return self.methods[0] not in METHODS

    @property
    def ranked(self) -> bool:
        """Whether it depends on the order of the most probable classes."""
        return min(self.classes) < 0 or self.evidence == VERSUS
