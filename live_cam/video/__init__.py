"""A video file, explained frame by frame into another one: `live-cam video`."""
