"""Would the network still say so? The hottest region hidden, and nothing but the hottest region.

The deletion and the preservation game with one step each (Fong and Vedaldi 2017, section 4.2;
Petsiuk et al. 2018, section 3): an explanation that points at what matters makes the class fall
when that is hidden, and keeps it when only that is left.
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
"""Of the map's maximum: what is above it is the hottest region."""
_SOFTNESS: Final = 1 / 40
"""Of the input's side: how far the mask's edge is blurred, as a hard one is a pattern itself."""


class FaithfulnessCheck:
    """Checks one explanation in N: its two masked images travel with the next frame."""

    def __init__(self, every: int) -> None:
        """Take N, at least 1."""
        self._every = every
        self._since = 0
        self._checked: Explanation | None = None
        self.images: Tensor | None = None
        """2×3×H×W: what the network is to be asked next; None: nothing."""
        self.latest: Check | None = None

    def consider(self, x: Tensor, explanation: Explanation) -> None:
        """Take note of an explanation, and make its masked images if it is its turn.

        Args:
            x: 1×3×H×W float32, normalised: what the network saw.
            explanation: What it said.
        """
        self._since += 1
        news = self.latest is None or self.latest.class_index != explanation.class_index
        if self.images is not None or (self._since < self._every and not news):
            return
        self._since = 0
        mask = hot_mask(explanation.heatmap, x.shape[-1], x.shape[-2])
        hot = torch.from_numpy(mask).to(x.device)
        self.images = torch.cat([masked(x, 1 - hot), masked(x, hot)])
        self._checked = explanation

    def give_up(self) -> None:
        """Ask nothing of the masked images: the network has no finite answer."""
        self._checked = self.images = None

    def conclude(self, logits: Tensor, labels: Sequence[str]) -> None:
        """Take what the network says of the two images: 2×C logits."""
        checked, self._checked, self.images = self._checked, None, None
        if checked is None:
            return
        scores = logits.softmax(dim=1)
        best = int(scores[0].argmax())
        without, alone = scores[:, checked.class_index].tolist()
        self.latest = Check(
            class_index=checked.class_index,
            before=checked.probability,
            without=without,
            alone=alone,
            instead=Prediction(best, labels[best], float(scores[0, best])),
            frame_index=checked.frame_index,
        )


def hot_mask(heatmap: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Return where the hottest region lies in the network's input.

    Args:
        heatmap: h×w float32, of which only what is above 0 counts.
        width: The input's width in pixels.
        height: Its height in pixels.

    Returns:
        height×width float32: 1 in the region, 0 outside, with a soft edge; all 0 without evidence.
    """
    laid = enlarged(heatmap, width, height)
    hot = ((laid >= _HOT * laid.max()) & (laid > 0)).astype("float32")
    softened: NDArray[np.float32] = cv2.GaussianBlur(hot, (0, 0), _SOFTNESS * max(width, height))
    return softened
