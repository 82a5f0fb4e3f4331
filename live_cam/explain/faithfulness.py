"""Faithfulness checks: the class with its hottest region hidden, and with that region alone.

The deletion and the preservation game with one step each (Fong and Vedaldi 2017, section 4.2;
Petsiuk et al. 2018, section 3): if an explanation marks what matters, the class's probability falls
without that region, and stays with that region alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from live_cam.cam.metrics import masked
from live_cam.explanation import Check, Prediction
from live_cam.resizing import enlarged
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.explanation import Explanation

_HOT: Final = 0.5
"""The share of the map's maximum above which a position belongs to the hottest region."""
_SOFTNESS: Final = 1 / 40
"""The blur of the mask's edge, as a share of the input's side: a hard edge is a pattern itself."""


class FaithfulnessCheck:
    """Checks one explanation in N: its two masked images are explained with the next frame.

    Attributes:
        latest: The latest check, or None before the first one.
    """

    def __init__(self, every: int) -> None:
        """Check one in `every` explanations, at least 1."""
        self._every = every
        self._since = 0
        self._x: Tensor | None = None
        self._checked: Explanation | None = None
        self.latest: Check | None = None

    @property
    def pending(self) -> bool:
        """Whether an explanation is being checked."""
        return self._checked is not None

    def consider(self, x: Tensor, explanation: Explanation) -> None:
        """Record an explanation, and start checking it if a check is due.

        Args:
            x: 1×3×H×W float32, normalised: the network's input.
            explanation: Of this input.
        """
        self._since += 1
        changed = self.latest is None or self.latest.class_index != explanation.class_index
        if self.pending or (self._since < self._every and not changed):
            return
        self._since = 0
        self._x, self._checked = x, explanation

    def images(self) -> Tensor | None:
        """Return the masked images of the pending check, 2×3×H×W, or None if there is none."""
        x, explanation = self._x, self._checked
        if x is None or explanation is None:
            return None
        mask = hot_mask(explanation.heatmap, x.shape[-1], x.shape[-2])
        hot = torch.from_numpy(mask).to(x.device)
        return torch.cat([masked(x, 1 - hot), masked(x, hot)])

    def give_up(self) -> None:
        """Discard the pending check."""
        self._checked = self._x = None

    def conclude(self, logits: Tensor, labels: Sequence[str]) -> None:
        """Complete the pending check with the 2×C logits of its images."""
        checked = self._checked
        self.give_up()
        if checked is None:
            return
        probabilities = logits.softmax(dim=1)
        best = int(probabilities[0].argmax())
        without, alone = probabilities[:, checked.class_index].tolist()
        self.latest = Check(
            class_index=checked.class_index,
            before=checked.probability,
            without=without,
            alone=alone,
            instead=Prediction(best, labels[best], float(probabilities[0, best])),
            frame_index=checked.frame_index,
        )


def hot_mask(heatmap: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Return a mask of the hottest region in the network's input.

    Args:
        heatmap: h×w float32; values below 0 are ignored.
        width: The input's width in pixels.
        height: Its height in pixels.

    Returns:
        height×width float32: 1 in the region and 0 outside, with a soft edge. All 0 without
        evidence.
    """
    laid = enlarged(heatmap, width, height)
    hot = ((laid >= _HOT * laid.max()) & (laid > 0)).astype("float32")
    softened: NDArray[np.float32] = cv2.GaussianBlur(hot, (0, 0), _SOFTNESS * max(width, height))
    return softened
