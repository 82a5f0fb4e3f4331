"""The one place that imports OpenCV, because OpenCV reads these variables while it is imported.

Everything else writes `from live_cam.runtime.opencv import cv2`. A variable that the user has set
wins.
"""

from __future__ import annotations

import os

from live_cam.settings import MOST_PIXELS

_ENVIRONMENT = {
    # The Media Foundation backend probes hardware transforms for tens of seconds when it opens a
    # camera (opencv/opencv#17687).
    "OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS": "0",
    # A camera that is plugged in but delivers nothing blocks a read for this many seconds (V4L2's
    # default is 10); shorter, so that the loss is noticed and the program ends when asked to.
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "3",
    # Failures reach the user as one sentence of ours, not as a backend's log lines before it.
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    # A file of 60 bytes may claim to be an image of a billion pixels, and OpenCV's own limit lets
    # it. See `settings.MOST_PIXELS`.
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(MOST_PIXELS),
    # The wheel's Qt has no fonts and warns about it on every window; we draw our own text.
    "QT_LOGGING_RULES": "*.warning=false;*.debug=false;*.info=false",
}

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

import cv2  # noqa: E402

__all__ = ["cv2"]
