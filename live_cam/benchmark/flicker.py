"""How much the heatmap flickers on a still scene, and how soon another scene shows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from live_cam.capture import Frame
from live_cam.overlay import blend_heatmap, peak
from live_cam.settings import DEFAULT_SMOOTHING
from live_cam.stabiliser import Stabiliser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from live_cam.explanation import Explanation

SIZE: Final = (1280, 720)
"""Width and height of the frames, in pixels."""
RATES: Final = (4.0, 10.0, 30.0)
"""Explanations per second."""
SIGMA: Final = 5.0
"""Of the noise, in grey levels a pixel: a webcam's in a living room."""
_FRAMES: Final = 20
_BEFORE_CUT: Final = 12
_AFTER_CUT: Final = 12
_NEAR: Final = 0.1
"""Of the picture's diagonal: so near to the new scene's peak the heatmap's is on the new object."""


class Seen(NamedTuple):
    """A frame, what the network said of it, and what of that was drawn."""

    found: Explanation
    drawn: Explanation


def watch(
    explain: Callable[[Frame], Explanation],
    images: Iterable[NDArray[np.uint8]],
    rate: float,
    smoothing: float = DEFAULT_SMOOTHING,
    *,
    track: bool = True,
) -> list[Seen]:
    """Explain every picture, and stabilise the explanations as the live loop does.

    Args:
        explain: Explains a frame.
        images: The pictures, H×W×3 BGR.
        rate: How many of them make a second.
        smoothing: Seconds over which is smoothed; 0: not at all.
        track: Whether heatmaps follow the picture's motion.
    """
    stabiliser = Stabiliser(smoothing, track=track)
    seen = []
    for index, image in enumerate(images):
        frame = Frame(image, index, index / rate)
        found = explain(frame)
        drawn = stabiliser.stabilise(frame, found)
        assert drawn is not None
        seen.append(Seen(found, drawn))
    return seen


def flicker(explanations: Sequence[Explanation], image: NDArray[np.uint8]) -> float:
    """Return the mean absolute change of the drawn heatmap from one explanation to the next.

    Args:
        explanations: Of a scene that stands still, at least two, in their order.
        image: The scene without noise, H×W×3 BGR: drawn on it, only the heatmap can flicker.

    Returns:
        Grey levels, in the mean over pixels and colours.
    """
    drawn = (blend_heatmap(image, each.heatmap).astype(np.int16) for each in explanations)
    return float(np.mean([np.abs(second - first).mean() for first, second in pairwise(drawn)]))


class Delay(NamedTuple):
    """Seconds of video from a cut to the frame whose explanation shows what is there now.

    The cut lies just behind an explained frame, which is its worst place. What the network and
    the window take comes on top.
    """

    heatmap: float
    """Until the heatmap's peak is where the network, asked without any memory, puts it."""
    label: float
    """Until the label is the new scene's."""


def cut_delay(
    seen: Sequence[Seen], cut: int, rate: float, size: tuple[int, int] = SIZE
) -> Delay | None:
    """Return how soon a cut shows, for good; None where it does not.

    Args:
        seen: Of one scene, and then of another one.
        cut: Which is the first of the other scene.
        rate: How many of them make a second.
        size: Width and height of the frames, in pixels.
    """
    goal = seen[-1].found
    limit = _NEAR * float(np.hypot(*size))
    far, other = [], []
    for each in seen[cut:]:
        distance = np.subtract(peak(each.drawn.heatmap, *size), peak(goal.heatmap, *size))
        far.append(float(np.hypot(*distance)) > limit)
        other.append(each.drawn.label != goal.label)
    if far[-1] or other[-1]:
        return None
    return Delay(_last(far) / rate, _last(other) / rate)


def _last(wrong: list[bool]) -> int:
    """Return after how many explanations nothing is wrong any more, the first one counted as 1."""
    return 1 + max((place + 1 for place, each in enumerate(wrong) if each), default=0)


def noisy(image: NDArray[np.uint8], seed: int, sigma: float = SIGMA) -> NDArray[np.uint8]:
    """Return a picture with a camera's noise, the same for the same seed.

    Args:
        image: H×W×3 uint8.
        seed: Another one for each frame.
        sigma: Of the noise, in grey levels a pixel.
    """
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.asarray((image + noise).clip(0, 255).round(), np.uint8)
