"""How much the heatmap flickers on a still scene, and how soon a cut shows."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from live_cam.capture.demo import demo_photos
from live_cam.explain.explainer import Explainer
from live_cam.frame import Frame
from live_cam.overlay import blend_heatmap, peak
from live_cam.runtime.opencv import cv2
from live_cam.runtime.report import Cell, Column, Section
from live_cam.settings import DEFAULT_SMOOTHING, EMBEDDED_MODEL, Settings
from live_cam.temporal.stabiliser import Stabiliser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from live_cam.explanation import Explanation

SIZE: Final = (1280, 720)
"""Width and height of the frames, in pixels."""
RATES: Final = (4.0, 10.0, 30.0)
"""Explanations per second."""
SIGMA: Final = 5.0
"""The standard deviation of the noise, in grey levels."""
_FRAMES: Final = 20
_CUT: Final = 12
"""Explanations before a cut, and after it."""
_NEAR: Final = 0.1
"""The largest distance of a peak to that of the new scene, as a share of the image's diagonal, to
be on the new object."""


class Seen(NamedTuple):
    """The explanation of a frame, as computed and as drawn."""

    raw: Explanation
    drawn: Explanation


def watch(
    explain: Callable[[Frame], Explanation],
    images: Iterable[NDArray[np.uint8]],
    rate: float,
    smoothing: float = DEFAULT_SMOOTHING,
    *,
    track: bool = True,
) -> list[Seen]:
    """Explain every image and stabilise the explanations as the live loop does.

    Args:
        explain: Explains a frame.
        images: The images, H×W×3 BGR.
        rate: Images per second.
        smoothing: The time constant of the smoothing in seconds; 0 for none.
        track: Whether heatmaps follow the image's motion.
    """
    stabiliser = Stabiliser(smoothing, track=track)
    seen = []
    for index, image in enumerate(images):
        frame = Frame(image, index, index / rate)
        raw = explain(frame)
        drawn = stabiliser.stabilise(frame, raw)
        assert drawn is not None
        seen.append(Seen(raw, drawn))
    return seen


def flicker(explanations: Sequence[Explanation], image: NDArray[np.uint8]) -> float:
    """Return the mean absolute change of the drawn heatmap between consecutive explanations.

    Args:
        explanations: At least two explanations of a still scene, in order.
        image: The scene without noise, H×W×3 BGR, so that only the heatmap can flicker.

    Returns:
        Grey levels, averaged over pixels and channels.
    """
    drawn = (blend_heatmap(image, each.heatmap).astype(np.int16) for each in explanations)
    return float(np.mean([np.abs(second - first).mean() for first, second in pairwise(drawn)]))


class Delay(NamedTuple):
    """Seconds of video from a cut until the drawn explanation is that of the new scene.

    The cut comes just after an explained frame, the worst case. The times of the network and of
    the window are not included.
    """

    heatmap: float
    """Until the heatmap's peak is where the network puts it without smoothing."""
    label: float
    """Until the label is that of the new scene."""


def cut_delay(
    seen: Sequence[Seen], cut: int, rate: float, size: tuple[int, int] = SIZE
) -> Delay | None:
    """Return how soon a cut shows for good, or None if it does not.

    Args:
        seen: Explanations of one scene, followed by those of another.
        cut: The index of the first explanation of the second scene.
        rate: Explanations per second.
        size: Width and height of the frames, in pixels.
    """
    goal = seen[-1].raw
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
    """Return the 1-based position of the first explanation after which none is wrong."""
    return 1 + max((place for place, is_wrong in enumerate(wrong, 1) if is_wrong), default=0)


def noisy(image: NDArray[np.uint8], seed: int, sigma: float = SIGMA) -> NDArray[np.uint8]:
    """Return an image with camera noise, reproducible by its seed.

    Args:
        image: H×W×3 uint8.
        seed: The seed, a different one per frame.
        sigma: The standard deviation of the noise, in grey levels.
    """
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.asarray((image + noise).clip(0, 255).round(), np.uint8)


def flicker_section() -> Section:
    """Measure how much smoothing reduces flicker, and how soon a cut shows.

    This uses the network whose trained weights come with a Python package, because the effect of
    noise on a map depends on them.

    Raises:
        UsageError: The demo's photos are not installed.
        WeightsError: The network's package is not installed.
    """
    photos = [np.asarray(cv2.resize(photo, SIZE), np.uint8) for photo in demo_photos()]
    frames = [[noisy(photo, seed) for seed in range(_FRAMES)] for photo in photos]
    plain = []
    with _explainer(smooth=0.0) as explainer:
        for photo, noise in zip(photos, frames, strict=True):
            seen = watch(explainer.explain, noise, RATES[0], smoothing=0.0)
            plain.append(flicker([each.drawn for each in seen], photo))
    rows = []
    with _explainer() as explainer:
        for rate in RATES:
            smooth = []
            for photo, noise in zip(photos, frames, strict=True):
                seen = watch(explainer.explain, noise, rate)
                smooth.append(flicker([each.drawn for each in seen], photo))
            delays = [
                cut_delay(watch(explainer.explain, [*one[:_CUT], *other[:_CUT]], rate), _CUT, rate)
                for one, other in pairwise([*frames, frames[0]])
            ]
            rows.append(_row(rate, plain, smooth, delays))
    columns = (
        Column("rate", "explanations/s", "{:.0f}"),
        Column("plain", "flicker", "{:.2f}"),
        Column("smooth", "smoothed", "{:.2f}"),
        Column("fall", "reduced by", "{:.0f} ×"),
        Column("least_fall", "at least by", "{:.1f} ×"),
        Column("heatmap_seconds", "heatmap after a cut ms", "{:.0f}", 1e3),
        Column("label_seconds", "label ms", "{:.0f}", 1e3),
    )
    note = (
        f"{EMBEDDED_MODEL} on the demo's four photos, {SIZE[0]}×{SIZE[1]}, still, with noise of "
        f"{SIGMA:.0f} grey levels per pixel, every frame explained. Flicker: the mean absolute "
        "change of the drawn heatmap between consecutive explanations, in grey levels, median over "
        f"the photos; smoothed with the default of {DEFAULT_SMOOTHING:g} s. After a cut from one "
        "photo to the next: seconds of video until heatmap peak and label are those of the new "
        "photo for good, the slowest of four; the cut comes just after an explained frame, and the "
        "time of an explanation is not included."
    )
    return Section("Flicker", columns, tuple(rows), (note,))


def _row(
    rate: float, plain: list[float], smooth: list[float], delays: list[Delay | None]
) -> dict[str, Cell]:
    falls = [before / after for before, after in zip(plain, smooth, strict=True)]
    shown = [delay for delay in delays if delay is not None]
    all_show = len(shown) == len(delays)
    return {
        "rate": rate,
        "plain": float(np.median(plain)),
        "smooth": float(np.median(smooth)),
        "fall": float(np.median(falls)),
        "least_fall": min(falls),
        "heatmap_seconds": max(delay.heatmap for delay in shown) if all_show else None,
        "label_seconds": max(delay.label for delay in shown) if all_show else None,
    }


@contextmanager
def _explainer(smooth: float | None = None) -> Iterator[Explainer]:
    settings = Settings(model=EMBEDDED_MODEL, engine="hook", smooth=smooth)
    with Explainer(settings, lambda _text: None) as explainer:
        explainer.load()
        yield explainer
