"""Images from files, explained and written beside them: `live-cam image`."""
