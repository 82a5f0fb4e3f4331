"""From activations and gradients to the maps that a question asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from live_cam.explanation import Answer
from live_cam.methods import METHODS
from live_cam.question import AGAINST, FOR, VERSUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.gradcam import Evidence
    from live_cam.question import Question

_EPSILON = 1e-30


def wanted_classes(question: Question) -> Tensor:
    """Return the Q int64 classes and ranks whose gradients a question needs."""
    classes = list(question.classes)
    if question.evidence == VERSUS and len(classes) == 1:
        # The best two: whichever of them is not the explained class is its rival.
        classes += [-1, -2]
    return torch.tensor(classes)


def answers(evidence: Evidence, question: Question, labels: Sequence[str]) -> list[Answer]:
    """Make a question's maps for the one picture of the evidence.

    Args:
        evidence: Of one picture, for the classes of `wanted_classes`.
        question: What was asked.
        labels: The classes' names.

    Returns:
        The explained class's map first, then the other classes', the other methods', and the
        strongest feature maps, best first.
    """
    asked = evidence.classes[0, : len(question.classes)].tolist()
    # A locked class may have its rank too.
    places = {int(index): place for place, index in reversed(list(enumerate(asked)))}
    maps = [
        _answer(evidence, question, labels, place, question.methods[0])
        for place in sorted(places.values())
    ]
    maps += [_answer(evidence, question, labels, 0, method) for method in question.methods[1:]]
    return maps + _strongest(evidence, question.feature_maps)


def _answer(
    evidence: Evidence, question: Question, labels: Sequence[str], place: int, method: str
) -> Answer:
    activations = evidence.activations
    gradients = evidence.gradients[:, place]
    title = method
    if question.evidence == VERSUS:
        rival = _rival(evidence, place, len(question.classes))
        gradients = gradients - evidence.gradients[:, rival]
        mine, other = (labels[int(evidence.classes[0, each])] for each in (place, rival))
        title = f"{method} · {mine} or {other}"
    elif question.evidence == AGAINST:
        title = f"{method} · for and against"
    if len(question.classes) > 1:
        index = int(evidence.classes[0, place])
        score = float(evidence.logits[0].softmax(dim=0)[index])
        title = f"{labels[index]} {100 * score:.0f} %"
    cam = METHODS[method](activations, gradients)
    signed = question.evidence != FOR
    if signed:
        cam = cam - METHODS[method](activations, -gradients)
    return Answer(title, _normalised(cam[0]), signed)


def _rival(evidence: Evidence, place: int, explained: int) -> int:
    """Return which gradient belongs to the class that another one is compared with."""
    if explained > 1:
        return 1 if place == 0 else 0
    mine = int(evidence.classes[0, 0])
    return 2 if int(evidence.classes[0, 1]) == mine else 1


def _strongest(evidence: Evidence, count: int) -> list[Answer]:
    """Return the feature maps that push hardest for the first class, as Grad-CAM weighs them.

    A map's contribution is its weight times its sum over the positions (Selvaraju et al. 2017,
    equation 2, before the maps are added up). All are drawn to one scale.
    """
    if not count:
        return []
    activations = evidence.activations[0]
    weights = evidence.gradients[0, 0].mean(dim=(1, 2))
    weighted = weights[:, None, None] * activations
    best = weighted.sum(dim=(1, 2)).topk(min(count, len(weights))).indices
    shown = weighted[best].relu()
    scale = shown.max().clamp_min(_EPSILON)
    # Weights are tiny numbers that differ between networks: shown as shares of the largest.
    shares = weights[best] / weights.abs().max().clamp_min(_EPSILON)
    return [
        Answer(f"#{index} {share:+.2f}", (each / scale).numpy())
        for index, share, each in zip(best.tolist(), shares.tolist(), shown, strict=True)
    ]


def _normalised(cam: Tensor) -> NDArray[np.float32]:
    return (cam / cam.abs().max().clamp_min(_EPSILON)).numpy()
