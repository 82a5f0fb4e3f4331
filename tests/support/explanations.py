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


def tiger_cat(
    index: int = 3, probability: float = 0.25, label: str = "tiger cat", **changes: Any
) -> Explanation:
    """An explanation of a tiger cat, the second of two top classes, with all that a log records."""
    values: dict[str, Any] = {
        "top": (Prediction(281, "tabby", 0.5), Prediction(282, "tiger cat", 0.25)),
        "frame_index": index,
        "timestamp": 12.5,
        "seconds": {"preprocess": 0.001, "gradcam": 0.02},
    }
    target = Prediction(282, label, probability)
    maps = (Heatmap(np.zeros((7, 7), np.float32), target),)
    return Explanation(maps, **{**values, **changes})
