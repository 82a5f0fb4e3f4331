"""The parts of `scripts/soak.py`: a camera, faults, and the measurements."""
