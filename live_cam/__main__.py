"""Runs `live-cam` as `python -m live_cam`."""

from live_cam.cli import main

main()
