"""What is kept of a run: video, log, snapshots; files that survive a crash."""
