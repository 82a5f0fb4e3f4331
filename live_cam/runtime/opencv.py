"""The only module that imports OpenCV, after setting the variables that OpenCV reads on import.

All other modules write `from live_cam.runtime.opencv import cv2`. Variables set by the user take
precedence.
"""

from __future__ import annotations

import os

from live_cam.settings import MOST_PIXELS

_ENVIRONMENT = {
    # On opening a camera, the Media Foundation backend probes hardware transforms for tens of
    # seconds (opencv/opencv#17687).
    "OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS": "0",
    # A camera that is plugged in but delivers nothing blocks a read for this many seconds. V4L2's
    # default of 10 would delay both the detection of the loss and the program's exit.
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "3",
    # The user sees one sentence of ours per failure, without a backend's log lines before it.
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    # A file of 60 bytes may claim to be an image of a billion pixels, and OpenCV's default limit
    # allows it. See `settings.MOST_PIXELS`.
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(MOST_PIXELS),
    # The wheel's Qt lacks fonts and warns about it for every window; we draw our own text.
    "QT_LOGGING_RULES": "*.warning=false;*.debug=false;*.info=false",
}

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

import cv2  # noqa: E402

__all__ = ["cv2"]
