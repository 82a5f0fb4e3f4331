"""Pictures that do not flicker: what does not really change stays as it is.

Camera noise and the codec change every frame a little, and the map and the probabilities with it.
Small changes are smoothed over time; a real change shows at once.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from live_cam.explanation import Prediction
from live_cam.geometry import WHOLE, Region
from live_cam.resizing import enlarged
from live_cam.tracking import moved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from live_cam.explanation import Answer, Explanation
    from live_cam.tracking import Tracker

_SMALL: Final = 0.2
"""Relative change: up to it, what changes is taken for noise."""
_LARGE: Final = 0.5
"""Relative change: from it on, the picture has changed."""
_SCALE_SECONDS: Final = 30.0
"""How long the strongest evidence stays the measure of what comes after it."""
_FAINTEST: Final = 5e-4
"""Probabilities below it are forgotten."""


class Calm:
    """Smooths explanations over time: exponentially, with a weight that grows with the change.

    A map's colours stand for the strength of the evidence, measured by the strongest one of its
    kind in the last half minute: scaled each by itself, a map of noise would look like certainty.
    """

    def __init__(self, seconds: float) -> None:
        """Take the time constant of the smoothing, above 0, in seconds."""
        self._seconds = seconds
        self._source: Explanation | None = None
        self._calmed: Explanation | None = None
        self._maps: dict[tuple[str, int], NDArray[np.float32]] = {}
        self._scales: dict[str, float] = {}
        self._scores: dict[int, Prediction] = {}

    def steady(
        self, explanation: Explanation | None, size: tuple[int, int], tracker: Tracker | None
    ) -> Explanation | None:
        """Return an explanation with its maps and probabilities smoothed.

        Args:
            explanation: The newest one.
            size: Width and height, in pixels, in which maps are kept.
            tracker: Knows how the picture moved from one explained frame to the next; None: it
                is taken to stand still.

        Returns:
            A copy whose maps cover the whole frame; the same one until the next explanation.
        """
        if explanation is None:
            return None
        if explanation is not self._source or self._calmed is None:
            self._calmed = self._smoothed(explanation, self._change(explanation, size, tracker))
            self._source = explanation
        return self._calmed

    def _change(
        self, explanation: Explanation, size: tuple[int, int], tracker: Tracker | None
    ) -> _Change:
        """Say what lies between the last explanation and this one."""
        before, field = self._source, None
        elapsed = explanation.timestamp - before.timestamp if before else 0.0
        if before is None or elapsed < 0 or explanation.frame_index < before.frame_index:
            self._maps.clear()
            self._scores.clear()
        elif tracker and tracker.cut_between(before.frame_index, explanation.frame_index):
            self._maps.clear()
        elif tracker:
            field = tracker.motion(before.frame_index, explanation.frame_index)
        weight = 1.0 - math.exp(-max(0.0, elapsed) / self._seconds)
        return _Change(elapsed, weight, field, size, explanation.region)

    def _smoothed(self, explanation: Explanation, change: _Change) -> Explanation:
        self._measure((explanation, *explanation.others), change)
        before, self._maps = self._maps, {}
        heatmap = self._calm_map(explanation, explanation.class_index, change, before)
        others = tuple(
            replace(other, heatmap=self._calm_map(other, other.subject, change, before))
            for other in explanation.others
        )
        score, top = self._calm_scores(explanation, change)
        return replace(
            explanation, heatmap=heatmap, others=others, score=score, top=top, region=WHOLE
        )

    def _measure(self, maps: Iterable[Explanation | Answer], change: _Change) -> None:
        """Let the scales of all kinds of maps follow the strongest evidence."""
        strengths: dict[str, float] = {}
        for each in maps:
            strengths[each.kind] = max(each.strength, strengths.get(each.kind, 0.0))
        remembered = math.exp(-max(0.0, change.elapsed) / _SCALE_SECONDS)
        for kind, strength in strengths.items():
            faded = strength + remembered * (self._scales.get(kind, strength) - strength)
            self._scales[kind] = max(strength, faded)

    def _calm_map(
        self,
        shown: Explanation | Answer,
        subject: int,
        change: _Change,
        before: dict[tuple[str, int], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        key = shown.kind, subject
        values = shown.strength * enlarged(shown.heatmap, *change.size, change.region)
        if not shown.signed:
            values = values.clip(0.0)
        old = before.get(key)
        if old is not None and old.shape == values.shape:
            if change.field is not None:
                old = moved(old, change.field)
            largest = float(np.maximum(np.abs(old), np.abs(values)).sum())
            difference = float(np.abs(values - old).sum()) / max(largest, 1e-30)
            values = old + _weight(change.weight, difference) * (values - old)
        self._maps[key] = values
        limited = (values / self._scales[shown.kind]).clip(-1.0, 1.0)
        return np.asarray(limited, np.float32)

    def _calm_scores(
        self, explanation: Explanation, change: _Change
    ) -> tuple[float, tuple[Prediction, ...]]:
        """Return the explained class's smoothed probability, and the most probable classes'."""
        explained = Prediction(explanation.class_index, explanation.label, explanation.score)
        now = {each.class_index: each for each in (explained, *explanation.top)}
        if not self._scores:
            self._scores = now
            return explained.score, explanation.top
        known = self._scores | now
        differences = {index: _score(now, index) - _score(self._scores, index) for index in known}
        # The total variation distance of the two distributions.
        weight = _weight(change.weight, sum(map(abs, differences.values())) / 2)
        smoothed = {
            index: replace(each, score=_score(self._scores, index) + weight * differences[index])
            for index, each in known.items()
        }
        self._scores = {
            index: each
            for index, each in smoothed.items()
            if each.score >= _FAINTEST or index in now
        }
        best = sorted(self._scores.values(), key=lambda each: -each.score)
        return smoothed[explained.class_index].score, tuple(best[: len(explanation.top)])


class _Change(NamedTuple):
    """What lies between two explanations."""

    elapsed: float
    """Seconds."""
    weight: float
    """That what is new has where it is little."""
    field: NDArray[np.float32] | None
    """h×w×2: where each pixel was before; None: nothing moved."""
    size: tuple[int, int]
    """Width and height in which maps are kept."""
    region: Region
    """Which part of the frame the new maps cover."""


def _weight(least: float, difference: float) -> float:
    """Return the weight of what is new: `least`, up to 1 where it differs by much.

    Args:
        least: In [0, 1].
        difference: Relative, in [0, 1].
    """
    share = min(1.0, max(0.0, (difference - _SMALL) / (_LARGE - _SMALL)))
    return least + (1.0 - least) * share * share * (3.0 - 2.0 * share)


def _score(predictions: dict[int, Prediction], index: int) -> float:
    return predictions[index].score if index in predictions else 0.0
