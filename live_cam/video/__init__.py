"""A video file explained frame by frame into a new one: `live-cam video`."""
