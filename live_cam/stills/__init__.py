"""Pictures from files, explained and written beside them: `live-cam image`."""

from live_cam.stills.pipeline import StillsPipeline

__all__ = ["StillsPipeline"]
