"""From activations and gradients to the maps that a question asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from live_cam.errors import NonFiniteError
from live_cam.explanation import Answer
from live_cam.methods import METHODS
from live_cam.question import AGAINST, FOR, VERSUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from live_cam.gradcam import Evidence
    from live_cam.question import Question

_EPSILON = 1e-30
_LARGEST = 1e30
"""Of a map: the maps of a second, added up, then stay in the range of float32."""


def wanted_classes(question: Question, leader: int | None = None) -> Tensor:
    """Return the Q int64 classes and ranks whose gradients a question needs.

    Args:
        question: What is asked.
        leader: The class that is shown as the top class for now; None: the frame's own.
    """
    classes = _explained(question, leader)
    if question.evidence == VERSUS and len(classes) == 1:
        # The best two: whichever of them is not the explained class is its rival.
        classes += [-1, -2]
    return torch.tensor(classes)


def _explained(question: Question, leader: int | None) -> list[int]:
    classes = list(question.classes)
    if leader is None or classes[0] >= 0:
        return classes
    return [leader, *classes] if len(classes) > 1 else [leader]


def answers(
    evidence: Evidence, question: Question, labels: Sequence[str], leader: int | None = None
) -> list[Answer]:
    """Make a question's maps for one picture.

    Args:
        evidence: Of pictures of which the first is answered, for the classes of `wanted_classes`.
        question: What was asked.
        labels: The classes' names.
        leader: As in `wanted_classes`.

    Returns:
        The explained class's map first, then the other classes', the other methods', and the
        strongest feature maps, best first.
    """
    asked = evidence.classes[0, : len(_explained(question, leader))].tolist()
    # A class may have been asked for by its rank, too.
    places = sorted({index: place for place, index in reversed(list(enumerate(asked)))}.values())
    places = places[: len(question.classes)]
    maps = [
        _answer(evidence, question, labels, place, _rival(evidence, question, place, places))
        for place in places
    ]
    rival = _rival(evidence, question, 0, places)
    maps += [
        _answer(evidence, question, labels, 0, rival, method) for method in question.methods[1:]
    ]
    return maps + _strongest(evidence, question.feature_maps)


def _answer(
    evidence: Evidence,
    question: Question,
    labels: Sequence[str],
    place: int,
    rival: int | None,
    method: str | None = None,
) -> Answer:
    method = method or question.methods[0]
    activations = evidence.activations[:1]
    gradients = evidence.gradients[:1, place]
    index = int(evidence.classes[0, place])
    title = method
    if rival is not None:
        gradients = gradients - evidence.gradients[:1, rival]
        title = f"{method} · {labels[index]} or {labels[int(evidence.classes[0, rival])]}"
    elif question.evidence == AGAINST:
        title = f"{method} · for and against"
    elif question.evidence == VERSUS:
        title = f"{method} · no rival"
    if len(question.classes) > 1:
        score = float(evidence.logits[0].softmax(dim=0)[index])
        title = f"{labels[index]} {100 * score:.0f} %"
    cam = METHODS[method](activations, gradients)
    signed = question.evidence != FOR
    if signed:
        cam = cam - METHODS[method](activations, -gradients)
    return answer(cam[0], title, f"{method} {question.evidence}", index, signed=signed)


def answer(cam: Tensor, title: str, kind: str, subject: int, *, signed: bool = False) -> Answer:
    """Make a raw map, h×w float32 of any scale, ready to be shown.

    Raises:
        NonFiniteError: It holds NaN, or numbers so large that sums of them may be infinite.
    """
    if not bool((cam.abs() <= _LARGEST).all()):
        raise NonFiniteError(
            f"the evidence for class {subject} is too large for float32; check the weights."
        )
    strength = cam.abs().max().clamp_min(_EPSILON)
    return Answer(title, (cam / strength).numpy(), signed, kind, subject, float(strength))


def _rival(evidence: Evidence, question: Question, place: int, places: list[int]) -> int | None:
    """Return which gradient belongs to the class that another one is compared with, if any does."""
    if question.evidence != VERSUS:
        return None
    if len(question.classes) > 1:
        others = [each for each in places if each != place]
        return others[0] if others else None
    mine, *best = evidence.classes[0].tolist()
    return next((1 + rank for rank, each in enumerate(best) if each != mine), None)


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
        Answer(
            f"#{index} {share:+.2f}",
            (each / scale).numpy(),
            kind="feature map",
            subject=index,
            strength=float(scale),
        )
        for index, share, each in zip(best.tolist(), shares.tolist(), shown, strict=True)
    ]
