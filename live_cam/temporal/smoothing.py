"""Images that do not flicker: what does not really change stays as it is.

Camera noise and the codec change every frame a little, and the map and the probabilities with it.
Small changes are smoothed over time; a real change shows at once.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from live_cam.geometry import WHOLE
from live_cam.resizing import enlarged
from live_cam.temporal.evidence_scale import EvidenceScale
from live_cam.temporal.tracking import moved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.explanation import Explanation, Heatmap, Prediction
    from live_cam.frame import Frame
    from live_cam.temporal.tracking import Tracker

    _Map: TypeAlias = NDArray[np.float32]

_SMALL: Final = 0.2
"""Relative change: up to it, what changes is taken for noise. Measured on photos with noise of 10
grey levels a pixel through efficientnet_lite0: at most 0.12."""
_LARGE: Final = 0.5
"""Relative change: from it on, the image has changed."""
_FAINT: Final = 0.05
"""Of full colour, in the mean over a map: changes of fainter ones are compared with this."""
_FAINTEST_SCORE: Final = 5e-4
"""Probabilities below it are forgotten."""
_AT_REST: Final = 1 / 512
"""Of full colour, and of a probability: what is nearer than this to its goal has reached it."""


class Calm:
    """Smooths explanations over time: exponentially, with a weight that grows with the change.

    What is smoothed is the evidence in the method's own scale, not the maps from 0 to 1, whose
    common factor jumps with the noise of their one maximum. Colours are given by `EvidenceScale`.
    """

    def __init__(self, seconds: float, tracker: Tracker | None = None) -> None:
        """Start without an explanation.

        Args:
            seconds: The time constant of the smoothing, above 0.
            tracker: Knows how the image moved from one explained frame to the next; None: it
                is taken to stand still.
        """
        self._seconds = seconds
        self._tracker = tracker
        self._scale = EvidenceScale()
        self._newest: Explanation | None = None
        self._steady: Explanation | None = None
        self._maps: dict[tuple[str, int], _Map] = {}
        self._goals: dict[tuple[str, int], _Map] = {}
        self._scores: dict[int, Prediction] = {}
        self._goal_scores: dict[int, Prediction] = {}
        self._weights: dict[int, float] = {}
        self._rested = 0.0

    def steady(self, frame: Frame, explanation: Explanation | None) -> Explanation | None:
        """Return an explanation with its maps and probabilities smoothed.

        Args:
            frame: The one that is shown. As `Tracker.see` wants it.
            explanation: The newest one.

        Returns:
            A copy whose maps have the size of the frame's thumbnail and cover the whole frame;
            the same one until the next explanation, or until `settle` changes it.
        """
        if self._tracker:
            self._tracker.see(frame)
        if explanation is None:
            return None
        if explanation is not self._newest or self._steady is None:
            height, width = frame.thumbnail.shape[:2]
            self._follow(explanation, self._change(explanation), (width, height))
            self._newest = explanation
            self._steady = self._drawn(explanation)
        return self._steady

    def settle(self, seconds: float) -> Explanation | None:
        """Come nearer to the newest explanation, since it goes on holding: nothing changes.

        Args:
            seconds: For how long nothing has changed, since the last call. Infinite: there will
                be no change, and what is drawn is what was found.

        Returns:
            As `steady`.
        """
        if self._newest is None:
            return None
        self._rested += seconds
        if self._reached():
            return self._steady
        weight = self._share(seconds)
        for key, goal in self._goals.items():
            self._maps[key] = self._maps[key] + weight * (goal - self._maps[key])
        self._scores = self._mixed(weight)
        self._follow_weights(self._newest, weight)
        if self._reached():
            self._maps, self._scores = dict(self._goals), dict(self._goal_scores)
        self._measure(self._newest, 0.0)
        self._steady = self._drawn(self._newest)
        return self._steady

    def _share(self, seconds: float) -> float:
        """Return how much of the way to its goal goes what is smoothed in some seconds."""
        return 1.0 - math.exp(-max(0.0, seconds) / self._seconds)

    def _change(self, explanation: Explanation) -> _Change:
        """Say what lies between the last explanation and this one, and forget what it ended."""
        before = self._newest
        elapsed = explanation.timestamp - before.timestamp if before else 0.0
        back = before is None or elapsed < 0 or explanation.frame_index < before.frame_index
        other_network = before is not None and before.randomised != explanation.randomised
        if other_network:
            self._scale.forget()
        field = None
        if before is None or back or other_network or not self._remembers(before):
            self._maps.clear()
            self._scores.clear()
            self._weights.clear()
        elif self._tracker:
            field = self._tracker.motion(before.frame_index, explanation.frame_index)
        rested, self._rested = self._rested, 0.0
        return _Change(max(0.0, elapsed), self._share(elapsed - rested), field)

    def _remembers(self, before: Explanation) -> bool:
        return self._tracker is None or self._tracker.remembers(before.frame_index)

    def _follow(self, explanation: Explanation, change: _Change, size: tuple[int, int]) -> None:
        """Bring maps, probabilities and weights nearer to what the explanation says."""
        maps, self._maps, self._goals = self._maps, {}, {}
        for each in explanation.maps:
            values = each.strength * enlarged(each.values, *size, explanation.region)
            goal = values if each.signed else values.clip(0.0)
            key = _key(each)
            self._goals[key] = goal
            self._maps[key] = self._smoothed(maps.get(key), goal, change, each.kind)
        self._follow_scores(explanation, change.weight)
        self._follow_weights(explanation, change.weight)
        self._measure(explanation, change.elapsed)

    def _smoothed(self, old: _Map | None, goal: _Map, change: _Change, kind: str) -> _Map:
        if old is None or old.shape != goal.shape:
            return goal
        if change.field is not None:
            old = moved(old, change.field)
        faint = _FAINT * self._scale.full(kind) * goal.size
        largest = max(float(np.maximum(np.abs(old), np.abs(goal)).sum()), faint)
        weight = _weight(change.weight, float(np.abs(goal - old).sum()) / largest)
        return np.asarray(old + weight * (goal - old), np.float32)

    def _follow_weights(self, explanation: Explanation, least: float) -> None:
        before, self._weights = self._weights, {}
        for each in explanation.maps:
            if each.weight is not None:
                old = before.get(each.subject, each.weight)
                largest = max(abs(old), abs(each.weight), _FAINT)
                weight = _weight(least, abs(each.weight - old) / largest)
                self._weights[each.subject] = old + weight * (each.weight - old)

    def _follow_scores(self, explanation: Explanation, least: float) -> None:
        known = (*(each.target for each in reversed(explanation.maps)), *explanation.top)
        self._goal_scores = {each.class_index: each for each in known}
        if not self._scores:
            self._scores = dict(self._goal_scores)
        # The total variation distance of the two distributions.
        self._scores = self._mixed(_weight(least, self._score_distance() / 2))

    def _mixed(self, weight: float) -> dict[int, Prediction]:
        """Return the probabilities, nearer to their goals."""
        old, new = self._scores, self._goal_scores
        mixed = {
            index: replace(
                each,
                probability=_score(old, index) + weight * (_score(new, index) - _score(old, index)),
            )
            for index, each in (old | new).items()
        }
        return {
            index: each
            for index, each in mixed.items()
            if each.probability >= _FAINTEST_SCORE or index in new
        }

    def _score_distance(self) -> float:
        old, new = self._scores, self._goal_scores
        return sum(abs(_score(new, index) - _score(old, index)) for index in old | new)

    def _reached(self) -> bool:
        """Whether all that is smoothed is where the newest explanation wants it."""
        return self._score_distance() < _AT_REST and all(
            float(np.abs(goal - self._maps[key]).max()) <= _AT_REST * self._scale.full(key[0])
            for key, goal in self._goals.items()
        )

    def _measure(self, explanation: Explanation, elapsed: float) -> None:
        strengths: dict[str, float] = {}
        for (kind, _), values in self._maps.items():
            strengths[kind] = max(float(np.abs(values).max()), strengths.get(kind, 0.0))
        score = _score(self._scores, explanation.class_index)
        for kind, strength in strengths.items():
            self._scale.measure(kind, strength, score, elapsed)

    def _drawn(self, explanation: Explanation) -> Explanation:
        """Return the explanation with what is smoothed in the place of what was found."""
        best = sorted(self._scores.values(), key=lambda each: -each.probability)
        return replace(
            explanation,
            maps=tuple(
                replace(
                    each,
                    values=self._coloured(each),
                    target=self._scores[each.target.class_index],
                    weight=None if each.weight is None else self._weights[each.subject],
                )
                for each in explanation.maps
            ),
            top=tuple(best[: len(explanation.top)]),
            region=WHOLE,
        )

    def _coloured(self, shown: Heatmap) -> _Map:
        values = self._maps[_key(shown)] / self._scale.full(shown.kind)
        return np.asarray(values.clip(-1.0, 1.0), np.float32)


class _Change(NamedTuple):
    """What lies between two explanations."""

    elapsed: float
    """Seconds, at least 0."""
    weight: float
    """That what is new has where it is little, in [0, 1]."""
    field: NDArray[np.float32] | None
    """h×w×2: where each pixel was before; None: nothing moved."""


def _key(shown: Heatmap) -> tuple[str, int]:
    return shown.kind, shown.subject


def _weight(least: float, difference: float) -> float:
    """Return the weight of what is new: `least`, up to 1 where it differs by much.

    Args:
        least: In [0, 1].
        difference: Relative, at least 0.
    """
    share = min(1.0, max(0.0, (difference - _SMALL) / (_LARGE - _SMALL)))
    return least + (1.0 - least) * share * share * (3.0 - 2.0 * share)


def _score(predictions: dict[int, Prediction], index: int) -> float:
    return predictions[index].probability if index in predictions else 0.0
