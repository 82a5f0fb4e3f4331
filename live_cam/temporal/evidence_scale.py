"""What full colour stands for: a steady scale, on which weak evidence looks weak."""

from __future__ import annotations

import math
from typing import Final

_SECONDS: Final = 10.0
"""How long strong evidence stays the measure of what comes after it, where the network is certain
of that. Where it is not, longer: by what it hardly sees nothing can be measured."""
_LEAST_SCORE: Final = 0.1
"""Of a class that is less probable the map is drawn as if it were this probable."""
_EPSILON: Final = 1e-30


class EvidenceScale:
    """Follows how strong the evidence is in each kind of map.

    Scaled each by itself, a map of noise would reach the same colours as one of certainty. So full
    colour is the strongest evidence of late, and as long as there was none to compare with, a
    class's map reaches as far as the square root of its probability: measured with
    efficientnet_lite0 on 13 photos, three grey walls and noise, whose probabilities lie between
    0.02 and 0.92, the maximum of the top class's map is 0.5 to 1.2 times that root.
    """

    def __init__(self) -> None:
        """Start without anything to compare with."""
        self._full: dict[str, float] = {}

    def full(self, kind: str) -> float:
        """Return what full colour stands for, in the method's own scale; above 0.

        Args:
            kind: What it is a map of, as in `Heatmap`.
        """
        return max(self._full.get(kind, 0.0), _EPSILON)

    def measure(self, kind: str, strength: float, score: float, elapsed: float) -> None:
        """Take note of maps that are shown.

        Args:
            kind: What they are maps of.
            strength: The largest magnitude in them, at least 0, in the method's own scale.
            score: The probability of the class that they explain, in [0, 1].
            elapsed: Seconds since the last time.
        """
        expected = strength / math.sqrt(max(score, _LEAST_SCORE))
        before = self._full.get(kind, expected)
        followed = expected + math.exp(-elapsed * score / _SECONDS) * (before - expected)
        # Never beyond full colour: a flat top would hide where the peak is.
        self._full[kind] = max(strength, followed)

    def forget(self) -> None:
        """Start again, as another network's maps cannot be compared with this one's."""
        self._full.clear()
