"""Local cameras: images from the driver's process, and reconnecting after a loss."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from live_cam.capture.base import RawFrame, Trouble
from live_cam.capture.camera_process import CameraProcess
from live_cam.capture.devices import camera_problem, is_plugged_in
from live_cam.capture.driver import CameraReport, Request, Shot
from live_cam.capture.jpeg import JPEGCheck
from live_cam.capture.live import LiveSource
from live_cam.errors import CaptureError
from live_cam.runtime.opencv import cv2
from live_cam.settings import RECONNECT_SECONDS

if TYPE_CHECKING:
    from cv2.typing import MatLike
    from numpy.typing import NDArray

_OPENING_WAIT: Final = 15.0
"""Seconds in which a driver must open its camera; longer means that it does not respond."""
_POLL_INTERVAL: Final = 0.1


class Camera(LiveSource):
    """A camera connected to this machine."""

    kind = "camera"
    patience = 6.0

    def __init__(
        self,
        device: int | str,
        *,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
        reconnect: float = RECONNECT_SECONDS,
    ) -> None:
        """Open the camera and receive its first image.

        Args:
            device: Index or device path.
            size: Requested width and height in pixels, or None for 1280×720 from cameras that
                can compress and 640×480 from others.
            fps: Requested frames per second, or None for 30.
            reconnect: Seconds allowed for reconnecting to a lost camera; 0 disables it.

        Raises:
            CaptureError: The camera does not exist, may not be used, is in use by another
                program, or sends no image.
        """
        name = f"camera {device}" if isinstance(device, int) else device
        super().__init__(name, reconnect=reconnect)
        self._request = Request(device, name, size, fps)
        self._process: CameraProcess | None = None
        self._stuck: CameraProcess | None = None
        self._report: CameraReport | None = None
        self._last_shot: Shot | None = None
        self._jpeg_check = JPEGCheck()
        self._reopen()
        first = self._grab()
        if first is None:
            self._release()
            reason = self._reason or camera_problem(device, name, opened=False)
            raise CaptureError(reason.sentence)
        self.description = self._describe(first.image)
        self._start(first)

    def _grab(self) -> RawFrame | None:
        process, last_report_at = self._process, time.monotonic()
        while process is not None and not self._stop.is_set():
            report = process.newer(self._report, _POLL_INTERVAL)
            if report is not None:
                self._report = report
                raw = self._raw_frame(report.shot)
                if raw is not None:
                    return raw
                if report.ended:
                    self._reason = report.problem
                    return None
                # Until the first image, the driver itself reports when it gives up.
                last_report_at = last_report_at if self._last_shot else time.monotonic()
            limit = self.patience if self._last_shot else _OPENING_WAIT
            if time.monotonic() - last_report_at > limit:
                self._reason = self._silence()
                return None
        return None

    def _raw_frame(self, shot: Shot | None) -> RawFrame | None:
        if shot is None:
            return None
        self._last_shot = shot
        image = self._decoded(shot)
        if image is None:
            self._watch.record_damaged()
            return None
        return RawFrame(image, shot.timestamp)

    def _decoded(self, shot: Shot) -> NDArray[np.uint8] | None:
        if shot.data is None or not shot.compressed:
            return None if shot.data is None else _to_bgr(shot.data)
        data = self._jpeg_check.completed(shot.data.tobytes())
        if data is None:
            return None
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:  # a damaged header may claim any size
            return None
        return cast("NDArray[np.uint8] | None", image)

    def _reopen(self) -> None:
        if self._stuck is not None and not self._stuck.ended:
            self._reason = self._silence()
            return
        self._stuck = self._last_shot = self._report = None
        if not is_plugged_in(self._request.device):
            self._reason = None
            return
        try:
            self._process = CameraProcess(self._request)
        except OSError as error:
            self._reason = Trouble(
                "cannot start the camera's process",
                f"cannot start a process for {self.name} ({error.strerror or error}); "
                "close other programs.",
            )

    def _release(self) -> None:
        if self._process is None:
            return
        self._process.end()
        # A new process would find the camera in use and get stuck as well.
        if not self._process.ended:
            self._stuck = self._process
        self._process = None

    def _silence(self) -> Trouble:
        """Describe the lack of images that can be shown."""
        if self._last_shot is None or self._stuck is not None:
            brief, remedy = "does not respond", "unplug it and plug it in again"
        elif self._watch.damaged:
            brief = "sends only damaged images"
            remedy = "try another cable or port, or a smaller `camera_size`"
        else:
            brief = "sends no images"
            remedy = "unplug it and plug it in again, or close other programs that use it"
        return Trouble(f"{self.kind} {brief}", f"{self.name} {brief}; {remedy}.")

    def _describe(self, image: NDArray[np.uint8]) -> str:
        height, width = image.shape[:2]
        description = f"{width}×{height}"
        if self._last_shot is None:
            return description
        if self._last_shot.pixels:
            description += f" {self._last_shot.pixels}"
        rate = self._last_shot.rate
        return description + (f" at {rate:.4g} fps" if rate > 0 else "")

    def _remedy(self) -> str:
        return "check its cable and start again."


def _to_bgr(image: MatLike) -> NDArray[np.uint8]:
    """Convert a driver's image, which may be grey, packed YUV, BGRA or deeper than 8 bits."""
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 256)
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif channels == 2:
        image = cv2.cvtColor(image, cv2.COLOR_YUV2BGR_YUY2)
    elif channels == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    return cast("NDArray[np.uint8]", image)
