"""Sets everything up and runs lint, types and tests. Arguments go to pytest.

Needs Python 3.10 or newer and nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys

from environment import ROOT, prepare

# grad-cam depends on opencv-python-headless, whose cv2 would overwrite opencv-python's.
_PEERS = ("captum>=0.8", "grad-cam>=1.5")
_NICENESS = 5  # that of the program's own background work, which tests would starve otherwise
# A file's tests stay together, since they share what takes long to make; in the order that
# tests/conftest.py gives them.
_SIDE_BY_SIDE = ("--dist", "loadfile", "--no-loadscope-reorder")
_MOST_SIDE_BY_SIDE = 4


if __name__ == "__main__":
    python = prepare("test", without_dependencies=_PEERS)
    # Tests run side by side, and so each takes one core; one more, since many wait for a program.
    workers = min(_MOST_SIDE_BY_SIDE, 1 + (os.cpu_count() or 1))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    for check in (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("pytest", "-n", str(workers), *_SIDE_BY_SIDE, *sys.argv[1:]),
    ):
        print(f"--- {' '.join(check)}", flush=True)
        code = subprocess.call([str(python), "-m", *check], cwd=ROOT)
        if code != 0:
            sys.exit(code)
