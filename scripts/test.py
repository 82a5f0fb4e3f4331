"""Sets everything up and runs lint, type checks and tests. Arguments are passed to pytest.

It needs only Python 3.10 or newer.
"""

from __future__ import annotations

import os
import subprocess
import sys

from environment import ROOT, prepare

# grad-cam depends on opencv-python-headless, whose cv2 would overwrite opencv-python's.
_PEERS = ("captum>=0.8", "grad-cam>=1.5")
_NICENESS = 5  # as nice as the program's own background work, which tests would starve otherwise
# A file's tests share slow fixtures and stay together, in the order of tests/conftest.py.
_DISTRIBUTION = ("--dist", "loadfile", "--no-loadscope-reorder")
_MAX_WORKERS = 4


if __name__ == "__main__":
    python = prepare("test", without_dependencies=_PEERS)
    # Each worker uses one core; one more than there are cores, because many wait for a program.
    workers = min(_MAX_WORKERS, 1 + (os.cpu_count() or 1))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    for check in (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("pytest", "-n", str(workers), *_DISTRIBUTION, *sys.argv[1:]),
    ):
        print(f"--- {' '.join(check)}", flush=True)
        code = subprocess.call([str(python), "-m", *check], cwd=ROOT)
        if code != 0:
            sys.exit(code)
