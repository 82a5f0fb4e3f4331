"""Sources of frames: cameras, video files, streams, images and the demo scene."""

from __future__ import annotations

from live_cam.capture.devices import list_cameras
from live_cam.capture.opening import Opening, check_source, open_source
from live_cam.capture.source import Source

__all__ = ["Opening", "Source", "check_source", "list_cameras", "open_source"]
