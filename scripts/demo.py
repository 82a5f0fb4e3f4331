"""Sets everything up and runs the demo: in a window, or to `demo.mp4` where there is no display.

Needs Python 3.10 or newer and nothing else. Arguments go to `live-cam demo`.
"""

from __future__ import annotations

import subprocess
import sys

from environment import prepare

if __name__ == "__main__":
    python = prepare("demo")
    try:
        code = subprocess.call([str(python), "-m", "live_cam", "demo", *sys.argv[1:]])
    except KeyboardInterrupt:
        code = 0
    sys.exit(code)
