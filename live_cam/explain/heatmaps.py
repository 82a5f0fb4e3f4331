"""From an engine's result to the heatmaps of a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from live_cam.cam.methods import METHODS
from live_cam.errors import NonFiniteError
from live_cam.explanation import Heatmap, Prediction
from live_cam.question import AGAINST, FOR, TOP_CLASS, VERSUS
from live_cam.settings import TOP_K
from live_cam.temporal.hysteresis import Ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from live_cam.cam.gradcam import CAMResult, Evidence
    from live_cam.question import EvidenceKind, Question
    from live_cam.settings import StillMethod

    Result = Evidence | list[CAMResult]
    """The evidence of all classes, or one map for each class."""

_EPSILON = 1e-30
_LARGEST = 1e30
"""The limit of a raw map: the sum of a second's maps then stays in the range of float32."""


def target_classes(question: Question, ranks: Sequence[int] = ()) -> list[int]:
    """Return the classes, or ranks, whose gradients a question needs.

    Args:
        question: The question.
        ranks: The classes shown as the most probable, the second and so on. Further ranks are those
            of each image.
    """
    classes = _named_classes(question, ranks)
    if question.evidence == VERSUS and len(question.classes) == 1:
        rivals = [index for index in ranks if index != classes[0]]
        # The two most probable: the one that is not the explained class is its rival.
        classes += rivals[:1] or [TOP_CLASS, TOP_CLASS - 1]
    return classes


def _named_classes(question: Question, ranks: Sequence[int]) -> list[int]:
    """Return the question's classes, each once, with known ranks replaced by their classes."""
    known = dict(zip(range(TOP_CLASS, TOP_CLASS - len(ranks), -1), ranks, strict=True))
    return list(dict.fromkeys(known.get(index, index) for index in question.classes))


def heatmaps(
    result: Result,
    image: int,
    question: Question,
    labels: Sequence[str],
    ranks: Sequence[int] = (),
    ranking: Ranking | None = None,
) -> list[Heatmap]:
    """Return a question's heatmaps of one image.

    Args:
        result: Of a batch, for the classes of `target_classes`.
        image: The image's place in the batch.
        question: The question.
        labels: The classes' names.
        ranks: As in `target_classes`.
        ranking: Selects the strongest feature maps; None selects this image's own.

    Returns:
        The explained class's heatmap first, then the other classes', the other methods', and the
        strongest feature maps, best first.

    Raises:
        NonFiniteError: The evidence for a class is not finite, or too large.
    """
    if isinstance(result, list):
        return [_cam_heatmap(cam, image, question.methods[0], labels) for cam in result]
    evidence = result.of(image)
    classes = evidence.classes[0, : len(_named_classes(question, ranks))].tolist()
    # A class may be in the question by its rank, too.
    places = sorted({index: place for place, index in reversed(list(enumerate(classes)))}.values())
    places = places[: len(question.classes)]
    maps = [
        _class_heatmap(evidence, question, labels, place, _rival(evidence, question, place, places))
        for place in places
    ]
    rival = _rival(evidence, question, 0, places)
    maps += [
        _class_heatmap(evidence, question, labels, 0, rival, method)
        for method in question.methods[1:]
    ]
    return maps + _strongest(evidence, maps[0].target, question.feature_maps, ranking or Ranking())


def logits_of(result: Result) -> Tensor:
    """Return the N×C logits of a batch."""
    return result[0].logits if isinstance(result, list) else result.logits


def _cam_heatmap(
    result: CAMResult, image: int, method: StillMethod, labels: Sequence[str]
) -> Heatmap:
    probabilities = result.logits[image].softmax(dim=0)
    target = prediction(probabilities, int(result.class_index[image]), labels)
    return heatmap(result.cam[image], method, target)


