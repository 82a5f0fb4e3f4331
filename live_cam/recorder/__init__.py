"""Finished pictures → a video that survives a crash."""

from live_cam.recorder.encoders import available_encoders
from live_cam.recorder.recorder import Recorder

__all__ = ["Recorder", "available_encoders"]
