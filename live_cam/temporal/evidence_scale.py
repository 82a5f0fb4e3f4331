"""The evidence that full colour stands for: a steady scale on which weak evidence looks weak."""

from __future__ import annotations

import math
from typing import Final

_SECONDS: Final = 10.0
"""Time constant of the scale where the network is certain. It grows as certainty falls, because
maps of a class that the network hardly sees say little about the scale."""
_LEAST_PROBABILITY: Final = 0.1
"""Maps of less probable classes are drawn as if the class were this probable."""
_EPSILON: Final = 1e-30


class EvidenceScale:
    """Tracks the strength of the evidence for each kind of map.

    If each map were scaled to its own maximum, pure noise would look as strong as certainty.
    Instead, full colour stands for the strongest recent evidence. Until there is some, a map peaks
    at the square root of its class's probability: for efficientnet_lite0 on 13 photos, three grey
    walls and noise, with probabilities from 0.02 to 0.92, the raw maximum of the top class's map
    was 0.5 to 1.2 times that root.
    """

    def __init__(self) -> None:
        self._full: dict[str, float] = {}

    def full(self, kind: str) -> float:
        """Return the raw value drawn in full colour, on the method's own scale; above 0.

        Args:
            kind: `Heatmap.kind`.
        """
        return max(self._full.get(kind, 0.0), _EPSILON)

    def update(self, kind: str, strength: float, probability: float, elapsed: float) -> None:
        """Record the maps on screen.

        Args:
            kind: Their `Heatmap.kind`.
            strength: Their largest magnitude, at least 0, on the method's own scale.
            probability: The explained class's probability, in [0, 1].
            elapsed: Seconds since the last call.
        """
        expected = strength / math.sqrt(max(probability, _LEAST_PROBABILITY))
        before = self._full.get(kind, expected)
        followed = expected + math.exp(-elapsed * probability / _SECONDS) * (before - expected)
        # Never clip: a flat top would hide where the peak is.
        self._full[kind] = max(strength, followed)

    def reset(self) -> None:
        """Start over: maps of different networks cannot be compared."""
        self._full.clear()
