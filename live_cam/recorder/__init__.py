"""Finished pictures → a video that survives a crash."""

from live_cam.recorder.encoders import available_encoders
from live_cam.recorder.recorder import Recorder
from live_cam.recorder.template import SoundPacket, Template

__all__ = ["Recorder", "SoundPacket", "Template", "available_encoders"]
