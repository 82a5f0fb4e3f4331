"""Recordings: video, log, snapshots, all in files that survive a crash."""
