"""Cameras of this machine: images from the driver's process, and the way back when it is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from live_cam.capture.base import RawFrame, Trouble
from live_cam.capture.camera_process import CameraProcess
from live_cam.capture.devices import camera_problem, is_plugged_in
from live_cam.capture.driver import Report, Request, Shot
from live_cam.capture.jpeg import WholeJPEGs
from live_cam.capture.live import LiveSource
from live_cam.errors import CaptureError
from live_cam.runtime.opencv import cv2
from live_cam.settings import RECONNECT_SECONDS

if TYPE_CHECKING:
    from cv2.typing import MatLike
    from numpy.typing import NDArray

_OPENING: Final = 15.0
"""Seconds in which a driver opens its camera, or does not answer."""
_LOOK: Final = 0.1


class Camera(LiveSource):
    """A camera of this machine."""

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
        """Open the camera and take its first image.

        Args:
            device: The index, or the path of the device.
            size: Width and height to ask for, in pixels; None: 1280×720 from cameras that can
                compress, 640×480 from others.
            fps: Frames per second to ask for; None: 30.
            reconnect: Seconds in which a lost camera may come back; 0: none.

        Raises:
            CaptureError: There is no such camera, it may not be used, another program uses it, or
                it sends no image.
        """
        name = f"camera {device}" if isinstance(device, int) else device
        super().__init__(name, reconnect=reconnect)
        self._request = Request(device, name, size, fps)
        self._process: CameraProcess | None = None
        self._held: CameraProcess | None = None
        self._report: Report | None = None
        self._given: Shot | None = None
        self._jpegs = WholeJPEGs()
        self._reopen()
        first = self._grab()
        if first is None:
            self._release()
            reason = self._reason or camera_problem(device, name, answered=False)
            raise CaptureError(reason.sentence)
        self.description = self._describe(first.image)
        self._start(first)

    def _grab(self) -> RawFrame | None:
        process, heard = self._process, time.monotonic()
        while process is not None and not self._stop.is_set():
            report = process.newer(self._report, _LOOK)
            if report is not None:
                self._report = report
                raw = self._raw_frame(report.shot)
                if raw is not None:
                    return raw
                if report.ended:
                    self._reason = report.problem
                    return None
                # Before the first image the driver itself says when it gives up.
                heard = heard if self._given else time.monotonic()
            if time.monotonic() - heard > (self.patience if self._given else _OPENING):
                self._reason = self._silence()
                return None
        return None

    def _raw_frame(self, shot: Shot | None) -> RawFrame | None:
        if shot is None:
            return None
        self._given = shot
        image = self._decoded(shot)
        if image is None:
            self._watch.see_damaged()
            return None
        return RawFrame(image, shot.timestamp)

    def _decoded(self, shot: Shot) -> NDArray[np.uint8] | None:
        if shot.data is None or not shot.compressed:
            return None if shot.data is None else _to_bgr(shot.data)
        data = self._jpegs.mended(shot.data.tobytes())
        if data is None:
            return None
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:  # of a damaged header, which may claim any size
            return None
        return cast("NDArray[np.uint8] | None", image)

    def _reopen(self) -> None:
        if self._held is not None and not self._held.ended:
            self._reason = self._silence()
            return
        self._held = self._given = self._report = None
        if not is_plugged_in(self._request.device):
            self._reason = None
            return
        try:
            self._process = CameraProcess(self._request)
        except OSError as error:
            self._reason = Trouble(
                "the camera's process cannot be started",
                f"{self.name} needs a process of its own, which cannot be started "
                f"({error.strerror or error}); end other programs.",
            )

    def _release(self) -> None:
        if self._process is None:
            return
        self._process.end()
        # A new process would find the camera in use, and be held as well.
        if not self._process.ended:
            self._held = self._process
        self._process = None

    def _silence(self) -> Trouble:
        """Say in which way the camera sends nothing that can be shown."""
        if self._given is None or self._held is not None:
            brief, remedy = "does not answer", "unplug it and plug it in again"
        elif self._watch.damaged:
            brief = "sends only damaged images"
            remedy = "try another cable or port, or a smaller image with --camera-size"
        else:
            brief = "sends no images"
            remedy = "unplug it and plug it in again, or end other programs that use it"
        return Trouble(f"{self.kind} {brief}", f"{self.name} {brief}; {remedy}.")

    def _describe(self, image: NDArray[np.uint8]) -> str:
        height, width = image.shape[:2]
        description = f"{width}×{height}"
        if self._given is None:
            return description
        if self._given.pixels:
            description += f" {self._given.pixels}"
        return description + (f" at {self._given.rate:.4g} fps" if self._given.rate > 0 else "")

    def _remedy(self) -> str:
        return "check its cable and start again."


def _to_bgr(image: MatLike) -> NDArray[np.uint8]:
    """Convert what a driver gave: grey, packed YUV, with an alpha channel, or deeper than 8 bit."""
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
