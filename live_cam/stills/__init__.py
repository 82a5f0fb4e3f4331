"""Image files explained, with the results written beside them: `live-cam image`."""
