"""A video file, explained frame by frame into another one: `live-cam video`."""

from live_cam.video.pipeline import TranscodePipeline

__all__ = ["TranscodePipeline"]
