"""What `scripts/soak.py` is made of: a camera, faults, and what is measured meanwhile."""
