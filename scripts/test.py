"""Sets everything up and runs lint, types and tests. Arguments go to pytest.

Needs Python 3.10 or newer and nothing else.
"""

from __future__ import annotations

import subprocess
import sys

from environment import ROOT, prepare

# grad-cam depends on opencv-python-headless, whose cv2 would overwrite opencv-python's.
_PEERS = ("captum>=0.8", "grad-cam>=1.5")

if __name__ == "__main__":
    python = prepare("test", without_dependencies=_PEERS)
    for check in (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("pytest", *sys.argv[1:]),
    ):
        print(f"--- {' '.join(check)}", flush=True)
        code = subprocess.call([str(python), "-m", *check], cwd=ROOT)
        if code != 0:
            sys.exit(code)
