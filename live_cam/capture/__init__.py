"""Where frames come from: cameras, video files, streams, pictures and the demo scene."""

from __future__ import annotations

from live_cam.capture.source import Frame, Source

__all__ = ["Frame", "Source"]