def _class_heatmap(
    evidence: Evidence,
    question: Question,
    labels: Sequence[str],
    place: int,
    rival: int | None,
    method: StillMethod | None = None,
) -> Heatmap:
    method = method or question.methods[0]
    activations, gradients = evidence.activations, evidence.gradients[:, place]
    index = int(evidence.classes[0, place])
    title: str = method
    if rival is not None:
        gradients = gradients - evidence.gradients[:, rival]
        title = f"{method} · {labels[index]} or {labels[int(evidence.classes[0, rival])]}"
    elif question.evidence == AGAINST:
        title = f"{method} · for and against"
    elif question.evidence == VERSUS:
        title = f"{method} · no rival"
    cam = METHODS[method](activations, gradients)
    signed = question.evidence != FOR
    if signed:
        cam = cam - METHODS[method](activations, -gradients)
    target = prediction(evidence.logits[0].softmax(dim=0), index, labels)
    return heatmap(cam[0], method, target, question.evidence, title)


def heatmap(
    cam: Tensor,
    method: StillMethod,
    target: Prediction,
    evidence: EvidenceKind = FOR,
    title: str | None = None,
) -> Heatmap:
    """Scale a raw map, h×w float32, to a heatmap.

    Raises:
        NonFiniteError: The map holds NaN, or values so large that their sums may be infinite.
    """
    _check_size(cam, target.class_index)
    strength = cam.abs().max().clamp_min(_EPSILON)
    values = (cam / strength).numpy()
    return Heatmap(
        values,
        target,
        title or method,
        signed=evidence != FOR,
        strength=float(strength),
        method=method,
        evidence=evidence,
    )


def _check_size(maps: Tensor, class_index: int) -> None:
    if not bool((maps.abs() <= _LARGEST).all()):
        raise NonFiniteError(
            f"the evidence for class {class_index} is too large for float32; check the weights."
        )


def prediction(probabilities: Tensor, index: int, labels: Sequence[str]) -> Prediction:
    """Return one class of C softmax probabilities."""
    return Prediction(index, labels[index], float(probabilities[index]))


def top_predictions(logits: Tensor, labels: Sequence[str]) -> tuple[Prediction, ...]:
    """Return the `TOP_K` most probable classes of C logits, best first."""
    probabilities = logits.softmax(dim=0)
    best = probabilities.topk(min(TOP_K, len(labels))).indices.tolist()
    return tuple(prediction(probabilities, index, labels) for index in best)


def _rival(evidence: Evidence, question: Question, place: int, places: list[int]) -> int | None:
    """Return the place of the class that another class is compared with, or None."""
    if question.evidence != VERSUS:
        return None
    if len(question.classes) > 1:
        others = [other for other in places if other != place]
        return others[0] if others else None
    target, *best = evidence.classes[0].tolist()
    return next((1 + rank for rank, index in enumerate(best) if index != target), None)


def _strongest(
    evidence: Evidence, target: Prediction, count: int, ranking: Ranking
) -> list[Heatmap]:
    """Return the feature maps that contribute most to Grad-CAM of the first class.

    A map's contribution is its weight times its sum over the positions (Selvaraju et al. 2017,
    equation 2, before the sum over the maps). All share one scale; those that count against the
    class are signed.
    """
    if not count:
        return []
    activations = evidence.activations[0]
    weights = evidence.gradients[0, 0].mean(dim=(1, 2))
    weighted = weights[:, None, None] * activations
    _check_size(weighted, int(evidence.classes[0, 0]))
    contributions = weighted.sum(dim=(1, 2))
    best = ranking.update(contributions.numpy(), count)
    against = contributions[best] < 0
    shown = torch.where(against[:, None, None], weighted[best], weighted[best].relu())
    scale = shown.abs().max().clamp_min(_EPSILON)
    # Weights are tiny and differ between networks: they are shown as shares of the largest.
    shares = weights[best] / weights.abs().max().clamp_min(_EPSILON)
    return [
        Heatmap(
            (values / scale).numpy(),
            target,
            f"#{index}",
            signed=signed,
            strength=float(scale),
            feature_map=index,
            weight=share,
        )
        for index, share, signed, values in zip(
            best, shares.tolist(), against.tolist(), shown, strict=True
        )
    ]
