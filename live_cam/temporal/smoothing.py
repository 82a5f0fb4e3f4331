"""Temporal smoothing of heatmaps and probabilities.

Camera noise and the codec change every frame a little, and with it the heatmap and the
probabilities. Small changes are smoothed over time; a real change shows immediately.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from live_cam.geometry import WHOLE
from live_cam.resizing import enlarged
from live_cam.temporal.evidence_scale import EvidenceScale
from live_cam.temporal.tracking import warped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.explanation import Explanation, Heatmap, Prediction
    from live_cam.frame import Frame
    from live_cam.temporal.tracking import Tracker

    _Map: TypeAlias = NDArray[np.float32]

_SMALL: Final = 0.2
"""Relative change up to which a change is noise. Measured with efficientnet_lite0 on photos with
noise of 10 grey levels a pixel: at most 0.12."""
_LARGE: Final = 0.5
"""Relative change from which the image has really changed."""
_FAINT: Final = 0.05
"""Mean of a map, as a share of full colour. Changes in fainter maps are relative to this."""
_LEAST_PROBABILITY: Final = 5e-4
"""Classes below this probability are dropped."""
_AT_REST: Final = 1 / 512
"""Distance, in shares of full colour and in probability, at which a goal counts as reached."""


class Smoother:
    """Smooths explanations exponentially, with a weight that grows with the change.

    It smooths the evidence on the method's own scale rather than the normalised maps, whose common
    factor jumps with the noise in their maximum. `EvidenceScale` then sets the colours.
    """

    def __init__(self, seconds: float, tracker: Tracker | None = None) -> None:
        """Start without an explanation.

        Args:
            seconds: The time constant, above 0.
            tracker: Provides the motion from one explained frame to the next. Without a tracker
                the image counts as still.
        """
        self._seconds = seconds
        self._tracker = tracker
        self._scale = EvidenceScale()
        self._newest: Explanation | None = None
        self._smoothed: Explanation | None = None
        self._maps: dict[tuple[str, int], _Map] = {}
        self._goals: dict[tuple[str, int], _Map] = {}
        self._classes: dict[int, Prediction] = {}
        self._class_goals: dict[int, Prediction] = {}
        self._weights: dict[int, float] = {}
        self._settled_seconds = 0.0

    def smooth(self, frame: Frame, explanation: Explanation | None) -> Explanation | None:
        """Return an explanation with smoothed maps and probabilities.

        Args:
            frame: The frame on screen, as for `Tracker.observe`.
            explanation: The newest one, or None if there is none yet.

        Returns:
            A copy whose maps cover the whole frame at the size of its thumbnail. The same object
            until the next explanation or until `settle` changes it.
        """
        if self._tracker:
            self._tracker.observe(frame)
        if explanation is None:
            return None
        if explanation is not self._newest or self._smoothed is None:
            height, width = frame.thumbnail.shape[:2]
            self._update(explanation, self._change(explanation), (width, height))
            self._newest = explanation
            self._smoothed = self._with_smoothed(explanation)
        return self._smoothed

    def settle(self, seconds: float) -> Explanation | None:
        """Continue towards the newest explanation, which remains valid because nothing changes.

        Args:
            seconds: Time without a change since the last call. Infinity jumps to the newest
                explanation.

        Returns:
            As `smooth`.
        """
        if self._newest is None:
            return None
        self._settled_seconds += seconds
        if self._reached():
            return self._smoothed
        weight = self._weight_after(seconds)
        for key, goal in self._goals.items():
            self._maps[key] = self._maps[key] + weight * (goal - self._maps[key])
        self._classes = self._mixed_classes(weight)
        self._update_weights(self._newest, weight)
        if self._reached():
            self._maps, self._classes = dict(self._goals), dict(self._class_goals)
        self._update_scale(self._newest, 0.0)
        self._smoothed = self._with_smoothed(self._newest)
        return self._smoothed

    def _weight_after(self, seconds: float) -> float:
        """Return the share of the way to a goal that smoothing covers in some seconds."""
        return 1.0 - math.exp(-max(0.0, seconds) / self._seconds)

    def _change(self, explanation: Explanation) -> _Change:
        """Return the change since the last explanation, and drop whatever is out of date."""
        before = self._newest
        elapsed = explanation.timestamp - before.timestamp if before else 0.0
        back = before is None or elapsed < 0 or explanation.frame_index < before.frame_index
        other_network = before is not None and before.randomised != explanation.randomised
        if other_network:
            self._scale.reset()
        field = None
        if before is None or back or other_network or not self._tracked_since(before):
            self._maps.clear()
            self._classes.clear()
            self._weights.clear()
        elif self._tracker:
            field = self._tracker.motion(before.frame_index, explanation.frame_index)
        settled, self._settled_seconds = self._settled_seconds, 0.0
        return _Change(max(0.0, elapsed), self._weight_after(elapsed - settled), field)

    def _tracked_since(self, before: Explanation) -> bool:
        return self._tracker is None or self._tracker.covers(before.frame_index)

    def _update(self, explanation: Explanation, change: _Change, size: tuple[int, int]) -> None:
        """Move maps, probabilities and weights towards those of the explanation."""
        maps, self._maps, self._goals = self._maps, {}, {}
        for each in explanation.maps:
            values = each.strength * enlarged(each.values, *size, explanation.region)
            goal = values if each.signed else values.clip(0.0)
            key = _key(each)
            self._goals[key] = goal
            self._maps[key] = self._mixed_map(maps.get(key), goal, change, each.kind)
        self._update_classes(explanation, change.weight)
        self._update_weights(explanation, change.weight)
        self._update_scale(explanation, change.elapsed)

    def _mixed_map(self, old: _Map | None, goal: _Map, change: _Change, kind: str) -> _Map:
        if old is None or old.shape != goal.shape:
            return goal
        if change.field is not None:
            old = warped(old, change.field)
        faint = _FAINT * self._scale.full(kind) * goal.size
        largest = max(float(np.maximum(np.abs(old), np.abs(goal)).sum()), faint)
        weight = _weight(change.weight, float(np.abs(goal - old).sum()) / largest)
        return np.asarray(old + weight * (goal - old), np.float32)

    def _update_weights(self, explanation: Explanation, least: float) -> None:
        before, self._weights = self._weights, {}
        for each in explanation.maps:
            if each.weight is not None:
                old = before.get(each.subject, each.weight)
                largest = max(abs(old), abs(each.weight), _FAINT)
                weight = _weight(least, abs(each.weight - old) / largest)
                self._weights[each.subject] = old + weight * (each.weight - old)

    def _update_classes(self, explanation: Explanation, least: float) -> None:
        known = (*(each.target for each in reversed(explanation.maps)), *explanation.top)
        self._class_goals = {each.class_index: each for each in known}
        if not self._classes:
            self._classes = dict(self._class_goals)
        # The total variation distance of the two distributions.
        self._classes = self._mixed_classes(_weight(least, self._class_distance() / 2))

    def _mixed_classes(self, weight: float) -> dict[int, Prediction]:
        """Return the classes with their probabilities moved towards their goals."""
        old, new = self._classes, self._class_goals
        mixed = {}
        for index, prediction in (old | new).items():
            before, goal = _probability(old, index), _probability(new, index)
            probability = before + weight * (goal - before)
            if probability >= _LEAST_PROBABILITY or index in new:
                mixed[index] = replace(prediction, probability=probability)
        return mixed

    def _class_distance(self) -> float:
        old, new = self._classes, self._class_goals
        return sum(abs(_probability(new, index) - _probability(old, index)) for index in old | new)

    def _reached(self) -> bool:
        """Whether everything smoothed has reached the newest explanation."""
        return self._class_distance() < _AT_REST and all(
            float(np.abs(goal - self._maps[key]).max()) <= _AT_REST * self._scale.full(key[0])
            for key, goal in self._goals.items()
        )

    def _update_scale(self, explanation: Explanation, elapsed: float) -> None:
        strengths: dict[str, float] = {}
        for (kind, _), values in self._maps.items():
            strengths[kind] = max(float(np.abs(values).max()), strengths.get(kind, 0.0))
        probability = _probability(self._classes, explanation.class_index)
        for kind, strength in strengths.items():
            self._scale.update(kind, strength, probability, elapsed)

    def _with_smoothed(self, explanation: Explanation) -> Explanation:
        """Return the explanation with smoothed maps, probabilities and weights."""
        best = sorted(self._classes.values(), key=lambda each: -each.probability)
        return replace(
            explanation,
            maps=tuple(
                replace(
                    each,
                    values=self._scaled(each),
                    target=self._classes[each.target.class_index],
                    weight=None if each.weight is None else self._weights[each.subject],
                )
                for each in explanation.maps
            ),
            top=tuple(best[: len(explanation.top)]),
            region=WHOLE,
        )

    def _scaled(self, heatmap: Heatmap) -> _Map:
        values = self._maps[_key(heatmap)] / self._scale.full(heatmap.kind)
        return np.asarray(values.clip(-1.0, 1.0), np.float32)


class _Change(NamedTuple):
    """The change between two explanations."""

    elapsed: float
    """Seconds, at least 0."""
    weight: float
    """The weight of the new values if they differ little, in [0, 1]."""
    field: NDArray[np.float32] | None
    """h×w×2: where each pixel was before, or None if nothing moved."""


def _key(heatmap: Heatmap) -> tuple[str, int]:
    return heatmap.kind, heatmap.subject


def _weight(least: float, difference: float) -> float:
    """Return the weight of a new value, from `least` for a small difference to 1 for a large one.

    Args:
        least: In [0, 1].
        difference: Relative, at least 0.
    """
    share = min(1.0, max(0.0, (difference - _SMALL) / (_LARGE - _SMALL)))
    return least + (1.0 - least) * share * share * (3.0 - 2.0 * share)


def _probability(predictions: dict[int, Prediction], index: int) -> float:
    return predictions[index].probability if index in predictions else 0.0
