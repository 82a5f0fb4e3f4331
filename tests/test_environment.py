from __future__ import annotations

import re
from importlib import metadata

from live_cam.runtime.opencv import cv2


def test_the_peers_left_the_window_in_place() -> None:
    """grad-cam's dependency opencv-python-headless overwrites opencv-python's cv2."""
    names = {distribution.metadata["Name"].lower() for distribution in metadata.distributions()}
    assert "grad-cam" in names, "the set-up script installs it"
    assert "opencv-python-headless" not in names
    gui = re.search(r"GUI:\s+(\S+)", cv2.getBuildInformation())
    assert gui is not None
    assert gui.group(1) != "NONE"
