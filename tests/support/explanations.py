"""Explanations without a network: a map, and what it explains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from live_cam.explanation import Explanation, Heatmap, Prediction


def explanation(
    values: NDArray[np.float32],
    target: Prediction | None = None,
    index: int = 0,
    timestamp: float = 0.0,
    **changes: Any,
) -> Explanation:
    """An explanation with one map, whose target is its top class unless `top` says otherwise."""
    target = target or Prediction(0, "a", 1.0)
    heatmap = Heatmap(values, target)
    return replace(Explanation((heatmap,), (target,), index, timestamp), **changes)


def with_map(explanation: Explanation, **changes: Any) -> Explanation:
    """The same explanation with changes to its first map."""
    first, *others = explanation.maps
    return replace(explanation, maps=(replace(first, **changes), *others))


def with_target(explanation: Explanation, **changes: Any) -> Explanation:
    """The same explanation with changes to the class that its first map explains."""
    return with_map(explanation, target=replace(explanation.target, **changes))
