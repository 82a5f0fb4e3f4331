"""Finished pictures → a video that survives a crash."""

from live_cam.record.encoders import available_encoders
from live_cam.record.recorder import Recorder
from live_cam.record.template import SoundPacket, Template

__all__ = ["Recorder", "SoundPacket", "Template", "available_encoders"]
