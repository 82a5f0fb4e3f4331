"""Heatmaps that follow the image and do not flicker: optical flow, smoothing, hysteresis, scale."""
