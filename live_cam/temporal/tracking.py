"""Heatmaps that follow the image's motion while the network computes the next one."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from live_cam.geometry import WHOLE, Region
from live_cam.resizing import enlarged
from live_cam.runtime.opencv import cv2
from live_cam.temporal.change import same_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.explanation import Explanation
    from live_cam.frame import Frame

_MOST_STEPS: Final = 90
"""Steps of motion: three seconds, or 10 MB."""
_LEAST_MOTION: Final = 0.3
"""Thumbnail pixels. Smaller motion is added to the next step instead of being lost."""
_SMALLEST_SIDE: Final = 16
"""Thumbnail pixels: optical flow needs room for a few patches."""
_CUT_RESIDUAL: Final = 14.0
"""Mean difference in grey levels between an image and the previous one warped along the flow."""
_CUT_SHARE: Final = 0.5
"""Residual as a share of the difference without the flow. Motion leaves less."""


class _Step(NamedTuple):
    frame_index: int
    flow: NDArray[np.float32]
    """h×w×2: the offset from each pixel to where it was in the previous step."""


class Tracker:
    """Moves the newest heatmap with the image since the frame it explains.

    Dense optical flow between the thumbnails of the shown frames (Kroeger et al., "Fast Optical
    Flow using Dense Inverse Search", ECCV 2016) is composed into a field that maps each pixel to
    its place in the explained frame.
    """

    def __init__(self) -> None:
        # At its own scale this preset misses objects as small as a hand. At full resolution with
        # few, sparse patches it finds them in a quarter of the next better preset's time.
        self._optical_flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._optical_flow.setFinestScale(0)
        self._optical_flow.setPatchStride(6)
        self._optical_flow.setGradientDescentIterations(6)
        self._steps: deque[_Step] = deque(maxlen=_MOST_STEPS)
        self._last: Frame | None = None
        self._key: NDArray[np.uint8] | None = None
        self._key_grey: NDArray[np.uint8] | None = None
        self._source: Explanation | None = None
        self._carried: Explanation | None = None
        self._field: NDArray[np.float32] | None = None
        self._until = -1
        self._began = -1

    def follow(self, frame: Frame, explanation: Explanation | None) -> Explanation | None:
        """Return the explanation with its heatmaps where their objects are now.

        Args:
            frame: The frame on screen. Call this once for every shown frame, in order; repeating
                a frame has no effect.
            explanation: The newest one, of an earlier frame, or None if there is none yet.

        Returns:
            The same object if nothing has moved since. Otherwise a copy whose heatmaps cover the
            whole frame at the thumbnail's size and are 0 where new content came into view.
        """
        self.observe(frame)
        if explanation is None:
            return None
        if explanation is not self._source:
            self._source = self._carried = explanation
            self._field, self._until = None, explanation.frame_index
        new = [step for step in self._steps if step.frame_index > self._until]
        if new:
            self._field = _composed(self._field, new)
            self._until = new[-1].frame_index
            region = explanation.region
            maps = tuple(
                replace(each, values=_carried_map(each.values, self._field, region))
                for each in explanation.maps
            )
            self._carried = replace(explanation, maps=maps, region=WHOLE)
        return self._carried

    def motion(self, since: int, until: int) -> NDArray[np.float32] | None:
        """Return how the image moved from one frame to another.

        Args:
            since: `Frame.index` of the earlier frame. Only meaningful if `covers(since)`.
            until: `Frame.index` of the later frame.

        Returns:
            h×w×2 float32: the offset from each pixel of the later thumbnail to its place in the
            earlier one, or None if nothing moved.
        """
        steps = [step for step in self._steps if since < step.frame_index <= until]
        return _composed(None, steps) if steps else None

    def covers(self, since: int) -> bool:
        """Whether all motion since a frame is known: it is recent and no cut came after it.

        Args:
            since: `Frame.index` of that frame.
        """
        return since >= self._began

    def observe(self, frame: Frame) -> None:
        """Record the motion from the last frame to this one; `follow` does so as well.

        Args:
            frame: As in `follow`.
        """
        last, self._last = self._last, frame
        if frame is last:
            return
        thumbnail = frame.thumbnail
        restarted = last is not None and frame.index <= last.index
        if self._key is None or self._key.shape != thumbnail.shape or restarted:
            self._start_over(frame.index, thumbnail)
        elif not same_image(self._key, thumbnail):
            self._step(frame.index, thumbnail)

    def _start_over(self, index: int, thumbnail: NDArray[np.uint8]) -> None:
        self._began = index
        self._steps.clear()
        self._source = None
        self._make_key(thumbnail, cv2.cvtColor(thumbnail, cv2.COLOR_BGR2GRAY))

    def _make_key(self, thumbnail: NDArray[np.uint8], grey: NDArray[np.generic]) -> None:
        self._key = thumbnail
        self._key_grey = np.asarray(grey, np.uint8)

    def _step(self, index: int, thumbnail: NDArray[np.uint8]) -> None:
        assert self._key_grey is not None
        grey = np.asarray(cv2.cvtColor(thumbnail, cv2.COLOR_BGR2GRAY), np.uint8)
        if min(grey.shape) < _SMALLEST_SIDE:
            self._start_over(index, thumbnail)
            return
        flow = np.asarray(self._optical_flow.calc(grey, self._key_grey, None), np.float32)  # type: ignore[call-overload]  # the stubs require an initial flow
        if _is_cut(grey, self._key_grey, flow):
            self._start_over(index, thumbnail)
            return
        if float(np.abs(flow).max()) < _LEAST_MOTION:
            return
        if len(self._steps) == _MOST_STEPS:
            self._began = self._steps[0].frame_index
        self._steps.append(_Step(index, flow))
        self._make_key(thumbnail, grey)


def _composed(field: NDArray[np.float32] | None, steps: list[_Step]) -> NDArray[np.float32]:
    """Return the offset from each pixel to its place before all the steps.

    Args:
        field: h×w×2, the offsets of earlier steps, or None if there were none.
        steps: At least one, in order.
    """
    for step in steps:
        if field is None:
            field = step.flow
        else:
            field = step.flow + warped(field, step.flow, cv2.BORDER_REPLICATE)
    assert field is not None
    return field


def warped(
    values: NDArray[np.generic], field: NDArray[np.float32], border: int = cv2.BORDER_CONSTANT
) -> NDArray[np.float32]:
    """Return values sampled where a field points.

    Args:
        values: h×w or h×w×2.
        field: h×w×2 float32, as `Tracker.motion` returns it.
        border: OpenCV's border mode beyond the edge; zeros by default.
    """
    places = _grid(*field.shape[:2]) + field
    read = cv2.remap(values, places, None, cv2.INTER_LINEAR, borderMode=border)  # type: ignore[call-overload]  # two maps in one
    return np.asarray(read, np.float32)


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> NDArray[np.float32]:
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    return np.dstack([across, down]).astype(np.float32)


def _carried_map(
    heatmap: NDArray[np.float32], field: NDArray[np.float32], region: Region
) -> NDArray[np.float32]:
    height, width = field.shape[:2]
    # Enlarged as in `to_frame`, except that values above 1 are scaled back rather than clipped, so
    # that the map keeps a single peak.
    laid = enlarged(heatmap, width, height, region).clip(0.0 if heatmap.min() >= 0 else -np.inf)
    laid /= max(1.0, float(np.abs(laid).max()))
    return warped(laid, field)


def _is_cut(grey: NDArray[np.uint8], before: NDArray[np.uint8], flow: NDArray[np.float32]) -> bool:
    """Whether no motion explains the new image."""
    residual = np.abs(grey - warped(before, flow, cv2.BORDER_REPLICATE)).mean()
    return bool(
        residual > _CUT_RESIDUAL and residual > _CUT_SHARE * cv2.absdiff(grey, before).mean()
    )
