"""What the user asks of each frame. It has a file of its own, so that asking imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from live_cam.settings import METHODS, SHOWN_CLASSES, SHOWN_FEATURE_MAPS

TOP_CLASS: Final = -1
"""Stands for the most probable class, -2 for the second, and so on."""
EvidenceKind = Literal["for", "against", "versus"]
FOR: Final = "for"
AGAINST: Final = "against"
VERSUS: Final = "versus"


@dataclass(frozen=True, slots=True)
class Question:
    """Which classes are explained, how, and what is wanted beside the one heatmap.

    All of it is answered by one forward pass and one batched gradient.
    """

    classes: tuple[int, ...] = (TOP_CLASS,)
    """Class indices, or ranks below 0. The first is the one that is explained; those after it are
    explained beside it, each class once."""
    methods: tuple[str, ...] = ("gradcam",)
    """Names in `settings.METHODS`. The first one makes the heatmap; the others maps beside it."""
    evidence: EvidenceKind = FOR
    """`FOR` the class; `AGAINST` it too (its counterfactual, Selvaraju et al. 2017, section 3.3);
    or for it `VERSUS` for the runner-up, where the two differ."""
    feature_maps: int = 0
    """How many of the strongest feature maps are wanted beside the heatmap."""
    check: bool = False
    """Whether the network is asked now and then what it says without the hottest region."""
    randomised: bool = False
    """Whether a network with randomised weights answers in its place."""

    @classmethod
    def of_view(
        cls,
        view: str,
        method: str,
        evidence: EvidenceKind = FOR,
        locked: tuple[int, ...] = (),
        *,
        most: int | None = None,
        check: bool = False,
        randomised: bool = False,
    ) -> Question:
        """Ask what a view shows.

        Args:
            view: One of `settings.VIEWS`.
            method: One of `settings.METHODS`.
            evidence: As the field.
            locked: The classes that are explained whatever the network says; none: its top class.
            most: How many classes the network has; None: not known yet.
            check: As the field.
            randomised: As the field.
        """
        classes = locked or (TOP_CLASS,)
        methods: tuple[str, ...] = (method,)
        if view == "classes":
            if len(classes) == 1:
                best = tuple(range(TOP_CLASS, TOP_CLASS - SHOWN_CLASSES, -1))
                classes = (*locked, *best)[:SHOWN_CLASSES]
            classes = classes[:most]
        else:
            classes = classes[:1]
        if view == "grid":
            methods += tuple(each for each in METHODS if each != method)
        maps = SHOWN_FEATURE_MAPS if view == "maps" else 0
        return cls(classes, methods, evidence, maps, check=check, randomised=randomised)

    @property
    def plain(self) -> bool:
        """Whether plain Grad-CAM of one class answers it, for which engines have a short way."""
        asked = len(self.classes), self.methods, self.evidence, self.feature_maps
        return asked == (1, ("gradcam",), FOR, 0)

    @property
    def perturbs(self) -> bool:
        """Whether its method perturbs the image, with a forward pass for each feature map."""
        return self.methods[0] not in METHODS

    @property
    def ranked(self) -> bool:
        """Whether what it asks depends on which classes are the most probable ones."""
        return min(self.classes) < 0 or self.evidence == VERSUS
